"""A NoticeReceiver that an address of Apprise names."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence

from banlistd.adapters.notices import apprise_child
from banlistd.adapters.notices.program import run_program
from banlistd.adapters.notices.secrets import Secrets
from banlistd.core.credentials import conceal, fill
from banlistd.core.notices.message import message_of
from banlistd.core.notices.notice import Notice
from banlistd.core.notices.queues import MOST_IN_MESSAGE
from banlistd.core.printing import quoted
from banlistd.errors import DeliveryError

_SECONDS = 60.0
"""Of one delivery: Apprise gives a server 4 s to accept a connection and 4 s for each piece of its answer."""

_PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
_PIECES = re.compile(r"[/?&=:@#]+")
_RECOGNISABLE = 4  # characters of a piece of an address that may be secret
_TYPES = {"error": "failure", "warning": "warning"}


class AppriseReceiver:
    """`reference`: the credential that has the address, as `${credential:NAME}`."""

    most = MOST_IN_MESSAGE

    def __init__(self, reference: str, secrets: Secrets, host: str, seconds: float = _SECONDS) -> None:
        self._reference = reference
        self._secrets = secrets
        self._host = host
        self._seconds = seconds

    async def deliver(self, notices: Sequence[Notice], lost: int, waiting: int) -> str:
        url = fill(self._reference, self._secrets.of([self._reference]))
        message = message_of(notices, lost, self._host, waiting)
        order = {"url": url, "title": message.title, "body": message.body, "type": _type_of(notices)}
        command = [sys.executable, "-I", str(apprise_child.__file__)]
        try:
            ended = await run_program(command, json.dumps(order).encode(), _environment(), self._seconds)
        except OSError as exc:
            raise DeliveryError(f"Apprise cannot be started: {exc.strerror}") from exc
        if ended.code == apprise_child.DELIVERED:
            return ""
        raise _fault(ended.code, quoted(conceal(ended.output, _secrets_in(url))), self._seconds)


def _environment() -> Mapping[str, str]:
    # Some services of Apprise keep files; there is no home for them.
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **{name: os.environ[name] for name in _PASSED_ON if name in os.environ}}


def _secrets_in(url: str) -> list[str]:
    """An address and every piece of it: which of them is secret depends on the service."""
    return [url, *(piece for piece in _PIECES.split(url) if len(piece) >= _RECOGNISABLE)]


def _type_of(notices: Sequence[Notice]) -> str:
    """As Apprise names it: the colour or the picture of a message."""
    levels = {notice.happening.level for notice in notices if not notice.ended}
    return next((kind for level, kind in _TYPES.items() if level in levels), "info" if levels else "success")


def _fault(code: int | None, output: str, seconds: float) -> DeliveryError:
    if code is None:
        return DeliveryError(f"no answer within {seconds:g} s")
    if code == apprise_child.NOT_INSTALLED:
        return DeliveryError("Apprise is not installed", "apt-get install apprise; with pip: install banlistd[notify]")
    if code == apprise_child.NOT_UNDERSTOOD:
        return DeliveryError("Apprise does not understand the address in the credential", "it begins with a scheme, as ntfy://")
    return DeliveryError(f"not accepted: {output or f'exit code {code}'}")
