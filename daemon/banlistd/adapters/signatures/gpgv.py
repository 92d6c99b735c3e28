"""Runs gpgv on a body and its signature: no shell, no home folder, no right, and within bounds of time, memory and output."""

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from banlistd.adapters.signatures import launcher
from banlistd.adapters.system.child_program import ChildBounds, ChildEnd, ChildFaultError, run_child
from banlistd.adapters.system.own_program import launched_by
from banlistd.core.download.verifying.openpgp import binary_keyring, must_be_good
from banlistd.core.printing import quoted
from banlistd.errors import VerificationError
from banlistd.ports import BlockingCalls

GPGV = Path("/usr/bin/gpgv")

_SECONDS = 20.0
"""1 GiB takes 5 s."""

_MOST_OUTPUT = 65_536
_LARGEST_KEYRING = 4 * 2**20

_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin", "HOME": "/nonexistent", "GNUPGHOME": "/nonexistent"}


async def verify_openpgp(keyring: Path, descriptor: int, signature: bytes, calls: BlockingCalls) -> None:
    """Whether every signature in `signature` is of the file `descriptor`, by a key of the keyring, which `calls` read.

    Call it on the thread of the event loop: gpgv is killed when that thread ends. Raises VerificationError and MismatchError.
    """
    try:
        content = await calls.run(object(), partial(_read_keyring, keyring))
    except OSError as exc:  # no thread can be started now
        raise VerificationError(f"cannot read its keyring {quoted(str(keyring))}: {exc.strerror}") from exc
    keys = binary_keyring(content)
    with ExitStack() as stack:
        ring, sidecar = (_in_memory(stack, content) for content in (keys, signature))
        os.lseek(descriptor, 0, os.SEEK_SET)
        must_be_good(*await _run(ring, sidecar, descriptor))


async def _run(keyring: int, signature: int, body: int) -> ChildEnd:
    """The exit code of gpgv, and its status lines."""
    arguments = ["--status-fd", "1", "--homedir", "/nonexistent", "--keyring", f"/proc/self/fd/{keyring}"]
    arguments += ["--", f"/proc/self/fd/{signature}", "-"]
    program = launched_by(launcher, str(GPGV), *arguments)
    try:
        ended = await run_child(
            program, _ENVIRONMENT, ChildBounds(_SECONDS, _MOST_OUTPUT), given=body, descriptors=(keyring, signature)
        )
    except ChildFaultError as error:
        raise VerificationError(f"its signature cannot be checked: gpgv {error}") from error
    if ended.code == launcher.NOT_CONFINED:
        raise VerificationError("its signature cannot be checked: the process of gpgv cannot give up its rights")
    return ended


def _read_keyring(path: Path) -> bytes:
    if not GPGV.exists():
        raise VerificationError("its signature cannot be checked: there is no gpgv", "install the package gpgv")
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_KEYRING + 1)
    except OSError as exc:
        hint = "the account of the service must be able to read the file"
        raise VerificationError(f"cannot read its keyring {quoted(str(path))}: {exc.strerror}", hint) from exc
    if len(content) > _LARGEST_KEYRING:
        raise VerificationError(f"its keyring {quoted(str(path))} is larger than {_LARGEST_KEYRING} bytes")
    return content


def _in_memory(stack: ExitStack, content: bytes) -> int:
    """A descriptor of a file in memory, at its beginning."""
    descriptor = os.memfd_create("banlistd-signature", os.MFD_CLOEXEC)
    stack.callback(os.close, descriptor)
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
