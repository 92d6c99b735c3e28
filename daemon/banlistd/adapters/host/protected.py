"""The addresses of this machine and its peers that must never be banned, to prevent lock-out, and why.

What cannot be read is left out. Reads are bounded and happen in a thread.
"""

import asyncio
import ipaddress
import re
import sys
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from banlistd.adapters.host import route_netlink
from banlistd.model import Family, Protected


class HostLookup(Protocol):
    """Host names to addresses as text; a name that is not known has none. `ask` False: what is known already, at once."""

    def __call__(self, hosts: Sequence[str], *, ask: bool = True) -> Awaitable[Mapping[str, Sequence[str]]]: ...


HostAddress = tuple[bytes | str, str]
"""An address, as octets or as text, and why it is protected."""

SSH = "peer of a live SSH session"

RESOLVER_FILES = (
    "etc/resolv.conf",
    # Behind a local stub resolver these name the real ones.
    "run/systemd/resolve/resolv.conf",
    "run/NetworkManager/no-stub-resolv.conf",
)

_LARGEST_FILE = 1 << 18
_LARGEST_TABLE = 1 << 23  # some 50,000 connections
_MAX_FILES = 64
_IN_NETWORK_ORDER = -1 if sys.byteorder == "little" else 1
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_NAMESERVER = re.compile(r"^\s*nameserver\s+(\S+)", re.MULTILINE)
_PORT = re.compile(r"^\s*port[\s=]+\"?([0-9]{1,5})\b", re.MULTILINE | re.IGNORECASE)
_LISTEN = re.compile(r"^\s*listenaddress[\s=]+\"?(?:\[\S+?\]|[^\s:]+):([0-9]{1,5})\b", re.MULTILINE | re.IGNORECASE)


class LinuxHost:
    """The `Host` of ports.py. `root`: where the file system begins."""

    def __init__(self, lookup: HostLookup, environment: Mapping[str, str], root: Path = Path("/")) -> None:
        self._lookup = lookup
        self._environment = environment
        self._root = root

    async def protected(self, urls: Sequence[str], *, ask: bool = True) -> Sequence[Protected]:
        found = await asyncio.to_thread(self._local)
        feeds = hosts_of(urls)
        proxies = hosts_of([self._proxy(name) for name in _PROXIES]) if feeds else ()
        known = await self._lookup([host for host in (*feeds, *proxies) if not _is_address(host)], ask=ask)
        for hosts, kind in ((feeds, "feed"), (proxies, "proxy")):
            for host in hosts:
                found += [(address, f"host of {kind} {host}") for address in known.get(host, [host])]
        return merged(found)

    def _proxy(self, name: str) -> str:
        proxy = self._environment.get(name) or self._environment.get(name.upper(), "")
        return proxy if "://" in proxy or not proxy else f"http://{proxy}"

    def _local(self) -> list[HostAddress]:
        own = ((address, f"address of {name}") for address, name in route_netlink.interface_addresses())
        gateways = ((address, "gateway") for address in route_netlink.gateways())
        return [*_as_far_as_possible(own), *_as_far_as_possible(gateways), *self._resolvers(), *self._ssh_peers()]

    def _resolvers(self) -> Iterator[HostAddress]:
        for place in RESOLVER_FILES:
            for address in _NAMESERVER.findall(_read(self._root / place, _LARGEST_FILE)):
                yield address, "resolver"

    def _ssh_peers(self) -> Iterator[HostAddress]:
        # As sshd tells a shell: the peer's address, its port, ours. It is there where the daemon was started by hand.
        for peer in self._environment.get("SSH_CONNECTION", "").split()[:1]:
            yield peer, SSH
        for port in sorted(self._ssh_ports()):
            try:
                yield from [(peer, SSH) for peer in route_netlink.peers(port)]
            except OSError:  # a kernel without tcp_diag
                yield from self._peers_in_table(port)

    def _ssh_ports(self) -> set[int]:
        folder = self._root / "etc/ssh"
        texts = [_read(path, _LARGEST_FILE) for path in (folder / "sshd_config", *_files_in(folder / "sshd_config.d"))]
        named = (port for text in texts for port in (*_PORT.findall(text), *_LISTEN.findall(text)))
        return {22, *(int(port) for port in named if 0 < int(port) < 2**16)}

    def _peers_in_table(self, port: int) -> Iterator[HostAddress]:
        """From /proc/net/tcp and tcp6: addresses are words in the machine's order, state 01 is established."""
        for name in ("tcp", "tcp6"):
            for line in _read(self._root / "proc/thread-self/net" / name, _LARGEST_TABLE).splitlines()[1:]:
                columns = line.split(maxsplit=4)
                if len(columns) == 5 and columns[3] == "01" and columns[1].endswith(f":{port:04X}"):  # noqa: PLR2004 - proc(5)
                    words = bytes.fromhex(columns[2].partition(":")[0])
                    yield b"".join(words[at : at + 4][::_IN_NETWORK_ORDER] for at in range(0, len(words), 4)), SSH


def hosts_of(urls: Iterable[str]) -> tuple[str, ...]:
    """The host of each URL, once; one that has none is left out."""
    hosts = []
    for url in urls:
        try:
            hosts.append(urlsplit(url).hostname or "")
        except ValueError:  # a bracket without its fellow
            continue
    return tuple(dict.fromkeys(host for host in hosts if host))


def merged(found: Iterable[HostAddress]) -> Sequence[Protected]:
    """Each address once, with all its reasons, IPv4 before IPv6, in order. What is no address is left out."""
    reasons: dict[tuple[int, int], dict[str, None]] = {}
    for text, reason in found:
        try:
            address = ipaddress.ip_address(text.partition("%")[0] if isinstance(text, str) else text)
        except ValueError:
            continue
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if not address.is_unspecified:
            reasons.setdefault((address.version, int(address)), {})[reason] = None
    return tuple(
        Protected(Family.IPV4 if version == 4 else Family.IPV6, number, number, ", ".join(why))  # noqa: PLR2004 - IP version four
        for (version, number), why in sorted(reasons.items())
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _as_far_as_possible(found: Iterator[HostAddress]) -> Iterator[HostAddress]:
    try:
        yield from found
    except OSError:
        return


def _files_in(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.conf"))[:_MAX_FILES]
    except OSError:
        return []


def _read(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as file:
            return file.read(limit).decode("ascii", "replace")
    except OSError:
        return ""
