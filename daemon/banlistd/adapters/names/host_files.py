"""Which names the host asks name servers for, as its own files say: nsswitch.conf, hosts and resolv.conf. Root writes them."""

from dataclasses import dataclass
from pathlib import Path

SWITCH, HOSTS, SERVERS = "/etc/nsswitch.conf", "/etc/hosts", "/etc/resolv.conf"

RESOLVED = "/run/systemd/resolve/stub-resolv.conf"
"""Of systemd-resolved: its own listener (127.0.0.53), through which a TTL can be had where nsswitch.conf names `resolve`."""

_OF_NAME_SERVERS = ("dns", "resolve")
_OF_ITS_OWN_NAMES = ("files", "myhostname", "mymachines")
"""Services that know a few names of the host and of its containers. mDNS, too, knows only names of its own: `.local`."""

_WITHOUT_FILE = ("files", "dns")
"""What the C library does without nsswitch.conf."""

_LARGEST = 16 * 2**20


@dataclass(frozen=True, slots=True)
class HostRules:
    """`first`: the services that are asked before name servers; None: name servers are not asked at all. `hosts`: the text of
    /etc/hosts, in small letters, where it comes before them; else empty. `servers`: the resolv.conf that counts.
    """

    first: tuple[str, ...] | None
    hosts: str
    servers: str

    def is_for_name_servers(self, name: str) -> bool:
        """Whether name servers are the first that know of a name; `name`: small letters, no dot at its end."""
        if self.first is None or any(not _knows_only_its_own(service) for service in self.first):
            return False
        last = name.rpartition(".")[2]
        if last in (name, "local", "localhost"):
            return False
        return name not in self.hosts or not _is_listed(name, self.hosts)


def read_rules(switch: str = SWITCH, hosts: str = HOSTS, servers: str = SERVERS, resolved: str = RESOLVED) -> HostRules:
    """The rules of this moment. A file that cannot be read counts as one that is not there."""
    services = switch_services(_text(switch))
    places = [place for place, service in enumerate(services) if service in _OF_NAME_SERVERS]
    if not places:
        return HostRules(None, "", servers)
    first = services[: places[0]]
    by_resolved = services[places[0]] == "resolve"
    # systemd-resolved reads /etc/hosts itself.
    has_hosts = "files" in first or by_resolved
    listens = by_resolved and Path(resolved).exists()
    return HostRules(first, _text(hosts).lower() if has_hosts else "", resolved if listens else servers)


def switch_services(switch: str) -> tuple[str, ...]:
    """The services of the line `hosts:`, without what is in brackets."""
    for line in switch.splitlines():
        database, colon, services = line.partition("#")[0].partition(":")
        if colon and database.strip() == "hosts":
            outside = services.replace("[", " [").replace("]", "] ").split()
            return tuple(_without_brackets(outside))
    return _WITHOUT_FILE


def _without_brackets(words: list[str]) -> list[str]:
    found, inside = list[str](), False
    for word in words:
        inside = inside or word.startswith("[")
        found += [] if inside else [word]
        inside = inside and not word.endswith("]")
    return found


def _knows_only_its_own(service: str) -> bool:
    return service in _OF_ITS_OWN_NAMES or service.startswith("mdns")


def _is_listed(name: str, hosts: str) -> bool:
    return any(name in line.partition("#")[0].split()[1:] for line in hosts.splitlines() if name in line)


def _text(path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST)
    except OSError:
        return ""
