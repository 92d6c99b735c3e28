"""Where a server may send us. A feed must not be able to make this host talk to what only this host can reach."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urljoin, urlsplit, urlunsplit

from banlistd.core.credentials import shown_url
from banlistd.core.printing import quoted
from banlistd.errors import FetchError

MOST_REDIRECTS = 5

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})

_PORTS = {"http": 80, "https": 443}

# Where clouds keep the secrets of a machine: link-local, and what lies outside of it (AWS over IPv6, Alibaba).
_METADATA = tuple(
    ipaddress.ip_network(text) for text in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def next_url(current: str, location: str) -> str:
    """The absolute URL that a redirect leads to, without fragment and without user and password.

    Raises FetchError for one that is not followed.
    """
    refusal = f"{shown_url(current)} redirects to {quoted(location.partition('?')[0].rpartition('@')[2])}"
    try:
        parts = urlsplit(urljoin(current, location))
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise FetchError(f"{refusal}, which is no URL") from exc
    if parts.scheme not in _PORTS or not host:
        raise FetchError(f"{refusal}, which is neither http nor https")
    if urlsplit(current).scheme == "https" and parts.scheme == "http":
        raise FetchError(f"{refusal}, from https to plain http", "ask the list's publisher for an https address")
    # getaddrinfo takes 127.1 and 0x7f000001 for addresses; no honest server writes them.
    if _ends_in_a_number(host) and literal_address(host) is None:
        raise FetchError(f"{refusal}, an address in an odd form")
    netloc = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, netloc if port is None else f"{netloc}:{port}", parts.path, parts.query, ""))


def _ends_in_a_number(host: str) -> bool:
    last = host.rstrip(".").rpartition(".")[2]
    return last.isdigit() or last.lower().startswith("0x")


def same_origin(one: str, other: str) -> bool:
    """Whether secrets for `one` may be shown to `other`: same scheme, host and port (RFC 6454)."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def literal_address(host: str) -> str | None:
    """The address that a URL's host is written as, or None for a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def is_public(address: str) -> bool:
    """Whether an address is one that everybody reaches: not loopback, private, link-local, CGNAT, multicast, reserved.

    An IPv4 address inside of an IPv6 one (mapped, 6to4, NAT64) counts as that IPv4 address.
    """
    inner = _innermost(address)
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


def is_metadata(address: str) -> bool:
    """Whether an address is link-local, or where a cloud keeps a machine's secrets."""
    inner = _innermost(address)
    return any(inner in network for network in _METADATA)


def _innermost(address: str) -> _Address:
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return parsed
    if parsed in _NAT64:
        return ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF)
    # A scope (fe80::1%eth0) takes no part in containment tests.
    return parsed.ipv4_mapped or parsed.sixtofour or ipaddress.IPv6Address(int(parsed))


class Trail:
    """Which addresses one fetch may talk to, from hop to hop.

    The first hop is the administrator's own choice. After it: never link-local or metadata, and never from a public
    address to one that is not.
    """

    def __init__(self) -> None:
        self._hop = 0
        self._was_public = False

    def redirected(self) -> None:
        """The next addresses are those of another hop."""
        self._hop += 1

    def unseen(self) -> None:
        """This hop's addresses cannot be seen; it counts as public, so that nothing private may follow."""
        self._was_public = True

    def admit(self, host: str, addresses: Sequence[str]) -> frozenset[str]:
        """Those of a host's addresses that this hop may connect to, as they were given.

        Raises FetchError where none is left.
        """
        public = {address for address in addresses if is_public(address)}
        allowed = set(addresses)
        if self._hop:
            allowed = public if self._was_public else {each for each in addresses if not is_metadata(each)}
            if not allowed:
                where = quoted(", ".join(addresses))
                raise FetchError(
                    f"a redirect leads to {quoted(host)}, an address inside of the network ({where})",
                    "name the list's final address as the source's url, if that is meant",
                )
        self._was_public |= bool(public)
        return frozenset(allowed)
