"""Datagrams from a test address and from a control address, and which of them arrive."""

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from typing import NamedTuple

from banlistd.ctl.proving.ground import Namespace

# Seconds that datagrams may take on their way: they pass this host only, in well under a millisecond.
_PATIENCE = 2.0
# One may be lost where the host is short of memory.
_DATAGRAMS = 3
_DISCARD = 9  # the port of the service discard
_ASKED, _CONTROL = b"asked", b"control"


class Heard(NamedTuple):
    """Whether a datagram of the test address arrived, and one of the control address that was sent after it."""

    test: bool
    control: bool


def arrivals(
    sender: Namespace, target: str, test: str, control: str, *, within: Callable[[Callable[[], socket.socket]], socket.socket]
) -> Heard:
    """Send from both addresses to `target`; `within` opens the socket that receives. Raises OSError.

    Datagrams of one path keep their order, so the test's have arrived, or never will, when the last of the control has.
    """
    with ExitStack() as stack:
        receiver = stack.enter_context(closing(within(partial(_bound, "::" if ":" in target else "0.0.0.0"))))  # noqa: S104 - for datagrams from two addresses only
        port = receiver.getsockname()[1]
        senders = [stack.enter_context(closing(sender.run(partial(_bound, address)))) for address in (test, control)]
        for number in range(_DATAGRAMS):
            for one, word in zip(senders, (_ASKED, _CONTROL), strict=True):
                one.sendto(word + b"%d" % number, (target, port))
        return _heard(receiver, {test: _ASKED, control: _CONTROL})


def send(sender: Namespace, target: str, address: str) -> int:
    """Send from an address to a port of `target` where nothing listens for it; returns how many. Raises OSError."""
    with closing(sender.run(partial(_bound, address))) as one:
        for _ in range(_DATAGRAMS):
            one.sendto(_ASKED, (target, _DISCARD))
    return _DATAGRAMS


def _heard(receiver: socket.socket, words: dict[str, bytes]) -> Heard:
    test, control = words.values()
    seen, end = set[bytes](), time.monotonic() + _PATIENCE
    while control + b"%d" % (_DATAGRAMS - 1) not in seen and (left := end - time.monotonic()) > 0:
        receiver.settimeout(left)
        try:
            data, address = receiver.recvfrom(16)
        except TimeoutError:
            break
        if data.startswith(words.get(address[0], b"\0")):
            seen.add(data)
    return Heard(any(one.startswith(test) for one in seen), any(one.startswith(control) for one in seen))


def _bound(address: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.bind((address, 0))
    except OSError:
        made.close()
        raise
    return made
