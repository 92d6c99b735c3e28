"""Signatures that the real programs made, and every way in which one does not fit."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from banlistd.adapters.signatures import gpgv
from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.adapters.signatures.verifier import PublisherProofs
from banlistd.core.config.sections.verify import CheckKind, PublicKey, Verify
from banlistd.errors import MismatchError, VerificationError
from banlistd.ports import WholeBody
from support.signing import Minisign, OpenPgp, Signify

LIST = b"192.0.2.1\n198.51.100.0/24\n"


@contextmanager
def body(content: bytes, name: str = "list.txt") -> Iterator[WholeBody]:
    descriptor = os.memfd_create("body")
    os.write(descriptor, content)
    yield WholeBody(name, descriptor, len(content), hashlib.sha256(content).hexdigest())
    os.close(descriptor)


def verify(kind: CheckKind, settings: Verify, content: bytes, sidecar: bytes) -> None:
    with body(content) as one:
        asyncio.run(PublisherProofs().verify(kind, settings, one, sidecar))


@pytest.fixture(scope="module")
def minisign(tmp_path_factory: pytest.TempPathFactory) -> Minisign:
    return Minisign.made_in(tmp_path_factory.mktemp("minisign"))


@pytest.fixture(scope="module")
def signify(tmp_path_factory: pytest.TempPathFactory) -> Signify:
    return Signify.made_in(tmp_path_factory.mktemp("signify"))


@pytest.fixture(scope="module")
def pgp() -> Iterator[OpenPgp]:
    with tempfile.TemporaryDirectory(prefix="pgp") as folder:
        made = OpenPgp.made_in(Path(folder))
        yield made
        made.close()


def test_a_keyring_on_a_disk_that_does_not_answer_keeps_no_thread_that_others_need(tmp_path: Path) -> None:
    fifo = tmp_path / "keyring"
    os.mkfifo(fifo)

    async def life() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        with body(LIST) as one, pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await PublisherProofs().verify(CheckKind.PGP, Verify(keyring=fifo), one, b"")
        await asyncio.to_thread(int)

    try:
        asyncio.run(life())
    finally:
        os.close(os.open(fifo, os.O_RDWR | os.O_NONBLOCK))  # it lets the thread go


# SHA-256


def test_a_list_fits_its_checksum() -> None:
    verify(CheckKind.SHA256, Verify(), LIST, f"{hashlib.sha256(LIST).hexdigest()}  list.txt\n".encode())


def test_another_list_does_not_fit_the_checksum() -> None:
    digest = hashlib.sha256(LIST).hexdigest()
    with pytest.raises(MismatchError, match=rf"its SHA-256 is [0-9a-f]{{16}}\.\.\. and not {digest[:16]}\.\.\."):
        verify(CheckKind.SHA256, Verify(), LIST + b"x", digest.encode())


# minisign and signify


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("content", [LIST, b"", LIST * 100_000], ids=["short", "empty", "2.6 MB"])
def test_a_list_is_signed_by_minisign(minisign: Minisign, content: bytes, legacy: bool) -> None:
    verify(CheckKind.MINISIGN, Verify(key=minisign.key), content, minisign.signed(content, legacy=legacy))


def test_a_list_is_signed_by_signify(signify: Signify) -> None:
    verify(CheckKind.MINISIGN, Verify(key=signify.key), LIST, signify.signed(LIST))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("content", [b"", LIST[:-1], LIST + b"203.0.113.1\n"])
def test_another_list_is_not_what_was_signed(minisign: Minisign, content: bytes, legacy: bool) -> None:
    with pytest.raises(MismatchError, match="not what its signature is of"):
        verify(CheckKind.MINISIGN, Verify(key=minisign.key), content, minisign.signed(LIST, legacy=legacy))


def test_a_signature_of_another_key_is_refused(minisign: Minisign, signify: Signify) -> None:
    with pytest.raises(VerificationError, match="by the key"):
        verify(CheckKind.MINISIGN, Verify(key=minisign.key), LIST, signify.signed(LIST))
    same_name = PublicKey(minisign.key.key_id, signify.key.ed25519)
    with pytest.raises(MismatchError):
        verify(CheckKind.MINISIGN, Verify(key=same_name), LIST, minisign.signed(LIST))


def test_a_forged_trusted_comment_is_refused(minisign: Minisign) -> None:
    forged = minisign.signed(LIST).replace(b"timestamp:", b"timestamp:9")
    with pytest.raises(VerificationError, match="trusted comment of its signature is forged"):
        verify(CheckKind.MINISIGN, Verify(key=minisign.key), LIST, forged)


def test_the_first_vectors_of_rfc_8032() -> None:
    key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert is_signed_by(key, signature, b"\x72")
    assert not is_signed_by(key, signature, b"\x73")
    assert not is_signed_by(bytes(32), signature, b"\x72")
    assert not is_signed_by(b"short", signature, b"\x72")


# OpenPGP


@pytest.mark.parametrize("armoured", [True, False])
@pytest.mark.parametrize("keyring", ["keyring.gpg", "keyring.asc"])
def test_a_list_is_signed_by_gpg(pgp: OpenPgp, keyring: str, armoured: bool) -> None:
    signature = pgp.signed(LIST, armoured=armoured)
    verify(CheckKind.PGP, Verify(keyring=pgp.folder / keyring), LIST, signature)


def test_another_list_is_not_what_gpg_signed(pgp: OpenPgp) -> None:
    with pytest.raises(MismatchError, match="not what its signature is of"):
        verify(CheckKind.PGP, Verify(keyring=pgp.keyring), LIST + b"x", pgp.signed(LIST))


def test_a_signature_of_a_key_that_is_not_in_the_keyring_is_refused(pgp: OpenPgp) -> None:
    with tempfile.TemporaryDirectory(prefix="pgp") as folder:
        other = OpenPgp.made_in(Path(folder))
        try:
            with pytest.raises(VerificationError, match="a key that is not in the keyring") as caught:
                verify(CheckKind.PGP, Verify(keyring=pgp.keyring), LIST, other.signed(LIST))
            assert "new key" in caught.value.hint
        finally:
            other.close()


@pytest.mark.parametrize("how", ["--clear-sign", "--sign"])
def test_a_signed_message_proves_no_list(pgp: OpenPgp, how: str) -> None:
    with pytest.raises(VerificationError, match="its signature cannot be"):
        verify(CheckKind.PGP, Verify(keyring=pgp.keyring), LIST, pgp.signed(LIST, how))


@pytest.mark.parametrize(
    "sidecar", [b"", b"<html>", b"\x00" * 1000, b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n", os.urandom(60_000)]
)
def test_what_is_no_signature_is_refused(pgp: OpenPgp, sidecar: bytes) -> None:
    with pytest.raises(VerificationError):
        verify(CheckKind.PGP, Verify(keyring=pgp.keyring), LIST, sidecar)


def test_a_keyring_that_is_not_there_is_named(pgp: OpenPgp) -> None:
    with pytest.raises(VerificationError, match=r"cannot read its keyring /gone\.gpg: No such file"):
        verify(CheckKind.PGP, Verify(keyring=Path("/gone.gpg")), LIST, pgp.signed(LIST))


def test_a_machine_without_gpgv_is_told_which_package(pgp: OpenPgp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpgv, "GPGV", Path("/gone/gpgv"))
    with pytest.raises(VerificationError, match="there is no gpgv") as caught:
        verify(CheckKind.PGP, Verify(keyring=pgp.keyring), LIST, pgp.signed(LIST))
    assert caught.value.hint == "install the package gpgv"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exec sleep 60", r"did not end within 0\.5 s"),
        ("while :; do echo 0123456789012345678901234567890123456789; done", "says too much"),
        ("kill -9 $$", "cannot be read by gpgv"),
    ],
)
def test_a_program_that_misbehaves_is_ended(
    pgp: OpenPgp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    program = tmp_path / "gpgv"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(gpgv, "GPGV", program)
    if "within" in reason:
        monkeypatch.setattr(gpgv, "_SECONDS", 0.5)
    with pytest.raises(VerificationError, match=reason):
        verify(CheckKind.PGP, Verify(keyring=pgp.keyring), LIST, pgp.signed(LIST))
