"""Files with keys of a fleet: NAME.key for its owner alone, under a passphrase or not, and NAME.key.pub for all."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from banlistd.adapters.signatures.ed25519 import public_key_of
from banlistd.adapters.signatures.key_text import is_locked, locked_key_text, unlocked_key
from banlistd.core.mqtt.orders.keys import SEED_OCTETS, private_key, private_key_text
from banlistd.core.printing import quoted
from banlistd.errors import FleetFileError, UsageError
from banlistd.trust.ceremony.keys import FleetKey, read_key_line

_LARGEST = 4096
_FOR_OTHERS = 0o077


def make_key(path: Path, name: str, passphrase: bytes) -> FleetKey:
    """A new private key with mode 0600, encrypted unless the passphrase is empty, and its public half beside it.

    Raises UsageError where a file is there already, and FleetFileError.
    """
    seed = os.urandom(SEED_OCTETS)
    public = FleetKey(name, public_key_of(seed))
    _write_new(path, locked_key_text(seed, passphrase) if passphrase else private_key_text(seed), 0o600)
    try:
        _write_new(public_file(path), public.line, 0o644)
    except (UsageError, FleetFileError):
        path.unlink()
        raise
    return public


def refuse_existing(*paths: Path) -> None:
    """Before a passphrase is asked for that would be of no use. Raises UsageError where there is such a file."""
    for path in paths:
        if path.is_symlink() or path.exists():
            raise _existing(path)


def write_public(path: Path, key: FleetKey) -> None:
    """The public half of a private key that is elsewhere. Raises UsageError where the file is there already."""
    _write_new(public_file(path), key.line, 0o644)


def public_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.pub")


def read_seed(path: Path, passphrase: Callable[[], bytes], *, guarded: bool = True) -> bytes:
    """The 32 bytes of a private key. `passphrase` is asked only if the key is encrypted. `guarded`: refuse what others can
    read; systemd's credentials are guarded by their folder, and by an access list that looks like a group.

    Raises UsageError for a file that others can read or that has no key, and FleetFileError.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(_LARGEST) if stat.S_ISREG(status.st_mode) else b""
    except OSError as error:
        raise FleetFileError(f"cannot read {quoted(str(path))}: {error.strerror}") from error
    if guarded and status.st_mode & _FOR_OTHERS:
        raise UsageError(f"others than its owner can read {quoted(str(path))}, or write it", f"chmod 600 {quoted(str(path))}")
    text = content.decode("ascii", "replace")
    return unlocked_key(text, passphrase()) if is_locked(text) else private_key(text)


def read_public(path: Path) -> FleetKey:
    """Raises UsageError and FleetFileError."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        raise FleetFileError(f"cannot read {quoted(str(path))}: {error.strerror}") from error
    return read_key_line(content.decode("ascii", "replace"), quoted(str(path)))


def _write_new(path: Path, text: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise _existing(path) from error
    except OSError as error:
        hint = "" if path.parent.is_dir() else f"install -d -m 700 {quoted(str(path.parent))}"
        raise FleetFileError(f"cannot make {quoted(str(path))}: {error.strerror}", hint) from error
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink()
        raise FleetFileError(f"cannot write {quoted(str(path))}: {error.strerror}") from error


def _existing(path: Path) -> UsageError:
    return UsageError(f"{quoted(str(path))} is there already, and would be lost", "name another file")
