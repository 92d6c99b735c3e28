"""Chains and rules of `inet banlistd`, as text for `nft -f -` that an administrator can read. Pure: values in, text out.

The text contains only numbers, fixed strings, and source ids that are validated here again. It uses `add` and `flush chain`,
never `table { }`, and does not touch what netlink writes: sets, maps, and the rules that look into them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.adapters.firewalls.nftables.lookups.base_chains import HOOKS, REJECT_ANSWERS, declaration_of
from banlistd.adapters.firewalls.nftables.lookups.scopes import (
    SCOPED,
    TRACKED,
    VRF,
    WITHIN,
    WITHIN_6TO4,
    WITHIN_NAT64,
    chains_of_scopes,
    is_of_a_scope,
)
from banlistd.core.feeds.health.newest import OfNewest
from banlistd.core.ruleset.evidence.packets import HIT_GROUP, HIT_OCTETS
from banlistd.core.ruleset.kernel_parts import KernelPart, RefusedRule, logged_to, possible_slots
from banlistd.core.ruleset.state import Hook, hooks_used
from banlistd.errors import FirewallError
from banlistd.model import Action, Mark, SourceId, SourceSlot

TABLE = "banlistd"
BANNED = "banned"
WATCHED_IN = "watched"
WATCHED_OUT = "watched-out"
LOOKUP_IN = "lookup-in"
LOOKUP_OUT = "lookup-out"
ANSWERS = "answers"
ASKED = "asked"
LOOKUPS: Mapping[str, tuple[Hook, Hook]] = {
    LOOKUP_IN: (Hook.IN, Hook.WATCH_IN),
    LOOKUP_OUT: (Hook.OUT, Hook.WATCH_OUT),
}
"""The hooks of each lookup chain; the blocking one first."""

WATCHED: Mapping[Hook, str] = {Hook.WATCH_IN: WATCHED_IN, Hook.WATCH_OUT: WATCHED_OUT}
"""For packets without a mark that are in a watched map: they have that of their source now, and lose it here."""

MARKED: Mapping[str, Hook] = {"marked-watch-in": Hook.WATCH_IN, "marked-watch-out": Hook.WATCH_OUT}
"""For packets that another program has marked, by the hook whose maps they are looked up in without a mark of ours."""

SHADOWED: Mapping[str, Hook] = {"shadow-in": Hook.SHADOW_IN, "shadow-out": Hook.SHADOW_OUT}
"""For packets whose addresses a source in shadow lists: they are counted before a blocking source takes them."""

SHADOW_OF: Mapping[str, str] = {LOOKUP_IN: "shadow-in", LOOKUP_OUT: "shadow-out"}
"""Which of them a lookup chain jumps to, before it bans."""

MARKED_ANSWERS = "marked-answers"
WATCHING = "watching"
"""A map from the marks of sources that only watch to their chains: it finds the source of a packet that has another mark."""

EMBEDDING = "embedding"
TRANSLATED = (WITHIN_NAT64, WITHIN_6TO4, EMBEDDING)
"""For IPv6 packets whose source contains an IPv4 address, which is looked up. The last one sends packets to the others."""

NETLINK_CHAINS = (*LOOKUPS, *MARKED, *SHADOWED, ANSWERS, MARKED_ANSWERS, ASKED, EMBEDDING, *WITHIN, *TRACKED, *SCOPED)
"""The chains whose rules netlink writes, because they look into sets."""

_PREFIX = "from-"
_SOURCE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LARGEST_MARK = 0xFFFF
# In a flood a few log lines say enough; the counter has the number of packets.
_LOG_LIMIT = "limit rate 5/second burst 20 packets"
_SAMPLE_LIMIT = "limit rate 10/second burst 50 packets"


TEXT_PARTS = tuple(part for part in KernelPart if part not in (KernelPart.LIMIT, KernelPart.ADDRESS_TYPE))
"""What rules that nft writes can lack; the limit goes with the log."""

REFUSED_RULES: Mapping[KernelPart, RefusedRule] = {
    KernelPart.REJECT: RefusedRule("reject with icmpx admin-prohibited", "nft_reject_inet, of Linux 5.9 or newer"),
    KernelPart.LOG: RefusedRule("log", "nft_log"),
    KernelPart.LIMIT: RefusedRule("limit rate", "nft_limit"),
    KernelPart.NFLOG: RefusedRule("log group", "nfnetlink_log"),
    KernelPart.COUNTER: RefusedRule("counter name", "nft_counter or nft_objref"),
    KernelPart.ADDRESS_TYPE: RefusedRule("fib daddr type", "nft_fib_inet"),
    KernelPart.INTERFACE_KIND: RefusedRule("meta iifkind", "nf_tables, of Linux 5.1 or newer"),
    KernelPart.CONNECTIONS: RefusedRule("ct direction", "nft_ct or nf_conntrack"),
    KernelPart.PORTS: RefusedRule("th dport", "nf_tables, and nft 0.9.2 or newer"),
    KernelPart.INTERFACES: RefusedRule("iifname", "nf_tables"),
    KernelPart.MARK_MAP: RefusedRule("meta mark vmap", "nf_tables"),
}


@dataclass(frozen=True, slots=True)
class RuleForm:
    """Which rules there are. `translated`: with the chains of TRANSLATED. `lacking`: without what needs these parts."""

    translated: bool = True
    lacking: AbstractSet[KernelPart] = frozenset()


@dataclass(frozen=True, slots=True)
class Chain:
    """`hook`: the declaration of a base chain, else empty. `rules` None: netlink writes them."""

    hook: str
    rules: tuple[str, ...] | None


def chain_of(source_id: SourceId) -> str:
    """The name of a source's chain and of its counter. The prefix separates an id from the keywords of nft."""
    if not _SOURCE_ID.fullmatch(source_id):
        raise FirewallError(f"{source_id!r} cannot name a chain", "an id has at most 40 characters, of a-z, 0-9 and -")
    return _PREFIX + source_id


