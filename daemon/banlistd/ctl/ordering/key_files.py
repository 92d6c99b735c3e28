"""Files with the private keys of operators: made once, for their owner alone."""

import os
import stat

from banlistd.core.mqtt.orders.keys import private_key, private_key_text
from banlistd.core.printing import quoted
from banlistd.errors import BanlistdError, UsageError

_LARGEST = 4096
_FOR_OTHERS = 0o077


class KeyFileError(BanlistdError):
    """A file with a key cannot be read or written."""

    exit_code = 74  # EX_IOERR


def write_key(path: str, seed: bytes) -> None:
    """A new file of mode 0600. Raises UsageError where the file is there already, and KeyFileError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{quoted(path)} is there already, and a key in it would be lost", "name another file") from error
    except OSError as error:
        raise KeyFileError(f"cannot make {quoted(path)}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(private_key_text(seed))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        os.unlink(path)  # noqa: PTH108 - pathlib: 10 ms
        raise KeyFileError(f"cannot write {quoted(path)}: {error.strerror}") from error


def read_key(path: str) -> bytes:
    """The 32 octets of a private key. Raises UsageError for a file that others can read, or is none, and KeyFileError."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib: 10 ms
            status = os.fstat(file.fileno())
            content = file.read(_LARGEST) if stat.S_ISREG(status.st_mode) else b""
    except OSError as error:
        raise KeyFileError(f"cannot read {quoted(path)}: {error.strerror}") from error
    if status.st_mode & _FOR_OTHERS:
        raise UsageError(f"others than its owner can read {quoted(path)}, or write it", f"chmod 600 {quoted(path)}")
    return private_key(content.decode("ascii", "replace"))
