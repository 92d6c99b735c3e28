"""Files of keys: for their owner alone, encrypted or not, and readable for openssl."""

import subprocess
from pathlib import Path

import pytest

from banlistd.adapters.signatures.ed25519 import public_key_of
from banlistd.errors import BanlistdError, UsageError
from banlistd.trust.ceremony.key_files import make_key, public_file, read_public, read_seed
from banlistd.trust.ceremony.keys import read_key_line


def _never() -> bytes:
    pytest.fail("nobody was to be asked")


@pytest.mark.parametrize("passphrase", [b"", b"correct horse", "schlüssel".encode()])
def test_a_key_comes_back_with_its_passphrase(tmp_path: Path, passphrase: bytes) -> None:
    path = tmp_path / "anna.key"
    public = make_key(path, "anna", passphrase)
    assert path.stat().st_mode & 0o777 == 0o600
    assert public_key_of(read_seed(path, (lambda: passphrase) if passphrase else _never)) == public.octets
    assert read_public(public_file(path)) == public
    shown = subprocess.run(
        ["openssl", "pkey", "-in", path, "-passin", "stdin", "-noout", "-text_pub"],
        input=passphrase + b"\n",
        capture_output=True,
        check=True,
    )
    assert b"ED25519" in shown.stdout


@pytest.mark.parametrize("wrong", [b"", b"correct", b"correct horse "])
def test_a_wrong_passphrase_opens_nothing(tmp_path: Path, wrong: bytes) -> None:
    make_key(tmp_path / "anna.key", "anna", b"correct horse")
    with pytest.raises(UsageError, match="the passphrase is wrong"):
        read_seed(tmp_path / "anna.key", lambda: wrong)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    make_key(tmp_path / "anna.key", "anna", b"")
    (tmp_path / "anna.key").chmod(0o640)
    with pytest.raises(UsageError, match="others than its owner"):
        read_seed(tmp_path / "anna.key", _never)


def test_no_key_is_overwritten(tmp_path: Path) -> None:
    make_key(tmp_path / "anna.key", "anna", b"")
    before = (tmp_path / "anna.key").read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        make_key(tmp_path / "anna.key", "anna", b"")
    assert (tmp_path / "anna.key").read_bytes() == before


def test_a_key_whose_public_half_cannot_be_written_is_not_left_behind(tmp_path: Path) -> None:
    (tmp_path / "anna.key.pub").touch()
    with pytest.raises(UsageError, match="is there already"):
        make_key(tmp_path / "anna.key", "anna", b"")
    assert not (tmp_path / "anna.key").exists()


@pytest.mark.parametrize(
    "text", ["", "ed25519", "ed25519 AAAA anna", "rsa AAAA anna", "ed25519 !!! anna", "ed25519 " + "A" * 43 + "= A"]
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_key_line(text, "a file")


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"]
)
def test_what_is_no_private_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "anna.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(BanlistdError):
        read_seed(path, lambda: b"x")