def source_of(chain: str) -> SourceId | None:
    """The inverse of `chain_of`; None for a chain that is not a source's."""
    return SourceId(chain.removeprefix(_PREFIX)) if chain.startswith(_PREFIX) else None


def structure_of(sources: Sequence[SourceSlot], *, form: RuleForm) -> Mapping[str, Chain]:
    """All chains for these sources; a chain comes after those that its rules jump to."""
    # A change asks six times; of thousands of sources to write them takes 20 ms each time, and to compare hashes 10 (measured).
    owners = tuple(sources)
    known = _KEPT(owners)
    if form not in known:
        known[form] = _structure_of(owners, form)
    return known[form]


_KEPT: OfNewest[tuple[SourceSlot, ...], dict[RuleForm, Mapping[str, Chain]]] = OfNewest(lambda _: {})


def _structure_of(sources: tuple[SourceSlot, ...], form: RuleForm) -> Mapping[str, Chain]:
    hooks = set(hooks_used(sources))
    chains = {chain_of(owner.source_id): Chain("", _source_rules(owner, form.lacking)) for owner in sources}
    chains |= {name: Chain("", None) for name in (ANSWERS, MARKED_ANSWERS)}
    blocking = _dispatch((owner for owner in sources if owner.action.blocks), form.lacking)
    chains[BANNED] = Chain("", (_ANSWERS_FIRST, *blocking, "drop"))
    watching = _dispatch((owner for owner in sources if not owner.action.blocks), form.lacking)
    for hook in hooks & WATCHED.keys():
        chains[WATCHED[hook]] = Chain("", (*_second_time(hook, form.lacking), *watching, "meta mark set 0"))
    chains |= {name: Chain("", None) for name, hook in {**MARKED, **SHADOWED}.items() if hook in hooks}
    chains |= {name: Chain("", None) for name in TRANSLATED if form.translated}
    chains[LOOKUP_IN] = Chain("", None)
    chains["inbound"] = Chain(declaration_of("inbound"), ('iif "lo" return', f"jump {LOOKUP_IN}"))
    scoped = chains_of_scopes(sources, translated=form.translated, lacking=form.lacking)
    chains |= {name: Chain("", rules) for name, rules in scoped.items()}
    leaving = ('oif "lo" return', *(REJECT_ANSWERS if _rejects(sources, form.lacking) else ()), f"jump {ASKED}")
    if any(hook.outward for hook in hooks):
        chains[LOOKUP_OUT] = Chain("", None)
        chains[ASKED] = Chain("", None)
        chains["outbound"] = Chain(declaration_of("outbound"), (*leaving, f"jump {LOOKUP_OUT}"))
        chains["forwarded"] = Chain(declaration_of("forwarded"), (f"jump {LOOKUP_OUT}",))
    inward, outward = TRACKED
    if inward in scoped:
        chains["inbound-tracked"] = Chain(declaration_of("inbound-tracked"), ('iif "lo" return', f"jump {inward}"))
    if outward in scoped:
        chains["outbound-tracked"] = Chain(declaration_of("outbound-tracked"), (*leaving, f"jump {outward}"))
        chains["forwarded-tracked"] = Chain(declaration_of("forwarded-tracked"), (f"jump {outward}",))
    return chains


