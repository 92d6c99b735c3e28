"""The rules that look into the sets, as lines for iptables. Pure: sources in, lines out.

Rules that drop, log or count inbound packets are in table raw, before connection tracking. Only table filter has REJECT,
so a source that rejects counts in raw and lets the packet continue; at the head of INPUT and FORWARD a rule rejects each packet
that is in a blocking set. Packets to drop never get there. Outbound packets are looked up in filter (OUTPUT, FORWARD).

A set contains all sources of its kind; rules ask for the mark only of a packet in the set, so an unbanned packet costs the
same with 1 source or 100. *Measured*, 1,000,000 hosts and 20,000 networks of 20 sources, thousands of packets a second that
pass, and that are dropped: a set for each source 73 and 185; one set whose elements have the mark as `skbinfo`, which only
table mangle can read, behind connection tracking, 192 and 217; one set, mark as packet counter, in raw, 202 and 226. It also
changes no packet's mark. No other rule may match these sets without `! --update-counters`.

A line contains only numbers, fixed strings, and source ids that are validated here again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from banlistd.adapters.firewalls.ipset.sets import ALLOWED, PREFIX, SERVICES, set_of
from banlistd.core.ruleset.kernel_parts import KernelPart, RefusedRule, logged_to
from banlistd.core.ruleset.state import HOOKS_BY_DIRECTION, Hook, Kind, MapId, hooks_of, hooks_used
from banlistd.errors import FirewallError
from banlistd.model import Action, Direction, Family, Mark, SourceId, SourceSlot

RAW, FILTER = "raw", "filter"

IN = f"{PREFIX}in"
OUT = f"{PREFIX}out"
REFUSED = f"{PREFIX}refused"
_REFUSAL = f"{PREFIX}refusal"
_FROM = f"{PREFIX}from-"

_SOURCE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LARGEST_MARK = 0xFFFF
# Up to so many sources are matched one by one; with more, rules find the group first.
_GROUP = 16
# As for nftables: in a flood a few log lines say enough.
_LOG_LIMIT = "-m limit --limit 5/sec --limit-burst 20"
# The limit of LOG in octets (struct xt_log_info: 30 with the NUL).
_LONGEST_PREFIX = 29
_UNCOUNTED = "! --update-counters"
_REJECT: Mapping[Family, str] = {
    Family.IPV4: "-j REJECT --reject-with icmp-admin-prohibited",
    Family.IPV6: "-j REJECT --reject-with icmp6-adm-prohibited",
}
# What the kernel answers for us goes to an address that may be banned outbound too.
_REFUSAL_LEAVES: Mapping[Family, str] = {
    Family.IPV4: "-p icmp -m icmp --icmp-type 3/13 -m addrtype --src-type LOCAL -j RETURN",
    Family.IPV6: "-p ipv6-icmp -m icmp6 --icmpv6-type 1/1 -m addrtype --src-type LOCAL -j RETURN",
}

REFUSED_RULES: Mapping[KernelPart, RefusedRule] = {
    KernelPart.REJECT: RefusedRule("-j REJECT", "ipt_REJECT, ip6t_REJECT or nft_compat"),
    KernelPart.LOG: RefusedRule("-m limit -j LOG", "xt_LOG, xt_limit or nft_compat"),
}
"""What may be refused, and what a source does without."""

Chains = Mapping[str, tuple[str, ...]]


def chain_of(mark: Mark) -> str:
    """The chain of a source. An id may be longer than a chain's name (28 characters), so the comments contain it."""
    number = int(mark)
    if not 0 < number <= _LARGEST_MARK:
        raise FirewallError(f"{number} cannot be a mark", "marks are 1 to 65,535")
    return f"{_FROM}{number}"


def mark_of(chain: str) -> Mark | None:
    """The inverse of `chain_of`; None for a chain that is not a source's."""
    number = chain.removeprefix(_FROM)
    return Mark(int(number)) if chain.startswith(_FROM) and number.isascii() and number.isdecimal() else None


