"""A broker with the configuration of mosquitto that is shipped, and the authority of its clients."""

import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiomqtt

from banlistd.adapters.mqtt.certificates import tls_context
from support.certificates import Authority
from support.mosquitto import Heard, Mosquitto, broker

SHIPPED = Path(__file__).resolve().parents[2] / "packaging/mosquitto"


@dataclass(frozen=True)
class ShippedBroker:
    mosquitto: Mosquitto
    authority: Authority
    place: Path

    @property
    def url(self) -> str:
        return f"mqtts://127.0.0.1:{self.mosquitto.port}"

    @asynccontextmanager
    async def client(self, name: str, *topics: str, id: str | None = None) -> AsyncIterator[Heard]:  # noqa: A002 - as MQTT calls it
        """Connected with a new certificate of that name. `id`: the client id; without it, any."""
        async with self.client_with(self.authority.signed(name), *topics, id=id) as heard:
            yield heard

    @asynccontextmanager
    async def client_with(
        self,
        certificate: Path | None,
        *topics: str,
        id: str | None = None,  # noqa: A002 - as MQTT calls it
        seconds: float = 60.0,
    ) -> AsyncIterator[Heard]:
        """Connected with a certificate that a test has. `seconds`: after which the attempt is given up."""
        tls = tls_context(self.authority.path, certificate, certificate)
        place, version = ("127.0.0.1", self.mosquitto.port), aiomqtt.ProtocolVersion.V5
        async with aiomqtt.Client(*place, tls_context=tls, identifier=id, timeout=seconds, protocol=version) as client:
            for topic in topics:
                await client.subscribe(topic, qos=1)
            yield Heard(client)

    def reload(self, *validity: str) -> None:
        """SIGHUP: read the list of withdrawn certificates anew. `validity`: of the list, as options of `openssl ca`."""
        self.authority.write_withdrawn(self.place / "crl.pem", *validity)
        assert self.mosquitto.process is not None
        self.mosquitto.process.send_signal(signal.SIGHUP)


@contextmanager
def shipped_broker(folder: Path, fleet: str = "home") -> Iterator[ShippedBroker]:
    """`fleet`: as its README says, in place of `home`; then with the list of withdrawn certificates, too."""
    authority = Authority.made_in(folder)
    place = folder / "broker"
    place.mkdir()
    shutil.copy(authority.path, place / "ca.pem")
    own = authority.signed("broker")
    for name in ("broker.pem", "broker.key"):
        shutil.copy(own, place / name)
    shutil.copy(SHIPPED / "acl", place / "acl")
    if fleet != "home":
        _rename_fleet(place, fleet)
    text = (SHIPPED / "banlistd.conf").read_text().replace("/etc/mosquitto/banlistd", str(place))
    assert "listener 8883\n" in text
    assert "#crlfile " in text
    if fleet != "home":
        text = text.replace("#crlfile ", "crlfile ")
        authority.write_withdrawn(place / "crl.pem")
    lines = text.replace("listener 8883\n", "").splitlines()
    with broker(folder, *lines, "user root") as mosquitto:
        yield ShippedBroker(mosquitto, authority, place)


def _rename_fleet(place: Path, fleet: str) -> None:
    """With the command that the README has."""
    (command,) = [line.strip() for line in (SHIPPED / "README.md").read_text().splitlines() if line.startswith("    sed ")]
    assert "/main/" in command
    for written, here in (
        ("/main/", f"/{fleet}/"),
        ("/usr/share/doc/banlistd/mosquitto", SHIPPED),
        ("/etc/mosquitto/banlistd", place),
    ):
        command = command.replace(written, str(here))
    subprocess.run(["sh", "-c", command], check=True)