def _rejects(sources: Iterable[SourceSlot], lacking: AbstractSet[KernelPart]) -> bool:
    return KernelPart.REJECT not in lacking and any(owner.action is Action.REJECT for owner in sources)


# Only a packet that is to be banned is asked whether it is an answer: others pass no rule more.
_ANSWERS_FIRST = f"jump {ANSWERS}"


def _second_time(hook: Hook, lacking: AbstractSet[KernelPart]) -> tuple[str, ...]:
    """In a VRF a packet passes a hook twice: it is not counted at the VRF's own interface."""
    kind = "iifkind" if hook is Hook.WATCH_IN else "oifkind"
    return () if KernelPart.INTERFACE_KIND in lacking else (f'meta {kind} "{VRF}" meta mark set 0 return',)


def _source_rules(owner: SourceSlot, lacking: AbstractSet[KernelPart]) -> tuple[str, ...]:
    counted = () if KernelPart.COUNTER in lacking else (f"counter name {chain_of(owner.source_id)}",)
    (possible,) = possible_slots([owner], lacking)
    written = (*_sampled(possible), *_logged(possible))
    match possible.action:
        case Action.DROP:
            return (*written, " ".join((*counted, "drop")))
        case Action.REJECT:
            return (*written, " ".join((*counted, "reject with icmpx admin-prohibited")))
        case Action.LOG | Action.COUNT:
            return (*written, *counted) or ("return",)
        case Action.NONE | Action.ALLOW:
            return ()


def _sampled(owner: SourceSlot) -> tuple[str, ...]:
    """The rule that sends some packets of the source to the daemon."""
    return (f"{_SAMPLE_LIMIT} {_log(owner)} group {HIT_GROUP} snaplen {HIT_OCTETS}",) if owner.hits else ()


def _logged(owner: SourceSlot) -> tuple[str, ...]:
    group = logged_to(owner)
    return () if group is None else (f"{_LOG_LIMIT} {_log(owner)}" + (f" group {group}" if group else ""),)


def _log(owner: SourceSlot) -> str:
    return f'log prefix "banlistd {owner.source_id} "'


def _dispatch(owners: Iterable[SourceSlot], lacking: AbstractSet[KernelPart]) -> tuple[str, ...]:
    """Jump by mark to the chain of the source. A packet that returns from a watching chain continues with mark 0, as it came.

    No packet returns from a blocking chain. A packet that is looked up while the kernel exchanges this very map finds no
    source in it (measured: a packet or so of a flood), and is dropped all the same.
    """
    pairs = [(_number_of(owner.mark), f"jump {chain_of(owner.source_id)}") for owner in owners]
    if KernelPart.MARK_MAP in lacking:
        return tuple(f"meta mark {mark} {jump}" for mark, jump in pairs)
    return (f"meta mark vmap {{ {', '.join(f'{mark} : {jump}' for mark, jump in pairs)} }}",) if pairs else ()


def _number_of(mark: Mark) -> int:
    number = int(mark)
    if not 0 < number <= _LARGEST_MARK:
        raise FirewallError(f"{number} cannot be a mark", "marks are 1 to 65,535")
    return number


