"""Every backend: what can carry the bans out, what each promises, and how it is opened.

A backend is one entry here, one module below adapters/firewalls, and one test class that inherits the contract. The tables in
banlistd(8) and packaging/docs/backends.md are generated from it.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from banlistd.model import Action, Direction


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the port's calls mean for a backend, and which actions and directions a source may have.

    `all_or_nothing`: a change is applied whole or not at all; otherwise a part of a change that fails or is killed may be
    applied, and the next `verify` finds what is missing. `contents_by_owner`: the backend knows the source of each address;
    otherwise `contents` gives every source everything. `counters`: packets are counted for each source. `tells_answers`: it
    lets pass the answers of a service at a banned address; otherwise what the host needs answers from is not banned at all.
    `shadows`: it can count the packets of a source before it blocks them. `changes_host`: it changes what other programs see,
    so that one daemon alone may use it on a host. `blocks`: it stops packets. `sees_effect`: it writes the rules itself, and
    so knows whether they are there. `logs`: packets can be logged besides what happens to them. `samples`: to an NFLOG group
    too, as `hits` needs it. `scopes`: a source may block some packets of its addresses and let others pass.
    """

    all_or_nothing: bool = True
    contents_by_owner: bool = True
    counters: bool = True
    tells_answers: bool = True
    changes_host: bool = True
    shadows: bool = True
    scopes: bool = True
    blocks: bool = True
    sees_effect: bool = True
    logs: bool = True
    samples: bool = True
    actions: AbstractSet[Action] = frozenset(Action)
    directions: AbstractSet[Direction] = frozenset(Direction)

    def exceeded_by(
        self, action: Action, direction: Direction, log: int | None = None, *, hits: bool = False
    ) -> Iterator[tuple[str, str, AbstractSet[str]]]:
        """What a source asks for beyond this: the key, its value, and the values that are possible."""
        if action not in self.actions:
            # Who wants packets written down wants nothing allowed.
            yield "action", action, self.actions - {Action.ALLOW}
        if direction not in self.directions:
            yield "direction", direction, self.directions
        if log is not None and not self.logs:
            yield "log", "log", frozenset({"no"})
        if log and not self.samples:
            yield "log_group", f"log_group {log}", frozenset({"0"})
        if hits and not self.samples:
            yield "hits", "hits", frozenset({"no"})


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a backend does things, as text for an administrator: one cell each of the table of backends."""

    change: str
    killed: str
    marker: str
    drift: str
    ranges: str
    allowlist: str
    translated: str
    services: str
    needs: str


@dataclass(frozen=True, slots=True)
class BackendKind:
    """One backend.

    `summary`: one line. `details`: what an administrator must know besides. `opener`: `module:name` of what makes a Firewall.
    `arguments`: its keyword arguments, each with the configuration key that it is taken from (dotted); what restores at boot
    takes them from the boot snapshot, which has the same names. `restores_at_boot`: it needs the kernel alone, so that
    banlistd-restore.service can restore it before the network is up.
    """

    name: str
    summary: str
    details: str
    opener: str
    behaviour: Behaviour
    capabilities: Capabilities = Capabilities()
    arguments: Mapping[str, str] = field(default_factory=dict)
    restores_at_boot: bool = False

    @property
    def keys(self) -> AbstractSet[str]:
        """The top-level configuration keys that are this backend's own."""
        return frozenset(path.partition(".")[0] for path in self.arguments.values())


