"""One question to a part of the kernel that answers with many messages. Bounded in time and number; blocks."""

import errno
import socket
import struct
from collections.abc import Iterator

from banlistd.adapters.netlink.messages import HEADER, NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR, framed

# A router with the whole internet in its tables has a million routes, but few gateways; the default routes come first.
MAX_ANSWERS = 20_000
_SECONDS = 1.0
_RECEIVE = 1 << 16


def dump_of(part: int, kind: int, body: bytes) -> Iterator[bytes]:
    """The payload of each answer; `part`: the netlink protocol. Raises OSError.

    One that changed while it was read is as good: it is read again soon.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, part) as wire:
        wire.settimeout(_SECONDS)
        wire.bind((0, 0))
        wire.send(framed(kind, NLM_F_DUMP, 1, body))
        left = MAX_ANSWERS
        while left > 0:
            data, at = wire.recv(_RECEIVE), 0
            while at + HEADER.size <= len(data):
                length, answer, *_ = HEADER.unpack_from(data, at)
                payload = data[at + HEADER.size : at + length]
                if answer == NLMSG_DONE or length < HEADER.size:
                    return
                if answer == NLMSG_ERROR:
                    raise OSError(-struct.unpack_from("=i", payload)[0] or errno.EPROTO, "the kernel refused a dump")
                yield payload
                left -= 1
                at += length + -length % 4
