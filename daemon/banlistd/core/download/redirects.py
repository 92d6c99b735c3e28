"""Where a server may send us. A feed must not be able to make this host talk to what only this host can reach."""

import ipaddress
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit, urlunsplit

from banlistd.core.credentials import shown_url
from banlistd.core.download.reachability import is_metadata, is_public
from banlistd.core.printing import quoted
from banlistd.errors import FetchError

MAX_REDIRECTS = 5

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})

_PERMANENT = frozenset({301, 308})

_PORTS = {"http": 80, "https": 443}


def next_url(current: str, location: str) -> str:
    """The absolute URL that a redirect, or the link to a next page, leads to, without fragment and without user and password.

    Raises FetchError for one that is not followed.
    """
    refusal = f"{shown_url(current)} leads to {quoted(location.partition('?')[0].rpartition('@')[2])}"
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


class Trail:
    """Which addresses one fetch may talk to, from hop to hop.

    The first hop may be any address that the administrator writes, and for a name any that is neither link-local nor a cloud's
    metadata service. After it: never those two, and never from a public address to one that is not. `public_only`: no hop at
    all leads to an address that is not public.
    """

    def __init__(self, *, public_only: bool = False) -> None:
        self._hop = 0
        self._public_only = public_only
        self._was_public = False
        self._is_permanent = True
        self._moved_to = ""

    @property
    def moved_to(self) -> str:
        """Where the redirects for good lead that come before any other; empty without one."""
        return self._moved_to

    def copy(self) -> "Trail":
        """The same way, for another try."""
        trail = Trail(public_only=self._public_only)
        trail._hop, trail._was_public = self._hop, self._was_public
        trail._is_permanent, trail._moved_to = self._is_permanent, self._moved_to
        return trail

    def continued(self) -> "Trail":
        """The way to what a server named in an answer at the end of this way."""
        trail = self.copy()
        trail.answered(HTTPStatus.OK)
        trail.redirected("")
        return trail

    def answered(self, status: int) -> None:
        """This hop redirects with that status."""
        self._is_permanent = self._is_permanent and status in _PERMANENT

    def redirected(self, url: str) -> None:
        """The next addresses are those of another hop, which this URL is for."""
        self._hop += 1
        if self._is_permanent:
            self._moved_to = url

    def unseen(self) -> None:
        """This hop's addresses cannot be seen; it counts as public, so that nothing private may follow.

        Raises FetchError where every address must be seen.
        """
        if self._public_only:
            hint = "name the host in no_proxy, or delete public_only of the source"
            raise FetchError("a proxy resolves the server's name, so public_only cannot be checked", hint)
        self._was_public = True

    def admit(self, host: str, addresses: Sequence[str]) -> frozenset[str]:
        """Those of a host's addresses that this hop may connect to, as they were given.

        Raises FetchError where none is left.
        """
        public = {address for address in addresses if is_public(address)}
        if self._public_only or (self._hop and self._was_public):
            allowed = public
        elif self._hop or literal_address(host) is None:
            allowed = {address for address in addresses if not is_metadata(address)}
        else:
            allowed = set(addresses)
        if not allowed:
            raise self._refusal(host, addresses)
        self._was_public |= bool(public)
        return frozenset(allowed)

    def _refusal(self, host: str, addresses: Sequence[str]) -> FetchError:
        where = quoted(", ".join(addresses))
        if self._hop:
            message = f"a redirect leads to {quoted(host)}, an address inside of the network ({where})"
            hint = "name the list's final address as the source's url, if that is meant"
        elif self._public_only:
            message = f"{quoted(host)} is not a public address ({where})"
            hint = "delete public_only of the source, if that is meant"
        else:
            message = f"{quoted(host)} is a link-local or cloud metadata address ({where})"
            hint = "write the address itself in the source's url, if that is meant"
        return FetchError(message, hint)
