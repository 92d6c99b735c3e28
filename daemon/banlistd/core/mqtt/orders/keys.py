"""The keys of operators: their names, and the file of a private one, as OpenSSL writes it too."""

from base64 import b64decode, b64encode
from hashlib import sha256

from banlistd.errors import UsageError

SEED_OCTETS = 32

_PREFIX = bytes.fromhex("302e020100300506032b657004220420")
"""PKCS #8 of an Ed25519 key without its 32 octets (RFC 8410 7)."""

_BEGIN, _END = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"


def key_id(public: bytes) -> str:
    """What names a public key: the first 16 digits of its SHA-256."""
    return sha256(public).hexdigest()[:16]


def private_key_text(seed: bytes) -> str:
    """The PEM file of a private key, which `openssl pkey` reads."""
    return f"{_BEGIN}\n{b64encode(_PREFIX + seed).decode()}\n{_END}\n"


def private_key(text: str) -> bytes:
    """The 32 octets of a private key, of its PEM file. Raises UsageError."""
    lines = [line.strip() for line in text.strip().splitlines()]
    octets = b""
    if len(lines) > 2 and (lines[0], lines[-1]) == (_BEGIN, _END):  # noqa: PLR2004 - two lines and what is between them
        try:
            octets = b64decode("".join(lines[1:-1]), validate=True)
        except ValueError:
            octets = b""
    if not octets.startswith(_PREFIX) or len(octets) != len(_PREFIX) + SEED_OCTETS:
        raise UsageError("the file is not a private key of Ed25519", "banlistctl operator-key FILE makes one")
    return octets[len(_PREFIX) :]