class BackendName(StrEnum):
    """The name of a backend; `kind` is its declaration."""

    kind: BackendKind

    def __new__(cls, kind: BackendKind) -> Self:
        member = str.__new__(cls, kind.name)
        member._value_ = kind.name
        member.kind = kind
        return member

    NFTABLES = BackendKind(
        "nftables",
        "The default: one table, `inet banlistd`. Each change takes effect in one transaction, and drift is repaired at once.",
        "",
        "banlistd.adapters.firewalls.nftables.firewall:NftablesFirewall",
        Behaviour(
            change="one transaction; a flood of packets finds no gap",
            killed="the old or the new state, whole",
            marker="written in the same transaction",
            drift="repaired at once; the process that caused it is logged",
            ranges="kept as ranges",
            allowlist="accepted before the bans are looked up",
            translated="banned too, unless `translated: off`",
            services="banned ones reach the host with answers only",
            needs="CAP_NET_ADMIN",
        ),
        arguments={"ownership": "owner", "translated": "translated"},
        restores_at_boot=True,
    )
    IPSET = BackendKind(
        "ipset",
        "Sets of ipset(8), and rules of the host's own iptables; all names begin with `banlistd-`.",
        "It needs CAP_NET_RAW besides CAP_NET_ADMIN, and must be able to execute iptables. "
        "`banlistctl install-units --backend ipset` grants both with the file ipset.conf in banlistd.service.d and "
        "banlistd-restore.service.d below /etc/systemd/system. To go back, change the backend, restart, and remove them.",
        "banlistd.adapters.firewalls.ipset.firewall:IpsetFirewall",
        Behaviour(
            change="one call; packets see one set element after another, additions before removals",
            killed="the old or the new state, whole",
            marker="written in the same call",
            drift="repaired within 10 seconds, and within two where rules were flushed or a set emptied",
            ranges="split into networks",
            allowlist="accepted before the bans are looked up",
            translated="arrive: iptables looks up whole addresses only",
            services="banned ones reach the host with answers only",
            needs="CAP_NET_ADMIN and CAP_NET_RAW: `banlistctl install-units --backend ipset`",
        ),
        Capabilities(shadows=False, samples=False, scopes=False),
        restores_at_boot=True,
    )
    FAIL2BAN = BackendKind(
        "fail2ban",
        "A jail of fail2ban-server(1) that belongs to banlistd alone; the jail's action bans.",
        "It has neither `action: log` nor `count` nor `direction: out`, and `--restore` leaves it to the daemon, because "
        "fail2ban starts later. `banlistctl install-units --backend fail2ban` lets the group banlistd write to its socket; "
        "every process that can write to it can make fail2ban run commands as root. "
        "How to set it up, and how fail2ban's own jails can ban through banlistd: /usr/share/banlistd/fail2ban/README.md.",
        "banlistd.adapters.firewalls.fail2ban.firewall:Fail2banFirewall",
        Behaviour(
            change="one entry after another",
            killed="a part of the change; the next comparison completes it, and bans nothing twice",
            marker="a record in the jail, trusted while the jail's own counters agree; otherwise its list is compared",
            drift="bans that were added or removed: repaired within 10 seconds",
            ranges="split into networks, if the jail's action takes them",
            allowlist="carved out of the bans",
            translated="arrive: a jail bans whole addresses only",
            services="carved out of the bans, because fail2ban bans addresses wholly",
            needs="write access to fail2ban's socket, which belongs to root: `packaging/fail2ban/README.md`",
        ),
        # A jail bans addresses that packets come from; its own action says whether they are dropped or rejected.
        Capabilities(
            all_or_nothing=False,
            contents_by_owner=False,
            counters=False,
            tells_answers=False,
            sees_effect=False,
            logs=False,
            samples=False,
            scopes=False,
            actions=frozenset({Action.DROP, Action.REJECT, Action.NONE, Action.ALLOW}),
            directions=frozenset({Direction.IN}),
        ),
        arguments={"socket": "fail2ban.socket", "jail": "fail2ban.jail"},
    )
    MEMORY = BackendKind(
        "memory",
        "For trying out: bans nothing.",
        "",
        "banlistd.adapters.firewalls.memory:MemoryFirewall",
        Behaviour(
            change="one step",
            killed="nothing is left",
            marker="kept while the process lives",
            drift="no other process can change it",
            ranges="kept as ranges",
            allowlist="nothing is blocked",
            translated="nothing is banned",
            services="nothing is blocked",
            needs="nothing",
        ),
        Capabilities(counters=False, changes_host=False, blocks=False),
    )
