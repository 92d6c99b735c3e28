"""Operators whose private keys a test has, and orders that they sign."""

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from banlistd.adapters.signatures.ed25519 import public_key_of, signature_of
from banlistd.core.config.service.orders import KnownOperator, Verb
from banlistd.core.mqtt.orders.envelope import ORDER_TYPE, Envelope, envelope_text, signed_octets
from banlistd.core.mqtt.orders.keys import key_id
from banlistd.core.mqtt.orders.order import Recipient

NODE = "node-1"
ID = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Signer:
    """`seed`: 32 octets."""

    name: str
    seed: bytes

    @property
    def public(self) -> bytes:
        return public_key_of(self.seed)

    def operator(self, *may: Verb) -> KnownOperator:
        return KnownOperator(name=self.name, key=self.public, may=may or tuple(Verb))

    def signed(self, payload: bytes, payload_type: str = ORDER_TYPE) -> bytes:
        """The envelope of any payload."""
        signature = signature_of(self.seed, signed_octets(payload_type, payload))
        return envelope_text(Envelope(payload_type, payload, key_id(self.public), signature)).encode()

    def order(self, now: float, verb: str = "ban", fields: object = None, **changed: object) -> bytes:
        """A signed order of this moment, of a minute, with some of its keys changed."""
        return self.signed(json.dumps(document(now, verb, fields, **changed)).encode())


def document(now: float, verb: str = "ban", fields: object = None, **changed: object) -> dict[str, Any]:
    """What an order says."""
    order = {
        "v": 1,
        "fleet": "home",
        "to": NODE,
        "verb": verb,
        "fields": {} if fields is None else fields,
        "id": ID,
        "iat": int(now),
    }
    return {**order, "exp": int(now) + 60, **changed}


def recipient(*operators: KnownOperator) -> Recipient:
    return Recipient(NODE, operators)


def key_text(signer: Signer) -> str:
    """The public key as a configuration has it."""
    return b64encode(signer.public).decode()


ANNA, BERT = Signer("anna", bytes(range(32))), Signer("bert", bytes(range(1, 33)))
