"""Files of the configuration, written whole or not at all, and put back octet for octet. No link is followed."""

import os
import stat
from contextlib import ExitStack
from typing import NamedTuple

from banlistd.ctl.install_units import NotWritableError

_MODE = 0o640  # a URL may contain a key: the daemon's group reads it, others do not


class Before(NamedTuple):
    """What a file was. `content` None: there was none."""

    path: str
    content: bytes | None
    mode: int
    uid: int
    gid: int


def as_it_is(path: str) -> Before:
    """What is there now. A new file gets the owner and the mode of its folder, without the right to execute."""
    folder = os.path.dirname(path)  # noqa: PTH120 - pathlib: 10 ms
    if not os.path.isdir(folder):  # noqa: PTH112 - pathlib: 10 ms
        raise NotWritableError(f"there is no folder {folder}", f"mkdir {folder}")
    try:
        _refuse_links(folder, path)
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - as above
                found = os.fstat(file.fileno())
                return Before(path, file.read(), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
        except FileNotFoundError:
            of_folder = os.stat(folder)  # noqa: PTH116 - as above
            return Before(path, None, _MODE | (of_folder.st_mode & 0o004), of_folder.st_uid, of_folder.st_gid)
    except OSError as exc:
        raise NotWritableError(f"cannot read {path}: {exc.strerror}", "use sudo") from exc


def put(was: Before, content: bytes | None) -> None:
    """Put content in the place of a file, with its owner and mode; None: remove it."""
    folder, name = os.path.split(was.path)
    passing = os.path.join(folder, f".{name}.new")  # noqa: PTH118 - as above; the loader passes over names with a dot
    try:
        _refuse_links(folder, was.path)
        if content is None:
            os.unlink(was.path)  # noqa: PTH108 - as above
        else:
            _write_beside(passing, was, content)
            os.replace(passing, was.path)  # noqa: PTH105 - as above
        _sync(folder)
    except OSError as exc:
        raise NotWritableError(f"cannot write {was.path}: {exc.strerror}", "use sudo") from exc


def _write_beside(path: str, was: Before, content: bytes) -> None:
    if os.path.lexists(path):
        os.unlink(path)  # noqa: PTH108 - as above; what an interrupted write left
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with ExitStack() as undo:
        undo.callback(os.unlink, path)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if os.geteuid() == 0:
                os.fchown(file.fileno(), was.uid, was.gid)
            os.fchmod(file.fileno(), was.mode)
            os.fsync(file.fileno())
        undo.pop_all()


def _sync(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_links(folder: str, path: str) -> None:
    for one in (folder, path):
        if os.path.islink(one):  # noqa: PTH114 - as above
            raise NotWritableError(f"{one} is a symbolic link, which banlistctl does not follow", "edit the file by hand")
