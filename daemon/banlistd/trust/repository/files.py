"""Files of a repository: each is there whole, or not at all, and is on the disk before it has its name."""

import os
from contextlib import suppress
from pathlib import Path

from banlistd.core.printing import quoted
from banlistd.errors import FleetFileError

UNFINISHED = ".unfinished"
"""How the name of a file ends while it is written; a kill leaves it, and the next clean-up deletes it."""


def write_whole(path: Path, content: bytes) -> None:
    """Write, fsync, rename, fsync the folder. Raises FleetFileError; then the old file, or none, has the name.

    It is readable for all, whatever the umask is. A new file and a new folder get the owner of the folder above: an
    administrator may write what the daemon goes on with.
    """
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        make_public_folder(path.parent)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            os.fchmod(descriptor, 0o644)
            pass_to_owner(descriptor, path.parent)
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        unfinished.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise FleetFileError(
            f"cannot write {quoted(str(path))}: {error.strerror}", "the files before it stay as they are"
        ) from error


def make_public_folder(path: Path) -> None:
    """With those above it, readable for all, whatever the umask is: a web server serves it. Raises OSError."""
    if path.is_dir():
        return
    make_public_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir()
        path.chmod(0o755)
        pass_to_owner(path, path.parent)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def pass_to_owner(what: int | Path, folder: Path) -> None:
    """What root has made belongs to the owner of the folder. Raises OSError."""
    owner, present = folder.stat(), os.stat(what)  # noqa: PTH116 - it may be a descriptor
    if os.geteuid() == 0 and (present.st_uid, present.st_gid) != (owner.st_uid, owner.st_gid):
        os.chown(what, owner.st_uid, owner.st_gid)
