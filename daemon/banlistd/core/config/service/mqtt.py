"""The broker, and what is said over it."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from banlistd.core.config import kinds, web
from banlistd.core.config.keys import Key, Section
from banlistd.core.config.kinds import scalar
from banlistd.core.config.service.orders import OrderKeys
from banlistd.core.config.values import Unfit, source_id
from banlistd.core.printing import shown

_URL = re.compile(r"(mqtts?)://(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9_.-]{1,253}))(?::([0-9]{1,5}))?/?", re.ASCII)
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_HINT = "write mqtts://broker.example:8883, or mqtt://127.0.0.1"
_PATTERN = r"^mqtts?://[A-Za-z0-9_.:\[\]-]+/?$"
_EVENTS = re.compile(r"[a-z_*?]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker listens."""

    host: str
    port: int
    has_tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.has_tls else 'mqtt'}://{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether what is sent to it stays on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def read_broker(text: str) -> Broker:
    """Raises Unfit."""
    match = _URL.fullmatch(text)
    if not match or not 0 < int(match[4] or 1) <= 65535:  # noqa: PLR2004 - the largest port
        # Not quoted: people write passwords into urls.
        raise Unfit("is not the place of a broker", _HINT)
    return Broker(match[2] or match[3], int(match[4] or _PORTS[match[1]]), match[1] == "mqtts")


def node_id(text: str) -> str:
    try:
        return source_id(text)
    except Unfit as verdict:
        raise Unfit(f"{shown(text)} is no id of a host", verdict.hint) from verdict


def event_pattern(text: str) -> str:
    if not _EVENTS.fullmatch(text):
        raise Unfit(f"{shown(text)} is no name of events", "write blocklist_import_refused, or manual_ban_*")
    return text


_BROKER = scalar(
    read_broker,
    {"type": "string", "pattern": _PATTERN, "examples": ["mqtts://broker.example:8883", "mqtt://127.0.0.1"]},
    "mqtts:// or mqtt://, a host, and a port",
    examples=("mqtts://broker.example:8883", "mqtt://127.0.0.1"),
)
_NODE = scalar(
    node_id,
    {**kinds.TEXT, "pattern": "^[a-z0-9][a-z0-9-]{0,39}$"},
    "a-z, 0-9 and hyphens, at most 40",
    show=lambda _: "",
    examples=("node-0042",),
)
_USER = scalar(
    lambda text: text, {**kinds.TEXT, "minLength": 1, "maxLength": 256}, "text", show=lambda _: "", examples=("banlistd",)
)
_EVENT_PATTERNS = kinds.many(
    scalar(
        event_pattern, {**kinds.TEXT, "pattern": "^[a-z_*?]+$"}, "names of events, with * and ?", examples=("manual_ban_*",)
    ),
    "names of events, with * and ?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttTls(Section):
    """How the broker and this host prove who they are."""

    title = "mqtt.tls"
    intro = "These keys are set below `mqtt: tls:`."

    ca: Annotated[Path | None, Key(kinds.ABSOLUTE, "A file with the certificates of the authorities that count (PEM).")] = None
    certificate: Annotated[Path | None, Key(kinds.ABSOLUTE, "A file with the certificate of this host (PEM).")] = None
    key: Annotated[str, Key(web.ONE_CREDENTIAL, "The private key of `certificate`, a credential (PEM).")] = ""

    def complaints(self) -> Iterator[tuple[str, str]]:
        if (self.certificate is None) != (not self.key):
            yield "has only one of certificate and key", "write both, or neither"


_TLS = MqttTls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mqtt(OrderKeys):
    """A broker of MQTT 5."""

    title = "mqtt"
    intro = "These keys are set below `mqtt:`. Without it, nothing is sent, and nothing of MQTT is in memory."

    broker: Annotated[
        Broker,
        Key(_BROKER, "The broker. `mqtt://` has no encryption, and goes to this machine only, unless `insecure` is set."),
    ]
    id: Annotated[
        str, Key(_NODE, "The name of this host in topics; without it, its host name, made fit. A certificate has it as its CN.")
    ] = ""
    tls: Annotated[MqttTls, Key(kinds.section(MqttTls, "mqtt-tls"), "Certificates for `mqtts://`.")] = _TLS
    user: Annotated[str, Key(_USER, "The user name at the broker.")] = ""
    password: Annotated[str, Key(web.ONE_CREDENTIAL, "The password of `user`, a credential.")] = ""
    insecure: Annotated[bool, Key(kinds.SWITCH, "Lets `mqtt://` go to another machine: everybody on the way can read it.")] = (
        False
    )
    events: Annotated[
        tuple[str, ...], Key(_EVENT_PATTERNS, "Which events are published. Those about MQTT itself never are.")
    ] = ()

    def complaints(self) -> Iterator[tuple[str, str]]:
        if not self.broker.has_tls and not self.broker.is_local and not self.insecure:
            yield f"{self.broker} is on another machine, and is not encrypted", "write mqtts://, or add insecure: yes"
        if self.broker.has_tls and self.tls.ca is None:
            yield f"{self.broker} has no ca to be checked by", "add tls: {ca: /etc/ssl/certs/ca-certificates.crt}"
        if not self.broker.has_tls and self.tls != _TLS:
            yield "tls goes with mqtts:// only", "write mqtts://, or delete it"
        if self.password and not self.user:
            yield "has a password for no user", "add user: NAME"
