"""Keys of a fleet: their public halves as lines of text, and signers of TUF's metadata out of the private ones."""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import NoReturn

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import KEY_FOR_TYPE_AND_SCHEME, Key, SecretsHandler, Signature, Signer, SSlibKey

from banlistd.adapters.signatures.ed25519 import is_signed_by, public_key_of, signature_of
from banlistd.core.printing import printable, shown
from banlistd.errors import UsageError

NAME_FIELD = "x-banlistd-name"
"""Where the name of a key is in the metadata; TUF keeps fields that it does not know."""

KIND = "ed25519"
KEY_OCTETS, _SIGNATURE = 32, 64
"""Bytes (RFC 8032)."""

_WORDS = 3
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FleetKey:
    """`name`: for people: a-z, 0-9 and hyphens. `octets`: 32 bytes."""

    name: str
    octets: bytes

    @property
    def id(self) -> str:
        """64 hex digits, as TUF makes them of keys."""
        value = {"keytype": KIND, "scheme": KIND, "keyval": {"public": self.octets.hex()}}
        return sha256(str(encode_canonical(value)).encode()).hexdigest()

    @property
    def in_metadata(self) -> "OpensslKey":
        return OpensslKey(self.id, KIND, KIND, {"public": self.octets.hex()}, {NAME_FIELD: self.name})

    @property
    def line(self) -> str:
        """The text of a .pub file."""
        return f"{KIND} {b64encode(self.octets).decode()} {self.name}\n"


class OpensslKey(SSlibKey):
    """A public key whose signatures libcrypto verifies: it is there wherever Python is, and 50 times as fast as TUF's own."""

    def verify_signature(self, signature: Signature, data: bytes) -> None:
        from securesystemslib.exceptions import UnverifiedSignatureError  # noqa: PLC0415 - only the name of an error

        try:
            octets, key = bytes.fromhex(signature.signature), bytes.fromhex(self.keyval["public"])
        except ValueError:
            octets, key = b"", b""
        if len(octets) != _SIGNATURE or not is_signed_by(key, octets, data):
            raise UnverifiedSignatureError(f"the signature by {key_label(self)} is wrong")


class SeedSigner(Signer):
    """Signs with a private key of 32 bytes that is in memory."""

    def __init__(self, key: FleetKey, seed: bytes) -> None:
        self._key = key
        self._seed = seed

    @property
    def public_key(self) -> Key:
        return self._key.in_metadata

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None) -> NoReturn:  # noqa: ARG003 - securesystemslib's own parameters
        raise UsageError(f"the key {key_label(public_key)} has no address", "name the file that has it")

    def sign(self, payload: bytes) -> Signature:
        return Signature(self._key.id, signature_of(self._seed, payload).hex())


def signer_of(seed: bytes) -> SeedSigner:
    """Raises VerificationError without libcrypto."""
    return SeedSigner(FleetKey("signer", public_key_of(seed)), seed)


def read_key_line(text: str, place: str) -> FleetKey:
    """Read the text of a .pub file. Raises UsageError, which names `place`."""
    words = text.split()
    if len(words) != _WORDS or words[0] != KIND:
        raise UsageError(f"{place} is no public key of a fleet", "banlistctl fleet new-key FILE writes one to FILE.pub")
    try:
        octets = b64decode(words[1], validate=True)
    except ValueError:
        octets = b""
    if len(octets) != KEY_OCTETS:
        raise UsageError(f"{place} is no public key of Ed25519", "banlistctl fleet new-key FILE writes one to FILE.pub")
    return FleetKey(key_name(words[2]), octets)


def key_name(text: str) -> str:
    """Raises UsageError."""
    if not _NAME.fullmatch(text):
        raise UsageError(f"{shown(text)} is no name of a key", "a-z, 0-9 and hyphens, at most 40, no hyphen first")
    return text


def key_label(key: Key) -> str:
    """The name that the metadata gives, or the first digits of its id."""
    name = key.unrecognized_fields.get(NAME_FIELD)
    return name if isinstance(name, str) and _NAME.fullmatch(name) else printable(key.keyid[:16])


def use_openssl() -> None:
    """From now on, metadata that is read gets OpensslKey for its keys of Ed25519."""
    KEY_FOR_TYPE_AND_SCHEME[KIND, KIND] = OpensslKey
