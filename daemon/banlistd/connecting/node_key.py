"""The key with which a node of a fleet signs; one that cannot be read is tried again after a pause that grows."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from banlistd.adapters.fetch.credentials import read_credential
from banlistd.adapters.signatures.ed25519 import public_key_of, signature_of
from banlistd.application import Application
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.credentials import credential_names
from banlistd.core.mqtt.orders.envelope import Envelope, envelope_text, signed_octets
from banlistd.core.mqtt.orders.keys import key_id, private_key
from banlistd.errors import BanlistdError
from banlistd.paths import Paths
from banlistd.services.loops.faults import FaultRecorder

FIRST_PAUSE, LONGEST_PAUSE = 15.0, 600.0
"""Seconds between two attempts."""


@dataclass(frozen=True, slots=True)
class NodeKey:
    """`id`: names the key. `seed`: the private half."""

    id: str
    seed: bytes = field(repr=False)

    def sealed(self, kind: str, payload: bytes) -> bytes:
        """The signed message of a payload of this type."""
        signature = signature_of(self.seed, signed_octets(kind, payload))
        return envelope_text(Envelope(kind, payload, self.id, signature)).encode()


class NodeKeyReading:
    """`came`: called with a key that could be read only later."""

    def __init__(self, application: Application, places: Paths, came: Callable[[NodeKey], None]) -> None:
        self._application = application
        self._places = places
        self._came = came
        self._trying: asyncio.Task[None] | None = None

    def follow(self, fleet: Fleet | None) -> NodeKey | None:
        """The key that this configuration wants; None: it wants none, or the key cannot be read yet."""
        self._application.broker.key_fault = ""
        if self._trying is not None:
            self._trying.cancel()
            self._trying = None
        if fleet is None or not fleet.node_key:
            return None
        key = self._read(fleet)
        if key is None:
            self._trying = asyncio.ensure_future(self._try_again(fleet))
        return key

    async def end(self) -> None:
        """Try no more."""
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.gather(self._trying, return_exceptions=True)

    def _read(self, fleet: Fleet) -> NodeKey | None:
        record = self._application.broker
        try:
            seed = private_key(read_credential(self._places.credentials, *credential_names(fleet.node_key)))
            key = NodeKey(key_id(public_key_of(seed)), seed)
        except BanlistdError as error:
            if str(error) != record.key_fault:
                record.key_fault = str(error)
                FaultRecorder(self._application.announcer).record(error)  # state, orders and lists pass all the same
            return None
        record.key_fault = ""
        return key

    async def _try_again(self, fleet: Fleet) -> None:
        pause = FIRST_PAUSE
        while True:
            await asyncio.sleep(pause)
            if key := self._read(fleet):
                self._came(key)
                return
            pause = min(pause * 2, LONGEST_PAUSE)
