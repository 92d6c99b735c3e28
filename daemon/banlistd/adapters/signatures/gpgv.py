"""Runs gpgv on a body and its signature: no shell, no home folder, no right, and within bounds of time, memory and output."""

import asyncio
import os
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from banlistd.adapters.signatures import launcher
from banlistd.core.download.verifying.openpgp import binary_keyring, must_be_good
from banlistd.core.printing import quoted
from banlistd.errors import VerificationError

GPGV = Path("/usr/bin/gpgv")

_SECONDS = 20.0
"""1 GiB takes 5 s."""

_MOST_OUTPUT = 65_536
_LARGEST_KEYRING = 4 * 2**20

_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin", "HOME": "/nonexistent", "GNUPGHOME": "/nonexistent"}


async def verify_openpgp(keyring: Path, descriptor: int, signature: bytes) -> None:
    """Whether every signature in `signature` is of the file `descriptor`, by a key of the keyring.

    Call it on the thread of the event loop: gpgv is killed when that thread ends. Raises VerificationError and MismatchError.
    """
    keys = binary_keyring(await asyncio.to_thread(_read_keyring, keyring))
    with ExitStack() as stack:
        ring, sidecar = (_in_memory(stack, content) for content in (keys, signature))
        os.lseek(descriptor, 0, os.SEEK_SET)
        must_be_good(*await _run(ring, sidecar, descriptor))


async def _run(keyring: int, signature: int, body: int) -> tuple[int, bytes]:
    """The exit code of gpgv, and its status lines."""
    arguments = ["--status-fd", "1", "--homedir", "/nonexistent", "--keyring", f"/proc/self/fd/{keyring}"]
    arguments += ["--", f"/proc/self/fd/{signature}", "-"]
    search_path = os.pathsep.join(filter(None, sys.path))
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-S", str(launcher.__file__), str(os.getpid()), search_path, str(GPGV), *arguments),
            stdin=body,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env=_ENVIRONMENT,
            pass_fds=(keyring, signature),
            process_group=0,  # Ctrl-C at a terminal is for the daemon alone
        )
    except OSError as exc:
        raise VerificationError(f"its signature cannot be checked: gpgv cannot be started ({exc.strerror})") from exc
    said = b""
    try:
        async with asyncio.timeout(_SECONDS):
            while process.stdout and len(said) < _MOST_OUTPUT and (piece := await process.stdout.read(_MOST_OUTPUT)):
                said += piece
            if len(said) >= _MOST_OUTPUT:
                raise VerificationError("its signature cannot be checked: gpgv says too much about it")
            code = await process.wait()
    except TimeoutError as exc:
        raise VerificationError(f"its signature cannot be checked: gpgv did not end within {_SECONDS:g} s") from exc
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(process.wait())
    if code == launcher.NOT_CONFINED:
        raise VerificationError("its signature cannot be checked: the process of gpgv cannot give up its rights")
    return code, said


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