def jumps_of(sources: Sequence[SourceSlot]) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """By table and built-in chain: our chains that its first rules jump to, in order."""
    hooks = set(hooks_used(sources))
    refused = (REFUSED,) if _rejects(sources) else ()
    out = (OUT,) if hooks & {Hook.OUT, Hook.WATCH_OUT} else ()
    return {RAW: {"PREROUTING": (IN,)}, FILTER: {"INPUT": refused, "FORWARD": (*refused, *out), "OUTPUT": out}}


def chains_of(sources: Sequence[SourceSlot], family: Family) -> Mapping[str, Chains]:
    """By table: all our chains with their rules."""
    raw = _lookups(IN, Direction.IN, sources, family)
    raw |= {chain_of(owner.mark): _answer(owner, Direction.IN, family) for owner in _looking(sources, Direction.IN)}
    filtering: dict[str, tuple[str, ...]] = {}
    if _rejects(sources):
        filtering[REFUSED] = (
            *_exempt("-i", "src", family),
            *(f"{_match(MapId(Hook.IN, kind, family), 'src')} -g {_REFUSAL}" for kind in Kind),
        )
        filtering[_REFUSAL] = (*_services(Direction.IN, family), _REJECT[family])
    if OUT in jumps_of(sources)[FILTER]["OUTPUT"]:
        lookups = _lookups(OUT, Direction.OUT, sources, family)
        lookups[OUT] = (*((_REFUSAL_LEAVES[family],) if _rejects(sources) else ()), *lookups[OUT])
        filtering |= lookups
        out = _looking(sources, Direction.OUT)
        filtering |= {chain_of(owner.mark): _answer(owner, Direction.OUT, family) for owner in out}
    return {RAW: raw, FILTER: filtering}


def order_of(sources: Sequence[SourceSlot]) -> tuple[str, str]:
    """The order in which tables change: a source that changes from drop to reject must reject before it stops to drop."""
    return (FILTER, RAW) if _rejects(sources) else (RAW, FILTER)


def _looking(sources: Iterable[SourceSlot], direction: Direction) -> list[SourceSlot]:
    return [owner for owner in sources if owner.direction in (direction, Direction.BOTH)]


def _rejects(sources: Iterable[SourceSlot]) -> bool:
    return any(owner.action is Action.REJECT and owner.direction is not Direction.OUT for owner in sources)


def _lookups(chain: str, direction: Direction, sources: Sequence[SourceSlot], family: Family) -> dict[str, tuple[str, ...]]:
    """The chain that looks a packet up, and for each set the chain that finds the source.

    First the allowed networks; single addresses before networks; blocking sets before watching ones.
    """
    side, interface = ("src", "-i") if direction is Direction.IN else ("dst", "-o")
    rules = [*_exempt(interface, side, family)]
    chains: dict[str, tuple[str, ...]] = {}
    for hook in (HOOKS_BY_DIRECTION[direction][blocks][0] for blocks in (True, False)):
        if hook not in hooks_used(sources):
            continue
        owners = [owner for owner in sources if hook in hooks_of(owner)]
        for kind in Kind:
            found = f"{PREFIX}{hook}-{kind}"
            map_id = MapId(hook, kind, family)
            rules.append(f"{_match(map_id, side)} -g {found}")
            blocks = hook is HOOKS_BY_DIRECTION[direction][True][0]
            chains |= _dispatch(found, _match(map_id, side), owners, blocks=blocks)
            chains[found] = (*(_services(direction, family) if blocks else ()), *chains[found])
    return {chain: tuple(rules), **chains}


def _exempt(interface: str, side: str, family: Family) -> tuple[str, ...]:
    """Rules that exempt the loopback interface and the allowed networks."""
    return (f"{interface} lo -j RETURN", f"-m set --match-set {ALLOWED[family]} {side} -j RETURN")


