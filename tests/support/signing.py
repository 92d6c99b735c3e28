"""Publishers that sign: keys of minisign, signify and GnuPG in a folder, made and used by the real programs."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from banlistd.core.config.sections.verify import PublicKey, public_key


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path) -> None:
    subprocess.run([*map(str, command)], check=True, capture_output=True, input=b"", timeout=60)


@dataclass(frozen=True)
class Minisign:
    folder: Path

    @classmethod
    def made_in(cls, folder: Path) -> "Minisign":
        run(program("minisign"), "-G", "-W", "-p", folder / "key.pub", "-s", folder / "key.sec")
        return cls(folder)

    @property
    def key(self) -> PublicKey:
        return public_key((self.folder / "key.pub").read_text().splitlines()[1])

    def signed(self, content: bytes, *, legacy: bool = False) -> bytes:
        (self.folder / "list").write_bytes(content)
        run(program("minisign"), "-S", *(["-l"] if legacy else []), "-s", self.folder / "key.sec", "-m", self.folder / "list")
        return (self.folder / "list.minisig").read_bytes()


@dataclass(frozen=True)
class Signify:
    folder: Path

    @classmethod
    def made_in(cls, folder: Path) -> "Signify":
        run(program("signify-openbsd"), "-G", "-n", "-p", folder / "key.pub", "-s", folder / "key.sec")
        return cls(folder)

    @property
    def key(self) -> PublicKey:
        return public_key((self.folder / "key.pub").read_text().splitlines()[1])

    def signed(self, content: bytes) -> bytes:
        (self.folder / "list").write_bytes(content)
        names = ("-s", self.folder / "key.sec", "-m", self.folder / "list", "-x", self.folder / "list.sig")
        run(program("signify-openbsd"), "-S", *names)
        return (self.folder / "list.sig").read_bytes()


@dataclass(frozen=True)
class OpenPgp:
    """`folder` has a short name: the socket of gpg's agent is in it."""

    folder: Path

    @classmethod
    def made_in(cls, folder: Path, expires: str = "never") -> "OpenPgp":
        folder.chmod(0o700)
        made = cls(folder)
        made._gpg("--quick-generate-key", "publisher@lists.example", "ed25519", "sign", expires)
        made._gpg("--output", folder / "keyring.gpg", "--export")
        made._gpg("--output", folder / "keyring.asc", "--armor", "--export")
        return made

    @property
    def keyring(self) -> Path:
        return self.folder / "keyring.gpg"

    def signed(self, content: bytes, how: str = "--detach-sign", *, armoured: bool = True) -> bytes:
        (self.folder / "list").write_bytes(content)
        signature = self.folder / "list.asc"
        signature.unlink(missing_ok=True)
        self._gpg(*(["--armor"] if armoured else []), "--output", signature, how, self.folder / "list")
        return signature.read_bytes()

    def _gpg(self, *arguments: str | Path) -> None:
        quiet = ("--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
        run(program("gpg"), "--homedir", self.folder, *quiet, *arguments)

    def close(self) -> None:
        run(program("gpgconf"), "--homedir", self.folder, "--kill", "all")
