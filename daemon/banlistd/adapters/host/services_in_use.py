"""The services that this host needs answers from, as its files name them: resolvers, time servers, DHCP servers."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from banlistd.adapters.host.addresses import is_address
from banlistd.model import AnswerPort

ServiceAddress = tuple[str, str, tuple[AnswerPort, ...]]
"""An address as text, why it is protected, and what is needed of it."""

RESOLVER_FILES = (
    "etc/resolv.conf",
    # Behind a local stub resolver these name the real ones.
    "run/systemd/resolve/resolv.conf",
    "run/NetworkManager/no-stub-resolv.conf",
)
_TIMESYNCD = ("etc/systemd", "run/systemd")
_NTP_FILES = ("etc/chrony.conf", "etc/chrony/chrony.conf", "etc/ntp.conf", "etc/ntpsec/ntp.conf")
_NTP_FOLDERS = ("etc/chrony/conf.d", "etc/chrony/sources.d", "etc/chrony.d")
_LEASE_FOLDERS = ("run/systemd/netif/leases", "var/lib/dhcp", "var/lib/dhclient", "var/lib/NetworkManager")

_LARGEST_FILE = 1 << 18
_MAX_FILES = 64

_NAMESERVER = re.compile(r"^\s*nameserver\s+(\S+)", re.MULTILINE)
_TIMESYNCD_SERVERS = re.compile(r"^\s*(?:Fallback)?NTP\s*=\s*(.+)$", re.MULTILINE)
_NTP_SERVER = re.compile(r"^\s*(?:server|peer|pool)\s+(\S+)", re.MULTILINE)
_LEASE_SERVER = re.compile(r"^\s*(?:SERVER_ADDRESS=|option dhcp-server-identifier )([0-9.]+);?\s*$", re.MULTILINE)

# systemd-resolved asks the same resolvers over TLS if it is told to (RFC 7858).
DNS = (AnswerPort("udp", 53), AnswerPort("tcp", 53), AnswerPort("tcp", 853))
NTP = (AnswerPort("udp", 123),)
DHCP = (AnswerPort("udp", 67),)


def services_in_use(root: Path) -> Iterator[ServiceAddress]:
    """Only literal addresses. What cannot be read is left out. Blocks."""
    for place in RESOLVER_FILES:
        for address in _NAMESERVER.findall(_read(root / place)):
            yield address, "resolver", DNS
    for folder in _TIMESYNCD:
        for path in (root / folder / "timesyncd.conf", *_files_in(root / folder / "timesyncd.conf.d", "*.conf")):
            for names in _TIMESYNCD_SERVERS.findall(_read(path)):
                yield from _time_servers(names.split())
    for path in (*(root / place for place in _NTP_FILES), *_every(root, _NTP_FOLDERS, "*")):
        yield from _time_servers(_NTP_SERVER.findall(_read(path)))
    for path in _every(root, _LEASE_FOLDERS, "*"):
        for address in _LEASE_SERVER.findall(_read(path)):
            yield address, "DHCP server", DHCP


def _time_servers(names: Sequence[str]) -> Iterator[ServiceAddress]:
    return ((name, "time server", NTP) for name in names if is_address(name))


def _every(root: Path, folders: Sequence[str], pattern: str) -> list[Path]:
    return [path for folder in folders for path in _files_in(root / folder, pattern)]


def _files_in(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(path for path in folder.glob(pattern) if path.is_file())[:_MAX_FILES]
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_FILE).decode("ascii", "replace")
    except OSError:
        return ""
