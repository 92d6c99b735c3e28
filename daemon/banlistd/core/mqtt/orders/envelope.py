"""DSSE: a payload of a named type, and a signature of both (secure-systems-lab/dsse, protocol.md and envelope.md).

The arithmetic is not here. Of the two encodings of base64 that DSSE permits, only the standard one in its canonical form is
read, so that one order has one form.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

from banlistd.core.mqtt.orders.strict_json import NotStrictError, exact, strict_object

ORDER_TYPE = "application/vnd.banlistd.order.v1+json"

SIGNATURE_OCTETS = 64
_LONGEST_TYPE = 200


class UnsignedError(NotStrictError):
    """There is no signature."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """`payload`: what is signed together with `payload_type`. `key_id`: names the key; only a hint. `signature`: 64 octets."""

    payload_type: str
    payload: bytes
    key_id: str
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The octets that the signature is of."""
        return signed_octets(self.payload_type, self.payload)


def signed_octets(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding (PAE) of a payload: its type and length cannot be taken for another's."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read_envelope(octets: bytes) -> Envelope:
    """Raises UnsignedError where there is no signature, and NotStrictError for anything else that is wrong."""
    document = strict_object(octets)
    if not document.get("signatures"):
        raise UnsignedError("has no signature")
    exact(document, ("payload", "payloadType", "signatures"))
    signatures, kind = document["signatures"], document["payloadType"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise NotStrictError("does not have exactly one signature")
    signature = exact(signatures[0], ("keyid", "sig"))
    if not isinstance(kind, str) or not isinstance(signature["keyid"], str) or len(kind) > _LONGEST_TYPE:
        raise NotStrictError("has no type or no key")
    octets_of_signature = _octets(signature["sig"])
    if len(octets_of_signature) != SIGNATURE_OCTETS:
        raise NotStrictError(f"has a signature that is not {SIGNATURE_OCTETS} octets long")
    return Envelope(kind, _octets(document["payload"]), signature["keyid"], octets_of_signature)


def envelope_text(envelope: Envelope) -> str:
    """The envelope as one line of JSON."""
    signature = {"keyid": envelope.key_id, "sig": b64encode(envelope.signature).decode()}
    document = {
        "payload": b64encode(envelope.payload).decode(),
        "payloadType": envelope.payload_type,
        "signatures": [signature],
    }
    return json.dumps(document, separators=(",", ":"))


def _octets(text: Any) -> bytes:
    """Of canonical base64: the unused bits of its last character are 0, and its padding is there."""
    if not isinstance(text, str):
        raise NotStrictError("has no text in base64")
    try:
        octets = b64decode(text, validate=True)
    except ValueError as error:
        raise NotStrictError("is not base64") from error
    if b64encode(octets) != text.encode("utf-8"):
        raise NotStrictError("is not canonical base64")
    return octets
