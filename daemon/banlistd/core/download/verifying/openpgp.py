"""What gpgv says -> whether a list is signed, and why not; and the keyring of an administrator in the form that gpgv reads."""

import re
from base64 import b64decode

from banlistd.core.printing import quoted
from banlistd.errors import MismatchError, VerificationError

_STATUS = "[GNUPG:] "
_NO_GOOD = {
    "EXPSIG": "its signature has expired",
    "EXPKEYSIG": "its signature is by a key that has expired",
    "REVKEYSIG": "its signature is by a key that was revoked",
    "NO_PUBKEY": "its signature is by a key that is not in the keyring",
    "ERRSIG": "its signature cannot be checked",
    "NODATA": "its signature cannot be read: the file is no OpenPGP signature",
}
"""By the words of gpgv's status lines (doc/DETAILS of GnuPG), the most telling first."""

_ANOTHER_KEY = "has the publisher a new key? compare it with one from another place before you add it to the keyring"


def must_be_good(exit_code: int, status: bytes) -> None:
    """Judge the end of gpgv and its status lines. Raises VerificationError and MismatchError.

    Every signature must be good: gpgv itself ends with 0 for those of keys that have expired or were revoked.
    """
    lines = status.decode("utf-8", "replace").splitlines()
    said = [line.removeprefix(_STATUS).split(" ") for line in lines if line.startswith(_STATUS)]
    words = [one[0] for one in said]
    if "BADSIG" in words:
        raise MismatchError("it is not what its signature is of")
    for word, reason in _NO_GOOD.items():
        if word in words:
            keys = [one[1] for one in said if one[0] == word and len(one) > 1]
            named = f": {quoted(keys[0], 40)}" if word != "NODATA" and keys else ""
            raise VerificationError(f"{reason}{named}", _ANOTHER_KEY if word == "NO_PUBKEY" else "")
    if exit_code or "GOODSIG" not in words or "VALIDSIG" not in words:
        hint = "it must be a detached signature of the list, in a file of its own"
        raise VerificationError("its signature cannot be read by gpgv", hint)


_ARMOUR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n(?:[A-Za-z]+: [^\n]*\n)*[ \t]*\r?\n"
    rb"([A-Za-z0-9+/=\r\n]+?)(?:\r?\n=[A-Za-z0-9+/]{4})?\s*\r?\n-----END PGP PUBLIC KEY BLOCK-----"
)


def binary_keyring(content: bytes) -> bytes:
    """A keyring as gpgv reads it: keys in armour (RFC 4880 6.2) become what they stand for. Raises VerificationError."""
    if b"-----BEGIN PGP" not in content:
        return content
    blocks = _ARMOUR.findall(content)
    try:
        octets = b"".join(b64decode(b"".join(block.split()), validate=True) for block in blocks)
    except ValueError:
        octets = b""
    if not octets:
        raise VerificationError("its keyring has no public key that can be read", "write it with gpg --export KEY > FILE")
    return octets
