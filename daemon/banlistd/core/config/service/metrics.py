"""Where Prometheus finds the metrics."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated

from banlistd.core.config.keys import Key, Section
from banlistd.core.config.kinds import scalar
from banlistd.core.config.values import Unfit
from banlistd.core.printing import shown

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15})):([0-9]{1,5})", re.ASCII)
_PATH = re.compile(r"/[A-Za-z0-9._/-]+", re.ASCII)
_LONGEST_PATH = 107
"""Octets of a path in `sockaddr_un`, without its end (unix(7))."""
_PORTS = range(1, 65536)
_HINT = "write 127.0.0.1:9788, [::1]:9788 or /run/banlistd/metrics.sock"
_PATTERN = r"^(/[A-Za-z0-9._/-]+|\[[0-9A-Fa-f:.]+\]:[0-9]+|[0-9.]+:[0-9]+)$"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a server listens. `path`: of a unix socket; empty: TCP on `host`, an address, and `port`."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_listen(text: str) -> Listen:
    """Raises Unfit."""
    if text.startswith("/"):
        if not _PATH.fullmatch(text) or len(text) > _LONGEST_PATH:
            raise Unfit(f"{shown(text)} is not the path of a socket", f"{_LONGEST_PATH} letters, digits and ._/- at most")
        return Listen(path=text)
    match = _ADDRESS.fullmatch(text)
    try:
        host = str(ipaddress.ip_address((match[1] or match[2]) if match else text))
    except ValueError as error:
        raise Unfit(f"{shown(text)} is neither an address with a port nor a path", _HINT) from error
    if match is None or int(match[3]) not in _PORTS:
        raise Unfit(f"{shown(text)} has no port from 1 to 65535", _HINT)
    return Listen(host, int(match[3]))


_LISTEN = scalar(
    read_listen,
    {"type": "string", "pattern": _PATTERN, "examples": ["127.0.0.1:9788", "/run/banlistd/metrics.sock"]},
    "an address with a port, or the path of a unix socket",
    examples=("127.0.0.1:9788", "[::1]:9788", "/run/banlistd/metrics.sock"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics(Section):
    """Metrics and health over HTTP."""

    title = "metrics"
    intro = "These keys are set below `metrics:`. Without `listen`, nothing is served over HTTP."

    listen: Annotated[
        Listen | None,
        Key(
            _LISTEN,
            "Where `GET /metrics`, `/live`, `/ready` and `/healthz` are answered, without a "
            "password: all who can reach it can read it, names of sources included. A unix socket is open to the account and "
            "the group banlistd; the account must be able to write to its folder.",
        ),
    ] = None
