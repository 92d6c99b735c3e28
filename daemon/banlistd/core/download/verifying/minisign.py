"""The text of a signature of minisign or signify -> what is signed, and by which key. The arithmetic is not here.

minisign writes four lines: an untrusted comment; the signature of the file; a trusted comment; a signature of the file's
signature and that comment. signify writes the first two. `Ed`: the file is signed; `ED`: its BLAKE2b-512 is.
"""

from base64 import b64decode
from dataclasses import dataclass

from banlistd.core.config.sections.verify import PublicKey
from banlistd.errors import VerificationError

_COMMENT = b"untrusted comment:"
_TRUSTED = b"trusted comment: "
_OF_SIGNIFY, _OF_MINISIGN = 2, 4
_ID, _SIGNATURE = 8, 64


@dataclass(frozen=True, slots=True)
class DetachedSignature:
    """64 bytes of Ed25519. `is_prehashed`: of the file's BLAKE2b-512, else of the file. `key_id`: 8 bytes.

    `comment`: what else is signed, together with `signature`, by `comment_signature`; both None where there is none.
    """

    key_id: bytes
    is_prehashed: bool
    signature: bytes
    comment: bytes | None = None
    comment_signature: bytes | None = None

    @property
    def signed_comment(self) -> bytes:
        """What `comment_signature` is of."""
        return self.signature + (self.comment or b"")


def detached_signature(text: bytes) -> DetachedSignature:
    """Raises VerificationError for what is none."""
    lines = [line.removesuffix(b"\r") for line in text.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) not in (_OF_SIGNIFY, _OF_MINISIGN) or not lines[0].startswith(_COMMENT):
        raise VerificationError("its signature cannot be read: the file is no signature of minisign or signify")
    octets = _octets(lines[1], 2 + _ID + _SIGNATURE)
    algorithm, key_id, signature = octets[:2], octets[2 : 2 + _ID], octets[2 + _ID :]
    if algorithm not in (b"Ed", b"ED"):
        raise VerificationError("its signature cannot be read: it is of an unknown algorithm")
    if len(lines) == _OF_SIGNIFY:
        if algorithm != b"Ed":
            raise VerificationError("its signature cannot be read: the trusted comment of minisign is missing")
        return DetachedSignature(key_id, is_prehashed=False, signature=signature)
    if not lines[2].startswith(_TRUSTED):
        raise VerificationError("its signature cannot be read: the third line is no trusted comment")
    comment = lines[2].removeprefix(_TRUSTED)
    return DetachedSignature(key_id, algorithm == b"ED", signature, comment, _octets(lines[3], _SIGNATURE))


def must_be_by(key: PublicKey, signature: DetachedSignature) -> None:
    """Raises VerificationError for the signature of another key."""
    if signature.key_id != key.key_id:
        raise VerificationError(
            f"its signature is by the key {_shown(signature.key_id)}, not by {_shown(key.key_id)}",
            "has the publisher a new key? compare it with one from another place before you change `key`",
        )


def _shown(key_id: bytes) -> str:
    """As minisign prints it."""
    return f"{int.from_bytes(key_id, 'little'):016X}"


def _octets(line: bytes, length: int) -> bytes:
    try:
        octets = b64decode(line, validate=True)
    except ValueError:
        octets = b""
    if len(octets) != length:
        raise VerificationError("its signature cannot be read: a line is not base64, or is cut")
    return octets
