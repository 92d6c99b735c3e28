"""Connections that the kernel tracks, made in a network namespace and counted."""

import socket
import subprocess
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from banlistd.adapters.netlink.conntrack import ConnectionTable
from banlistd.core.ruleset.newly_banned import TrackedConnections
from banlistd.model import Family
from support.network_namespace import nft, settle

OURS, HOST, OTHER = "192.0.2.1", "192.0.2.2", "192.0.2.3"
OURS6, HOST6, OTHER6 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
TRACKED = """
table inet tracking {
 chain zones { type filter hook output priority raw; ip daddr 192.0.2.3 ct zone set 5; }
 chain out { type filter hook output priority 0; ct state new accept; }
}
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def track() -> None:
    """Connections of OURS with two hosts, which are addresses of this namespace as well; those with OTHER in zone 5."""
    ip("link", "set", "lo", "up")
    for address in (OURS, HOST, OTHER):
        ip("address", "add", f"{address}/32", "dev", "lo")
    for address in (OURS6, HOST6, OTHER6):
        ip("address", "add", f"{address}/128", "dev", "lo", "nodad")
    settle()
    nft("-f", "-", given=TRACKED)


def move_away(*addresses: str) -> None:
    """They are no longer addresses of this namespace, which would be protected."""
    for address in addresses:
        ip("address", "delete", address, "dev", "lo")


def talk(source: str, target: str, port: int = 9, at: tuple[str, int] | None = None) -> None:
    """A datagram whose connection the kernel remembers. `at`: where it arrives, with NAT."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as taker, socket.socket(family, socket.SOCK_DGRAM) as sender:
        taker.bind(at or (target, port))
        sender.bind((source, 0))
        taker.settimeout(1)
        for _ in range(60):  # a machine under load may lose one
            sender.sendto(b"x", (target, port))
            with suppress(TimeoutError):
                taker.recv(1)
                return
    raise TimeoutError(f"nothing arrives from {source} at {target}")


def connections_of(address: str) -> int:
    family = Family.IPV6 if ":" in address else Family.IPV4
    octets = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    wanted = octets if family is Family.IPV6 else np.uint32(int.from_bytes(octets, "big"))

    def has_end(tracked: TrackedConnections) -> NDArray[np.bool_]:
        ends = (tracked.there.source, tracked.there.target, tracked.back.source, tracked.back.target)
        matches: NDArray[np.bool_] = np.any([end == wanted for end in ends], axis=0)
        return matches

    with ConnectionTable() as table:
        return len(table.find(has_end, [family]))
