"""A file that the tool writes for a person: whole or not at all, readable by its owner only, and in place of a file only."""

import os
import stat
import tempfile
from contextlib import suppress

from banlistd.core.printing import printable
from banlistd.ctl.install_units import NotWritableError

STDOUT = "-"


def write_file(path: str, text: str) -> list[str]:
    """The lines to print: where the file is; for `-` the text itself. Raises NotWritableError.

    A new file has mode 0600, whatever the umask, and so has one that takes the place of an older one: a report names addresses
    that hosts here talk to. A link, a device or a folder is refused; a reader sees the old file or the new one.
    """
    if path == STDOUT:
        return [text.removesuffix("\n")]
    folder, name = os.path.split(path)
    try:
        _refuse_others(path)
        descriptor, passing = tempfile.mkstemp(prefix=f".{name}.", dir=folder or ".")
    except OSError as exc:
        raise _refused(path, exc) from exc
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(passing, path)  # noqa: PTH105 - pathlib: 10 ms
    except OSError as exc:
        raise _refused(path, exc) from exc
    finally:
        with suppress(OSError):
            os.unlink(passing)  # noqa: PTH108 - as above; it is gone once it is in place
    return [f"written: {printable(path)}"]


def _refuse_others(path: str) -> None:
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise NotWritableError(f"{printable(path)} is there and is not a regular file", "name another file")


def _refused(path: str, exc: OSError) -> NotWritableError:
    return NotWritableError(f"cannot write {printable(path)}: {exc.strerror}", "is its folder there, and yours?")
