"""Reads the state of our table by small netlink questions, whose cost does not grow with the maps."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from banlistd.adapters.firewalls.marker_text import marker_of
from banlistd.adapters.firewalls.nftables.look import Look, TableState, maps_asked, names_in_use
from banlistd.adapters.firewalls.nftables.lookups.chains import beside_ours, chains_of_table, dumped, misplaced
from banlistd.adapters.firewalls.nftables.lookups.kept_look import KeptLook, SoundRules
from banlistd.adapters.firewalls.nftables.lookups.matching import NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS
from banlistd.adapters.firewalls.nftables.lookups.outlines import is_copy, present_rules, wanted_rules
from banlistd.adapters.firewalls.nftables.records import (
    NFTA_SET_ELEM_LIST_ELEMENTS,
    NFTA_SET_ELEM_LIST_SET,
    DumpedElement,
    Elements,
    answers,
)
from banlistd.adapters.firewalls.nftables.rules import is_rule_of
from banlistd.adapters.firewalls.nftables.samples import Sampling, count_fits, elements_of, sample_fits
from banlistd.adapters.firewalls.nftables.set_chains import SET_CHAINS, SetChain
from banlistd.adapters.firewalls.nftables.sets import (
    ALLOWED,
    APPLIED,
    BASES,
    EVERY_SET,
    NFT_SET_INTERVAL,
    NFT_TABLE_F_DORMANT,
    NFTA_TABLE_FLAGS,
    NFTA_TABLE_OWNER,
    SERVICES,
    SetState,
    bases_of,
    service_key,
    set_state,
)
from banlistd.adapters.firewalls.nftables.structure import (
    NETLINK_CHAINS,
    WATCHING,
    RuleForm,
    source_of,
)
from banlistd.adapters.netlink.expressions import jumped_to, looked_up
from banlistd.adapters.netlink.messages import (
    NFT_MSG_GETOBJ,
    NFT_MSG_GETRULE,
    NFT_MSG_GETSET,
    NFT_MSG_GETSETELEM,
    NFT_MSG_GETTABLE,
    attributes,
    decode_number,
    decode_text,
    number_attribute,
    text_attribute,
)
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.core.ruleset.state import FirewallState, MapEntries, Verification
from banlistd.model import Counter, Family, Mark, Marker

NFTA_OBJ_NAME = 2
NFTA_OBJ_TYPE = 3
NFTA_OBJ_DATA = 4
NFT_OBJECT_COUNTER = 1
NFTA_COUNTER_BYTES = 1
NFTA_COUNTER_PACKETS = 2

_MARK = struct.Struct("=I")

SAMPLE = 32
"""Elements of each map that are asked for by key: this finds a map that lost one element in ten 29 times in 30."""

CLOSE_SAMPLE = 1024
"""The same after an unknown change by another process: some 5 ms for each map."""


def look_at(wire: NetlinkSocket) -> Look:
    """All that a batch depends on. The generation is read first, so that the kernel refuses the batch after a later change."""
    generation = wire.generation()
    chains = chains_of_table(wire)
    marks = frozenset(Mark(mark) for mark, _ in _marker_elements(wire))
    used = used_sets(wire, chains.keys())
    ours = frozenset(name for name in chains.keys() & SET_CHAINS.keys() if _is_as_written(wire, SET_CHAINS[name]))
    copies = frozenset(name for name in beside_ours(chains) if is_copy(_rules_in(wire, name)))
    return Look(generation, table_state(wire), frozenset(chains), misplaced(chains), _sets(wire), used, marks, ours, copies)


def used_sets(wire: NetlinkSocket, chains: AbstractSet[str] | None = None) -> list[str]:
    """The sets that packets are looked up in: our rules look into them, or jump to their chains. `chains`: those that exist,
    where that is known.
    """
    used: dict[str, None] = {}
    for chain in (name for name in NETLINK_CHAINS if chains is None or name in chains):
        for expressions in _rules_in(wire, chain):
            used |= dict.fromkeys(looked_up(expressions))
            used |= {SET_CHAINS[name].set_name: None for name in jumped_to(expressions) if name in SET_CHAINS}
    return [*used]


def _rules_in(wire: NetlinkSocket, chain: str) -> Iterator[bytes]:
    """The expressions of each rule of a chain. Asked chain by chain: there may be thousands of other rules."""
    for rule in dumped(wire, NFT_MSG_GETRULE, text_attribute(NFTA_RULE_CHAIN, chain)):
        if decode_text(rule.get(NFTA_RULE_CHAIN, b"")) == chain:
            yield rule.get(NFTA_RULE_EXPRESSIONS, b"")


def _is_as_written(wire: NetlinkSocket, chain: SetChain) -> bool:
    rules = [*_rules_in(wire, chain.name)]
    return len(rules) == 1 and is_rule_of(chain, rules[0])


def table_state(wire: NetlinkSocket) -> TableState | None:
    for table in dumped(wire, NFT_MSG_GETTABLE, b""):
        return TableState(*(decode_number(table.get(kind, b"")) for kind in (NFTA_TABLE_FLAGS, NFTA_TABLE_OWNER)))
    return None


def markers_of(wire: NetlinkSocket) -> tuple[Marker, ...]:
    """The markers in the order of marks, without elements that cannot be read as one."""
    found = (marker_of(mark, comment) for mark, comment in _marker_elements(wire))
    return tuple(sorted((marker for marker in found if marker), key=lambda marker: marker.mark))


def read_counters(wire: NetlinkSocket, markers: Sequence[Marker]) -> Mapping[Mark, Counter]:
    """The counter of each source that has one of these markers."""
    by_source = {}
    for reply in dumped(wire, NFT_MSG_GETOBJ, number_attribute(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER)):
        fields = attributes(reply.get(NFTA_OBJ_DATA, b""))
        counted = Counter(*(decode_number(fields.get(field, b"")) for field in (NFTA_COUNTER_PACKETS, NFTA_COUNTER_BYTES)))
        by_source[source_of(decode_text(reply.get(NFTA_OBJ_NAME, b"")))] = counted
    return {marker.mark: by_source[marker.source_id] for marker in markers if marker.source_id in by_source}


def faults_of(
    wire: NetlinkSocket,
    state: FirewallState,
    sampling: Sampling,
    kept: KeptLook,
    look: Look,
    *,
    form: RuleForm,
    settled: bool,
) -> Verification:
    """Compare rules in outline, the numbers of sets and elements, the services whose answers pass, and a sample of each map.

    `look`: the table, of this moment. `kept`: knows whether its rules were found sound, and no process but ours has committed
    since: then they are not read again. `form`: which rules are written. `settled`: the same state was found sound, and no
    process has committed since; then only the samples are compared.
    """
    used = look.used
    found = _sets(wire)
    sets = {
        BASES.get(name, name): found[name] for name in (*names_in_use(used, found).values(), APPLIED, WATCHING) if name in found
    }
    if settled:
        maps = {map_id: elements_of(map_id, map_entries) for map_id, map_entries in state.map_entries.items()}
        return Verification(
            maps=frozenset(
                map_id
                for map_id, elements in maps.items()
                if map_id.name not in sets or not sample_fits(wire, sets[map_id.name].name, elements, sampling)
            )
        )
    allowed = all(
        _map_fits(wire, sets.get(ALLOWED[family]), Elements(family, ranges.first, ranges.last, None), sampling)
        for family, ranges in state.allowed.items()
    )
    watchers = {_MARK.pack(owner.mark) for owner in state.sources if not owner.action.blocks}
    watching = _keys_of(wire, WATCHING) == watchers
    answering = all(
        base in sets and _keys_of(wire, sets[base].name) == _services(state, family) for family, base in SERVICES.items()
    )
    # What no rule looks into may be there: another change is under way, or was not finished. No rule may look into two.
    named = (
        bases_of(state.sources) | {APPLIED} <= sets.keys()
        and bool(watchers) == (WATCHING in sets)
        and len({BASES.get(name) for name in used}) == len(used)
    )
    present = {map_id.name: entries for map_id, entries in state.map_entries.items() if map_id.name in sets}
    asked = {name for name, entries in present.items() if _is_asked(sets[name], entries)}
    shaped = named and asked == maps_asked(used)
    rules = SoundRules(state.sources, form, tuple(used), frozenset(asked))
    if shaped and rules != kept.rules:
        shaped = present_rules(_rules(wire), {one.name for one in sets.values()}) == wanted_rules(
            state.sources, asked, form=form
        )
        kept.note_rules(look.generation, rules if shaped else None)
    table = table_state(wire)
    shaped = shaped and table is not None and not table.flags & NFT_TABLE_F_DORMANT and not look.misplaced | look.copies
    wrong = [
        map_id
        for map_id, map_entries in state.map_entries.items()
        if not _map_fits(wire, sets.get(map_id.name), elements_of(map_id, map_entries), sampling)
    ]
    return Verification(not (shaped and allowed and answering and watching), frozenset(wrong))


def _map_fits(wire: NetlinkSocket, present: SetState | None, elements: Elements, sampling: Sampling) -> bool:
    return present is not None and count_fits(present, elements) and sample_fits(wire, present.name, elements, sampling)


def _is_asked(present: SetState, entries: MapEntries) -> bool:
    """Whether rules look into the map: not while it is empty, if the kernel reports the number of elements."""
    return present.count is None or len(entries) > 0


def _sets(wire: NetlinkSocket) -> Mapping[str, SetState]:
    """Our named sets and maps; not those that nft makes for a rule, nor those that another process put into our table."""
    states = {state.name: state for state in map(set_state, dumped(wire, NFT_MSG_GETSET, b"")) if state.name in EVERY_SET}
    # One range up to the last address has no end, and half of one start is reported as 0. So is an end without a range,
    # which nft writes before the first range and leaves behind.
    unsure = (state for state in states.values() if state.empty and state.form[0] & NFT_SET_INTERVAL)
    return states | {
        state.name: replace(state, empty=all(element.is_end for element in _elements_in(wire, state.name))) for state in unsure
    }


def _marker_elements(wire: NetlinkSocket) -> Iterator[tuple[int, str]]:
    """Mark and comment. Another process may have added an element for all keys, which has none, or a map of other keys."""
    for answer in _elements_in(wire, APPLIED):
        if len(answer.key) == _MARK.size:
            yield _MARK.unpack(answer.key)[0], answer.comment


def _elements_in(wire: NetlinkSocket, name: str) -> Iterator[DumpedElement]:
    """All elements of a small set, none if it is absent."""
    replies = dumped(wire, NFT_MSG_GETSETELEM, text_attribute(NFTA_SET_ELEM_LIST_SET, name))
    return answers([reply.get(NFTA_SET_ELEM_LIST_ELEMENTS, b"") for reply in replies])


def _keys_of(wire: NetlinkSocket, name: str) -> frozenset[bytes]:
    return frozenset(element.key for element in _elements_in(wire, name))


def _services(state: FirewallState, family: Family) -> frozenset[bytes]:
    return frozenset(service_key(answer) for answer in state.answers if answer.family is family)


def _rules(wire: NetlinkSocket) -> Iterator[tuple[str, bytes]]:
    """The chain and the expressions of each rule."""
    for rule in dumped(wire, NFT_MSG_GETRULE, b""):
        yield decode_text(rule.get(NFTA_RULE_CHAIN, b"")), rule.get(NFTA_RULE_EXPRESSIONS, b"")
