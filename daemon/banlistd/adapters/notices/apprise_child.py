"""A program of its own: delivers one message through Apprise, which only this process imports. It imports nothing of ours.

So Apprise may be that of this environment or that of the system, takes memory only while a notice is sent, and can be killed
when a server does not answer. The address is read from the standard input: on a command line, others could read it.
"""

import json
import logging
import sys
from importlib import import_module

DELIVERED, NOT_UNDERSTOOD, NOT_INSTALLED, NOT_ACCEPTED = 0, 65, 69, 75


def main() -> int:
    order = json.load(sys.stdin)
    try:
        apprise = import_module("apprise")
    except ImportError:
        return NOT_INSTALLED
    # What Apprise says of a failure, on stderr. At this level it names no address.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    sender = apprise.Apprise(asset=apprise.AppriseAsset(app_id="banlistd", app_desc="banlistd", app_url=""))
    if not sender.add(order["url"]):
        return NOT_UNDERSTOOD
    delivered = sender.notify(
        body=order["body"], title=order["title"], notify_type=order["type"], body_format=apprise.NotifyFormat.TEXT
    )
    return DELIVERED if delivered else NOT_ACCEPTED


if __name__ == "__main__":
    sys.exit(main())