def _services(direction: Direction, family: Family) -> tuple[str, ...]:
    """Rules that let pass what services answer to this host, and what this host asks them; for packets that are to be banned.

    An answer is addressed to this host, or to many, and opens no connection: every packet of TCP but the first has ACK or RST
    (RFC 9293 3.10.7).
    """
    neighbours = _NEIGHBOURS[direction] if family is Family.IPV6 else ()
    if direction is Direction.OUT:
        return (f"-m addrtype --src-type LOCAL -m set --match-set {SERVICES[family]} dst,dst -j RETURN", *neighbours)
    services = f"{_FOR_THIS_HOST[family]} -m set --match-set {SERVICES[family]} src,src -j RETURN"
    return (f"-p tcp -m tcp ! --tcp-flags ACK,RST NONE {services}", f"! -p tcp {services}", *neighbours)


# Neighbour discovery passes as ARP does, which no rule sees: a router may solicit from any of its addresses (RFC 4861 7.2.2).
_NEIGHBOURS: Mapping[Direction, tuple[str, ...]] = {
    Direction.IN: tuple(
        f"-p ipv6-icmp -m icmp6 --icmpv6-type {kind} -m addrtype --dst-type {target} -j RETURN"
        for kind in (135, 136)
        for target in ("LOCAL", "MULTICAST")
    ),
    Direction.OUT: ("-p ipv6-icmp -m icmp6 --icmpv6-type 136 -m addrtype --src-type LOCAL -j RETURN",),
}

# For IPv6 the kernel calls every address of one host UNICAST, its own too (net/netfilter/xt_addrtype.c).
_FOR_THIS_HOST: Mapping[Family, str] = {
    Family.IPV4: "-m addrtype ! --dst-type UNICAST",
    Family.IPV6: "-m addrtype --dst-type LOCAL",
}


def _match(map_id: MapId, side: str) -> str:
    return f"-m set --match-set {set_of(map_id)} {side} {_UNCOUNTED}"


def _dispatch(chain: str, match: str, owners: Iterable[SourceSlot], *, blocks: bool) -> dict[str, tuple[str, ...]]:
    """Jump by mark to the chain of the source. In a blocking set, a packet with an unknown mark (too new or old) is dropped."""
    marks = sorted(owner.mark for owner in owners)
    groups = [marks[start : start + _GROUP] for start in range(0, len(marks), _GROUP)]
    rest = ("-j DROP",) if blocks else ()
    if len(groups) <= 1:
        return {chain: (*(f"{match} --packets-eq {mark} -g {chain_of(mark)}" for mark in marks), *rest)}
    names = [f"{chain}-{number}" for number in range(len(groups))]
    turns = [f"{match} --packets-lt {after[0]} -g {name}" for name, (_, after) in zip(names, pairwise(groups), strict=False)]
    chains = {chain: (*turns, f"-g {names[-1]}")}
    for name, group in zip(names, groups, strict=True):
        chains[name] = (*(f"{match} --packets-eq {mark} -g {chain_of(mark)}" for mark in group), *rest)
    return chains


def _answer(owner: SourceSlot, direction: Direction, family: Family) -> tuple[str, ...]:
    """The rules for a source's packets; the counter of the last rule is the source's counter."""
    comment = f"-m comment --comment {_checked(owner.source_id)}"
    logged = _logged(owner)
    match owner.action:
        case Action.DROP:
            return (*logged, f"{comment} -j DROP")
        case Action.REJECT:
            return (*logged, comment if direction is Direction.IN else f"{comment} {_REJECT[family]}")
        case Action.LOG | Action.COUNT:
            return (*logged, comment)
        case Action.NONE | Action.ALLOW:
            return ()


def _logged(owner: SourceSlot) -> tuple[str, ...]:
    if logged_to(owner) is None:
        return ()
    prefix = f"banlistd {_checked(owner.source_id)}"[: _LONGEST_PREFIX - 1]
    return (f'{_LOG_LIMIT} -j LOG --log-prefix "{prefix} "',)


def _checked(source_id: SourceId) -> str:
    if not _SOURCE_ID.fullmatch(source_id):
        raise FirewallError(
            f"{source_id!r} cannot be written into a rule", "an id has at most 40 characters, of a-z, 0-9 and -"
        )
    return source_id