def preparation(
    sources: Sequence[SourceSlot],
    existing: frozenset[str],
    misplaced: frozenset[str] = frozenset(),
    *,
    form: RuleForm,
    founded: bool = False,
) -> str:
    """The script that runs before elements change, so that no ban is lost: it adds what is missing and starts to block. Run
    again, because the change of elements failed, it adds nothing more.

    A source that changes from blocking to watching, or goes, keeps its chain until its elements have left the blocking maps;
    what no rule dispatches meanwhile is dropped.
    `existing`: our chains that exist. `misplaced`: base chains that another process attached to another hook; they cannot be
    moved and are created anew. `founded`: the script does not name the table, because nft would give it other flags.
    """
    present = existing - misplaced
    wanted = structure_of(sources, form=form)
    missing = {name: chain for name, chain in wanted.items() if name not in present}
    blocking = [chain_of(owner.source_id) for owner in sources if owner.action.blocks]
    dispatching = (name for name in (BANNED, *WATCHED.values()) if name in wanted)
    rewritten = [name for name in (*blocking, *dispatching) if name in present]
    lines = [] if founded else [f"add table inet {TABLE}"]
    lines += [f"{verb} chain inet {TABLE} {name}" for name in sorted(misplaced) for verb in ("flush", "delete")]
    lines += _declarations(missing, form.lacking)
    # Another process may have deleted the counter and left the chain.
    lines += _counters(rewritten, form.lacking)
    lines += _watching(sources)
    lines += [f"flush chain inet {TABLE} {name}" for name in rewritten]
    for name in (*missing, *rewritten):
        lines += _rules(name, wanted[name])
    return _script(lines)


def settlement(sources: Sequence[SourceSlot], present: frozenset[str], *, form: RuleForm, deletes: bool = True) -> str:
    """The script that runs after elements have changed: it writes every chain in its final form, and empties and `deletes` the
    surplus.
    """
    wanted = structure_of(sources, form=form)
    surplus = sorted(name for name in present - wanted.keys() if is_ours(name))
    lines = _declarations(wanted, form.lacking)
    lines += _watching(sources) or [_WATCHING_MAP, f"delete map inet {TABLE} {WATCHING}"]
    lines += [f"flush chain inet {TABLE} {name}" for name, chain in wanted.items() if chain.rules is not None]
    lines += [f"flush chain inet {TABLE} {name}" for name in surplus]
    # A counter may be absent, if the kernel lacked it: what is added first can be deleted.
    verbs = () if KernelPart.COUNTER in form.lacking else ("add", "delete")
    for name in surplus if deletes else ():
        lines.append(f"delete chain inet {TABLE} {name}")
        lines += [f"{verb} counter inet {TABLE} {name}" for verb in verbs if source_of(name)]
    for name, chain in wanted.items():
        lines += _rules(name, chain)
    return _script(lines)


def rehearsal(sources: Sequence[SourceSlot], *, form: RuleForm) -> str:
    """A script that founds the structure in another table: what `nft --check` says of it does not depend on ours."""
    lines = preparation(sources, frozenset(), form=form).splitlines()
    return _script([line.replace(f" inet {TABLE}", f" inet {TABLE}-probe", 1) for line in lines])


def _counters(chains: Iterable[str], lacking: AbstractSet[KernelPart]) -> list[str]:
    return [] if KernelPart.COUNTER in lacking else [f"add counter inet {TABLE} {name}" for name in chains if source_of(name)]


def _declarations(chains: Mapping[str, Chain], lacking: AbstractSet[KernelPart]) -> list[str]:
    added = [f"add chain inet {TABLE} {name} {chain.hook}".rstrip() for name, chain in chains.items()]
    return _counters(chains, lacking) + added


_WATCHING_MAP = f"add map inet {TABLE} {WATCHING} {{ type mark : verdict; }}"


def _watching(sources: Iterable[SourceSlot]) -> list[str]:
    """The map with its elements; nothing where no source watches."""
    watchers = (owner for owner in sources if not owner.action.blocks)
    pairs = ", ".join(f"{_number_of(owner.mark)} : goto {chain_of(owner.source_id)}" for owner in watchers)
    named = f"inet {TABLE} {WATCHING}"
    return [_WATCHING_MAP, f"flush map {named}", f"add element {named} {{ {pairs} }}"] if pairs else []


def _rules(name: str, chain: Chain) -> list[str]:
    return [f"add rule inet {TABLE} {name} {rule}" for rule in chain.rules or ()]


def is_ours(name: str) -> bool:
    """Whether a chain that the kernel named can be one of ours. A foreign chain never gets into the text."""
    source_id = source_of(name)
    return name in _NOT_OF_A_SOURCE or is_of_a_scope(name) if source_id is None else bool(_SOURCE_ID.fullmatch(source_id))


_NOT_OF_A_SOURCE = frozenset({BANNED, *WATCHED.values(), *NETLINK_CHAINS, *HOOKS})


def _script(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
