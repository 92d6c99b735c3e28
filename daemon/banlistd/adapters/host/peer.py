"""Who is at the other end of a unix socket, by the kernel's own word at the moment of the connection (unix(7))."""

import pwd
import socket
import struct
from dataclasses import dataclass

_CREDENTIALS = struct.Struct("=iII")  # struct ucred of <linux/socket.h>: pid, uid, gid
_SO_PEERGROUPS = 59  # <asm-generic/socket.h>
_MAX_GROUPS = 256  # Python asks for 1024 octets at most; who is in more groups is known by the first one only


@dataclass(frozen=True, slots=True)
class Peer:
    """`groups`: the first one, and all the others."""

    uid: int
    groups: frozenset[int]


def peer_of(connection: socket.socket) -> Peer:
    """Raises OSError for a connection that is none."""
    _, uid, gid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    try:
        more = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MAX_GROUPS)
    except OSError:
        more = b""
    return Peer(uid, frozenset([gid, *(number for (number,) in struct.iter_unpack("=I", more))]))


def user_name(uid: int) -> str:
    """`ann`; `user 1001` where nothing names that user. A directory service may take its time: call this in a thread."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OSError, OverflowError):
        return f"user {uid}"
