"""Whose files the state is made of, and what may be one: a plain file of the owner of the state directory, or of root or of the
account that runs the program, which no other account can write.

root may run the program on a state directory that belongs to the service account. What it makes there must stay usable by the
account, and a link that the account has planted must lead root nowhere that the account cannot write itself.
"""

import ctypes
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from banlistd.errors import AS_ROOT, LedgerError

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFDIR: "a directory",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def refuse_unsafe_files(files: Sequence[Path]) -> None:
    """Raises LedgerError for what is there and is no plain file, or is one that others can write.

    Nothing is opened: that of a FIFO might never end.
    """
    for path in files:
        with suppress(OSError):
            found = path.lstat()
            kind = stat.S_IFMT(found.st_mode)
            if kind != stat.S_IFREG:
                raise LedgerError(
                    f"{path} is {_KINDS.get(kind, 'no file')}, not a file", "move it away, and find out who put it there"
                )
            if found.st_mode & stat.S_IWOTH:
                raise LedgerError(f"every user can write to {path}", f"look what is in it, then: chmod 600 {path}")
            if found.st_uid not in {0, os.geteuid(), path.parent.stat().st_uid}:
                raise LedgerError(
                    f"{path} belongs to user {found.st_uid}, and not to the owner of its directory",
                    "look what is in it, then change its owner, or move it away",
                )


def is_there(path: Path) -> bool:
    """Raises LedgerError where that may not even be looked up."""
    try:
        return path.exists()
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {(error.strerror or '').lower()}", AS_ROOT) from error


def give_to_owner(files: Sequence[Path]) -> None:
    """As root: what root has made in another account's directory, as older versions did, goes to the owner of the directory."""
    if os.geteuid() != 0:
        return
    for path in files:
        with suppress(OSError):
            folder = path.parent.stat()
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                found = os.fstat(descriptor)
                # A second name of the same file may be anywhere.
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == 0 != folder.st_uid:
                    os.fchown(descriptor, folder.st_uid, folder.st_gid)
            finally:
                os.close(descriptor)


def act_as_owner(folder: Path) -> None:
    """As root: the calling thread works on files as the owner of `folder` from now on (setfsuid(2)); other threads do not.

    Only the access to files changes: the thread keeps the rights that the firewall needs. Raises OSError.
    """
    if os.geteuid() != 0:
        return
    owner = folder.stat()
    if owner.st_uid != 0:
        libc = ctypes.CDLL(None)
        libc.setfsgid(owner.st_gid)
        libc.setfsuid(owner.st_uid)
        # It reports no failure; a second call says who we are.
        if libc.setfsuid(owner.st_uid) != owner.st_uid:
            raise PermissionError(1, f"files cannot be made as user {owner.st_uid}")
