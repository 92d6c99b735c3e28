"""One daemon for one state directory and for one firewall: locks that the kernel takes back when their holder dies."""

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from banlistd.errors import AS_ROOT, AlreadyRunningError, FirewallError, LedgerError


@contextmanager
def only_instance(state: Path) -> Iterator[None]:
    """Hold the lock. Raises AlreadyRunningError where another process does.

    The directory itself is locked: that needs no file to be made, on a disk that may be full or read-only.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        hint = AS_ROOT if isinstance(error, PermissionError) else "see --state DIR"
        raise LedgerError(f"the state directory {state} cannot be used: {error.strerror}", hint) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunningError(
                f"another banlistd works on {state}", "use banlistctl refresh, or stop it first"
            ) from error
        yield
    finally:
        os.close(descriptor)


def refuse_unsafe_state(state: Path) -> None:
    """Raises LedgerError for a state directory that others can write: what is in it would decide what is banned.

    For root the directory may belong to the service account, or to any other user. A symbolic link must belong to root, to the
    account that runs the program, or to the owner of the directory itself.
    """
    try:
        found, named = state.stat(), state.lstat()
    except OSError as error:
        raise LedgerError(f"the state directory {state} cannot be used: {error.strerror}", "see --state DIR") from error
    if named.st_uid not in (0, os.geteuid(), found.st_uid):
        raise LedgerError(
            f"the state directory {state} is a symbolic link of user {named.st_uid} to a directory of user {found.st_uid}",
            "name the directory itself, and find out who made the link",
        )
    if found.st_mode & stat.S_IWOTH:
        raise LedgerError(
            f"every user can write to the state directory {state}", f"look what is in it, then: chmod 700 {state}"
        )
    if os.geteuid() != 0 and found.st_uid not in (0, os.geteuid()):
        raise LedgerError(
            f"the state directory {state} belongs to user {found.st_uid}, not to user {os.geteuid()}, who runs banlistd",
            "choose another state directory, or change its owner",
        )


# A netlink port belongs to one socket of a network namespace, as a firewall does; those that the kernel gives away itself are
# process numbers, far below. "BLD1".
_PORT, _ANY_PORT = 0x424C_4431, 0
_NETLINK_NETFILTER = 12
# linux/netfilter/nfnetlink.h: NFNLGRP_ACCT_QUOTA, a group in which it is silent. To be in a group at all takes CAP_NET_ADMIN,
# so that a port taken by a user without it stops no daemon.
_SILENT_GROUP = 1 << (8 - 1)
_OPEN_SOCKETS = Path("/proc/thread-self/net/netlink")


@contextmanager
def only_writer() -> Iterator[None]:
    """Hold the firewall of this network namespace. Raises AlreadyRunningError where another daemon does, whatever its state,
    and FirewallError where the kernel has no firewall.
    """
    with _opened() as presence:
        # A user may have the port, who cannot join the group. If we cannot either, the firewall itself will say so.
        if _join_at(presence, _PORT) == errno.EADDRINUSE:
            # Look first, then join: of two daemons that start at once, the one with the port would be refused as well.
            _refuse_others(_ANY_PORT)
            _join_at(presence, _ANY_PORT)
        _refuse_others(presence.getsockname()[0])
        yield


def _opened() -> socket.socket:
    try:
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
    except OSError as exc:
        hint = "this kernel has no netfilter; load the module nf_tables" if exc.errno == errno.EPROTONOSUPPORT else ""
        raise FirewallError(f"cannot speak to the firewall: {exc.strerror}", hint) from exc


def _join_at(presence: socket.socket, port: int) -> int:
    """Bind to the port and join the group; the number of the error, or 0."""
    try:
        presence.bind((port, _SILENT_GROUP))
    except OSError as error:
        return error.errno or 0
    return 0


def _refuse_others(port: int) -> None:
    if _others_in_group(port):
        raise AlreadyRunningError(
            "another banlistd, with another state directory, keeps the firewall of this machine",
            "stop it, or give both lists to one",
        )


def _others_in_group(port: int) -> bool:
    """Whether another socket than the one at `port` is in the group; columns are socket, protocol, port, groups."""
    try:
        rows = [line.split() for line in _OPEN_SOCKETS.read_text("ascii").splitlines()]
    except OSError:
        return False
    wanted = [str(_NETLINK_NETFILTER), f"{_SILENT_GROUP:08x}"]
    return any([row[1], row[3]] == wanted and row[2] != str(port) for row in rows[1:])
