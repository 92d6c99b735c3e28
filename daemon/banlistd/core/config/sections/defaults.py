"""The configuration's `defaults:`: the values of every source that does not set its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from banlistd.core.config import kinds
from banlistd.core.config.keys import Key, Section
from banlistd.core.config.problems import Spot
from banlistd.core.config.reading.scoping import CONNECTIONS, INTERFACES, PORTS, PROTOCOL_NAMES, ConnectionChoice
from banlistd.core.config.sections.guards import Guards
from banlistd.model import Action, Direction
from banlistd.scopes.scope import Ports, Scope, scope_of

_GUARDS = Guards()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults(Section):
    """The values of every source that does not set its own."""

    title = "defaults"
    intro = "These keys may be set below `defaults:`, or for one source."

    every: Annotated[
        float,
        Key(
            kinds.EVERY,
            "The poll interval of the list, or a time of each day: then it is polled within five minutes after that time.",
        ),
    ] = 3600.0
    action: Annotated[
        Action,
        Key(
            kinds.ACTION,
            "What happens to a packet of a banned address. `log` and `count` let it pass, and write it down or count it. "
            "`none`: nothing of the list is in the firewall; it is polled, guarded and kept for sources that are made of it. "
            "`allow`: no source bans what is on the list, see `allow`.",
        ),
    ] = Action.DROP
    shadow: Annotated[
        float | None,
        Key(
            kinds.duration_between("1m", "365d"),
            "With `action: count`: for this time, packets are counted also where another source bans their addresses. So the "
            "counter says what the list would drop beside the others: `banlistctl promote`. The time begins when the daemon "
            "first has the key; each packet costs one more lookup until it ends.",
        ),
    ] = None
    direction: Annotated[Direction, Key(kinds.DIRECTION, "`in`: packets from banned addresses. `out`: packets to them.")] = (
        Direction.IN
    )
    interfaces: Annotated[
        tuple[str, ...],
        Key(
            INTERFACES,
            "nftables: only packets that come in there are banned or, of the direction `out`, those that leave there. Others "
            "pass.",
        ),
    ] = ()
    except_interfaces: Annotated[
        tuple[str, ...], Key(INTERFACES, "nftables: packets that come in there, or leave there, pass.")
    ] = ()
    ports: Annotated[
        Ports,
        Key(
            PORTS,
            "nftables: only packets to these ports are banned, of TCP and UDP or of `protocols`. A port that the host "
            "publishes for a guest is the one that the packet has when it arrives.",
        ),
    ] = ()
    protocols: Annotated[tuple[str, ...], Key(PROTOCOL_NAMES, "nftables: only packets of these protocols are banned.")] = ()
    connections: Annotated[
        ConnectionChoice,
        Key(
            CONNECTIONS,
            "nftables: with `new`, what answers a connection that this host or a guest has opened passes; the rest is banned. "
            "It needs connection tracking.",
        ),
    ] = ConnectionChoice.ALL
    log: Annotated[
        bool,
        Key(
            kinds.SWITCH,
            "Whether packets are written to the kernel log too, whatever happens to them: at most 5 a second of each source, "
            "with the prefix `banlistd` and its id. Below `defaults:` it is for manual bans as well.",
        ),
    ] = False
    log_group: Annotated[
        int,
        Key(
            kinds.whole(0, 65535),
            "nftables: the NFLOG group that gets what is logged, for a program such as ulogd; 0: the kernel log.",
        ),
    ] = 0
    hits: Annotated[
        bool,
        Key(
            kinds.SWITCH,
            "nftables: whether packets are sampled, at most 10 a second, so that `banlistctl hits` says which connection met "
            "which entry of which version of the list. Below `defaults:` it is for manual bans as well.",
        ),
    ] = False
    ttl: Annotated[
        float | None,
        Key(
            kinds.duration_between("1m", "365d"),
            "How long an address stays banned after the list last named it. Without it, its ban ends with the list that is "
            "without it. While the list cannot be fetched, nothing leaves it; see `on_stale`.",
        ),
    ] = None
    history: Annotated[
        float,
        Key(
            kinds.time_or_off("1h", "365d"),
            "How long the versions of the list are kept after they were replaced, for `check --at`, `diff` and `rollback`. "
            "`off`: none is kept.",
        ),
    ] = 30 * 86400.0
    # A list of 1,000,000 of which 1 % changes takes 51 kB a version (measured), so these are some 160 of them.
    history_size: Annotated[
        int, Key(kinds.size_at_least("4kB"), "What the versions of the list may take, compressed; the oldest go first.")
    ] = 8 * 2**20
    two_miss: Annotated[
        bool,
        Key(
            kinds.SWITCH,
            "An address leaves only after two successful polls without it, for a list that loses entries now and then. It does "
            "not go with `ttl`, nor with `merge` and `intersect`.",
        ),
    ] = False
    timeout: Annotated[float, Key(kinds.duration_between("1s", "1h"), "The time limit for a whole download.")] = 60.0
    # Three million addresses are 45 MB; a body without an end costs 55 MB of memory until it is refused (measured).
    max_bytes: Annotated[int, Key(kinds.size_at_least("1kB"), "The largest list, before and after decompression.")] = 48 * 2**20
    guards: Annotated[
        Guards, Key(kinds.section(Guards, "guards"), "Bounds beyond which a list is refused; the last good version stays.")
    ] = _GUARDS

    @property
    def scope(self) -> Scope | None:
        """Which packets a source that blocks takes; None: all."""
        only_new = self.connections is ConnectionChoice.NEW
        conditions = self.interfaces, self.except_interfaces, self.ports, self.protocols
        return scope_of(*conditions, only_new=only_new) if self.action.blocks else None

    @property
    def logged_to(self) -> int | None:
        """The NFLOG group that gets packets besides what `action` does; 0: the kernel log, None: none."""
        return self.log_group if self.log or (self.action is Action.LOG and self.log_group) else None


def check_shadow(own: Mapping[str, object], action: object, spot: Spot, *, possible: bool) -> None:
    """What is wrong with `shadow` of a source. `own`: as it is written. `possible`: whether the backend can do it."""
    if "shadow" not in own:
        return
    if action is not Action.COUNT:
        spot.at("shadow").wrong("goes with action: count only", "a source that blocks counts what it drops: delete the line")
    elif not possible:
        spot.at("shadow").wrong("is not possible with this backend", "write backend: nftables, or delete the line")
