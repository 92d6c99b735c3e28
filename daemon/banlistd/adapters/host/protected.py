"""Whom this machine must stay able to talk to, and why: what it is itself, and which services it uses.

What cannot be read is left out. Reads are bounded and happen in a thread.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from banlistd.adapters.host import route_netlink, wireguard
from banlistd.adapters.host.addresses import is_address, read_span
from banlistd.adapters.host.route_netlink import InterfaceAddress, Routes, name_of
from banlistd.adapters.host.services_in_use import services_in_use
from banlistd.core.ruleset.protection import merge_protected
from banlistd.model import AnswerPort, Protected, Span


class HostLookup(Protocol):
    """Host names to addresses as text; a name that is not known has none. `ask` False: what is known already, at once."""

    def __call__(self, hosts: Sequence[str], *, ask: bool = True) -> Awaitable[Mapping[str, Sequence[str]]]: ...


PAUSES = 50
"""Tunnels are looked for again after as many times the time that it took."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_PORTS = {"http": 80, "https": 443}


class LinuxHost:
    """The `Host` of `ports`, without logins. `root`: where the file system begins."""

    def __init__(self, lookup: HostLookup, environment: Mapping[str, str], root: Path = Path("/")) -> None:
        self._lookup = lookup
        self._environment = environment
        self._root = root
        # While an uplink is down there may be no default route; the networks inside stay what they were.
        self._outside: frozenset[int] = frozenset()
        # A read may fail on a busy machine. Then what was read last counts: an address must not lose its protection by that.
        self._read: tuple[Sequence[InterfaceAddress], Routes] = (), Routes()
        self._tunnels: Sequence[tuple[str, bytes]] = ()
        self._next_tunnels = 0.0
        self._endpoints: Sequence[tuple[str, bytes, int]] = ()

    async def protected(self, urls: Sequence[str], *, ask: bool = True) -> Sequence[Protected]:
        found = await asyncio.to_thread(self._local)
        feeds = ports_by_host(urls)
        proxies = ports_by_host([self._proxy(name) for name in _PROXIES]) if feeds else {}
        known = await self._lookup([host for host in {**feeds, **proxies} if not is_address(host)], ask=ask)
        for hosts, kind in ((feeds, "feed"), (proxies, "proxy")):
            for host, answers in hosts.items():
                for address in known.get(host, [host] if is_address(host) else ()):
                    found += _learned(address, f"host of {kind} {host}", answers)
        return merge_protected(found)

    def _proxy(self, name: str) -> str:
        proxy = self._environment.get(name) or self._environment.get(name.upper(), "")
        return proxy if "://" in proxy or not proxy else f"http://{proxy}"

    def _local(self) -> list[Protected]:
        found: list[Protected] = []
        with suppress(OSError):
            self._read = list(route_netlink.interface_addresses()), route_netlink.routes()
        addresses, routes = self._read
        self._outside = routes.outside or self._outside
        for item in addresses:
            found += _of_host(read_span(item.address), f"address of {name_of(item.interface)}")
        for gateway in routes.gateways:
            found += _of_host(read_span(gateway), "gateway")
        found += _networks(addresses, routes, self._outside)
        # Its packets have no ports that would tell them apart (GRE, IPIP): everything passes from there, as from a gateway.
        for name, remote in self._tunnels_now():
            found += _learned(remote, f"remote of tunnel {name}", ())
        for address, reason, answers in services_in_use(self._root):
            found += _learned(address, reason, answers)
        with suppress(OSError):
            self._endpoints = list(wireguard.endpoints())
        for name, octets, port in self._endpoints:
            found += _learned(octets, f"WireGuard endpoint of {name}", (AnswerPort("udp", port),))
        return found

    def _tunnels_now(self) -> Sequence[tuple[str, bytes]]:
        """Not read each time: of 800 links, as a host of containers has, the kernel takes 30 ms to tell (measured)."""
        began = time.monotonic()
        if began >= self._next_tunnels:
            with suppress(OSError):
                self._tunnels = list(route_netlink.tunnels())
            self._next_tunnels = began + PAUSES * (time.monotonic() - began)
        return self._tunnels


def _networks(addresses: Sequence[InterfaceAddress], routes: Routes, outside: frozenset[int]) -> Iterator[Protected]:
    """The networks inside: on the interfaces that do not lead to the rest of the world. None where that is not known."""
    if not outside:
        return
    for network in routes.delegated:
        yield from _of_host(read_span(*network), "delegated prefix")
    on_link = [*((item.interface, item.network) for item in addresses), *routes.on_link]
    for index, network in on_link:
        if index not in outside and index != route_netlink.LOOPBACK and network.bits < 8 * len(network.address):
            yield from _of_host(read_span(*network), f"network of {name_of(index)}")


def _of_host(span: Span | None, reason: str) -> Iterator[Protected]:
    if span is not None:
        yield Protected(*span, reason)


def _learned(address: bytes | str, reason: str, answers: tuple[AnswerPort, ...]) -> Iterator[Protected]:
    span = read_span(address)
    if span is not None:
        yield Protected(*span, reason, learned=True, answers=answers)


def ports_by_host(urls: Iterable[str]) -> Mapping[str, tuple[AnswerPort, ...]]:
    """The host of each URL, once, and the ports of its service; a URL without a host is left out."""
    hosts: dict[str, tuple[AnswerPort, ...]] = {}
    for url in urls:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme, 443)
        except ValueError:  # a bracket without its fellow, or no port
            continue
        if host:
            hosts[host] = tuple(dict.fromkeys((*hosts.get(host, ()), AnswerPort("tcp", port))))
    return hosts
