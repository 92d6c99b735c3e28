from base64 import b64encode

import pytest

from banlistd.core.download.verifying.openpgp import binary_keyring, must_be_good
from banlistd.errors import MismatchError, VerificationError

KEY = "BCC3B19E695CA99A"
GOOD = f"[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG {KEY} A <a@example>\n[GNUPG:] VALIDSIG AE3A 2026-11-28 1 0 4 0 22 8 00 AE3A\n"


def test_a_good_signature() -> None:
    must_be_good(0, GOOD.encode())


@pytest.mark.parametrize(
    ("exit_code", "status", "reason"),
    [
        (2, f"[GNUPG:] ERRSIG {KEY} 22 8 00 1 9\n[GNUPG:] NO_PUBKEY {KEY}\n", f"not in the keyring: {KEY}"),
        (0, GOOD + f"[GNUPG:] EXPKEYSIG {KEY} A\n", "a key that has expired"),
        (0, GOOD + f"[GNUPG:] REVKEYSIG {KEY} A\n", "a key that was revoked"),
        (0, f"[GNUPG:] EXPSIG {KEY} A\n", "its signature has expired"),
        (2, f"[GNUPG:] ERRSIG {KEY} 22 8 00 1 4\n", "cannot be checked"),
        (2, "[GNUPG:] NODATA 1\n[GNUPG:] NODATA 2\n", "no OpenPGP signature"),
        (2, "", "cannot be read by gpgv"),
        (0, "", "cannot be read by gpgv"),
        (1, GOOD, "cannot be read by gpgv"),
        (0, GOOD.replace("VALIDSIG", "OTHER"), "cannot be read by gpgv"),
        (0, f"GOODSIG {KEY}\nVALIDSIG {KEY}\n", "cannot be read by gpgv"),
    ],
)
def test_everything_else_is_refused(exit_code: int, status: str, reason: str) -> None:
    with pytest.raises(VerificationError, match=reason):
        must_be_good(exit_code, status.encode())


def test_a_bad_signature_beside_a_good_one_is_bad() -> None:
    with pytest.raises(MismatchError, match="not what its signature is of"):
        must_be_good(1, (GOOD + f"[GNUPG:] BADSIG {KEY} A\n").encode())


def armoured(octets: bytes, headers: str = "", end: str = "=abcd\n") -> bytes:
    text = b64encode(octets).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n{headers}\n{lines}\n{end}-----END PGP PUBLIC KEY BLOCK-----\n".encode()


def test_a_keyring_in_armour_becomes_binary() -> None:
    keys = bytes(range(200))
    assert binary_keyring(keys) == keys
    assert binary_keyring(armoured(keys)) == keys
    assert (
        binary_keyring(b"a note\n" + armoured(keys, "Version: 1\nComment: a b\n") + armoured(b"more", end="")) == keys + b"more"
    )
    assert binary_keyring(armoured(keys).replace(b"\n", b"\r\n")) == keys


@pytest.mark.parametrize("content", [b"-----BEGIN PGP MESSAGE-----\n\nAAAA\n", armoured(b"abc").replace(b"YWJj", b"YWJ")])
def test_armour_of_something_else_is_refused(content: bytes) -> None:
    with pytest.raises(VerificationError, match="no public key that can be read"):
        binary_keyring(content)
