"""Signs and publishes the lists of a fleet: a job on stdin, an answer as a line of JSON on stdout (`repository.job`).

`python -I -m banlistd.trust.publish`. Only this process has the key of the hub.
"""

import json
import sys
from datetime import UTC, datetime

from banlistd.core.fleet.publish_job import read_job
from banlistd.errors import BanlistdError
from banlistd.trust.ceremony.keys import use_openssl
from banlistd.trust.repository.publishing import publish


def main() -> int:
    use_openssl()
    try:
        answer = publish(read_job(sys.stdin.buffer), datetime.now(UTC).replace(microsecond=0))
    except BanlistdError as error:
        kind = type(error).__name__
        answer = {"ok": False, "error": {"kind": kind, "message": error.message, "hint": error.hint}}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
