"""Reads the state of our table by small netlink questions, whose cost does not grow with the maps."""

import errno
import struct
from collections import Counter as Tally
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from banlistd.adapters.firewalls.marker_text import marker_of
from banlistd.adapters.firewalls.nftables.batch import Look, TableState
from banlistd.adapters.firewalls.nftables.records import (
    NFTA_SET_ELEM_LIST_ELEMENTS,
    NFTA_SET_ELEM_LIST_SET,
    DumpedElement,
    Elements,
    answers,
    end_elements,
    questions,
)
from banlistd.adapters.firewalls.nftables.rules import NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS, count_loads, netlink_rules
from banlistd.adapters.firewalls.nftables.sets import (
    ALLOWED,
    APPLIED,
    EVERY_SET,
    NFT_TABLE_F_DORMANT,
    NFTA_TABLE_FLAGS,
    NFTA_TABLE_OWNER,
    SERVICES,
    SetState,
    service_key,
    set_state,
)
from banlistd.adapters.firewalls.nftables.structure import (
    HOOKS,
    PRIORITY,
    TABLE,
    WATCHING,
    RuleForm,
    is_ours,
    source_of,
    structure_of,
)
from banlistd.adapters.netlink.messages import (
    NFT_MSG_GETCHAIN,
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
from banlistd.adapters.netlink.wire import NetlinkError
from banlistd.core.addresses.sets import WIDTHS, Addresses, after
from banlistd.core.addresses.sets import to_number as address_number
from banlistd.core.ruleset.state import FirewallState, Kind, MapEntries, MapId, Verification
from banlistd.model import Counter, Family, Mark, Marker

NFTA_TABLE = 1
NFTA_CHAIN_NAME = 3
NFTA_CHAIN_HOOK = 4
NFTA_CHAIN_TYPE = 7
NFTA_HOOK_HOOKNUM = 1
NFTA_HOOK_PRIORITY = 2
NFTA_OBJ_NAME = 2
NFTA_OBJ_TYPE = 3
NFTA_OBJ_DATA = 4
NFT_OBJECT_COUNTER = 1
NFTA_COUNTER_BYTES = 1
NFTA_COUNTER_PACKETS = 2

SAMPLE = 32
"""Elements of each map that are asked for by key: this finds a map that lost one element in ten 29 times in 30."""

CLOSE_SAMPLE = 1024
"""The same after an unknown change by another process: some 5 ms for each map."""


def look_at(wire: NetlinkSocket) -> Look:
    """All that a batch depends on. The generation is read first, so that the kernel refuses the batch after a later change."""
    generation = wire.generation()
    chains = _chains(wire)
    marks = frozenset(Mark(mark) for mark, _ in _marker_elements(wire))
    return Look(generation, table_state(wire), frozenset(chains), _misplaced(chains), _sets(wire), marks)


def table_state(wire: NetlinkSocket) -> TableState | None:
    for table in _dump(wire, NFT_MSG_GETTABLE, b""):
        return TableState(*(decode_number(table.get(kind, b"")) for kind in (NFTA_TABLE_FLAGS, NFTA_TABLE_OWNER)))
    return None


def markers_of(wire: NetlinkSocket) -> tuple[Marker, ...]:
    """The markers in the order of marks, without elements that cannot be read as one."""
    found = (marker_of(mark, comment) for mark, comment in _marker_elements(wire))
    return tuple(sorted((marker for marker in found if marker), key=lambda marker: marker.mark))


def read_counters(wire: NetlinkSocket) -> Mapping[Mark, Counter]:
    """The counter of each source that has a marker."""
    by_source = {}
    for reply in _dump(wire, NFT_MSG_GETOBJ, number_attribute(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER)):
        fields = attributes(reply.get(NFTA_OBJ_DATA, b""))
        counted = Counter(*(decode_number(fields.get(field, b"")) for field in (NFTA_COUNTER_PACKETS, NFTA_COUNTER_BYTES)))
        by_source[source_of(decode_text(reply.get(NFTA_OBJ_NAME, b"")))] = counted
    markers = markers_of(wire)
    return {marker.mark: by_source[marker.source_id] for marker in markers if marker.source_id in by_source}


def faults_of(
    wire: NetlinkSocket,
    state: FirewallState,
    chance: Random,
    sample: int = SAMPLE,
    *,
    form: RuleForm,
    settled: bool = False,
) -> Verification:
    """Compare the numbers of rules, sets and elements, the services whose answers pass, and a sample of each map.

    `chance`: chooses the sample. `sample`: elements of each map. `form`: which rules are written. `settled`: the
    same state was found sound, and no process has committed since; then only the samples are compared.
    """
    if settled:
        sampled = {
            map_id: _sample_fits(wire, map_id, map_entries, chance, sample) for map_id, map_entries in state.map_entries.items()
        }
        return Verification(maps=frozenset(map_id for map_id, fits in sampled.items() if not fits))
    sets = _sets(wire)
    allowed = all(
        _count_fits(sets.get(ALLOWED[family]), Elements(family, ranges.first, ranges.last, None))
        for family, ranges in state.allowed.items()
    )
    watchers = {struct.pack("=I", owner.mark) for owner in state.sources if not owner.action.blocks}
    watching = _keys_of(wire, WATCHING) == watchers
    answering = all(_keys_of(wire, name) == _services(state, family) for family, name in SERVICES.items())
    wanted = {*(map_id.name for map_id in state.map_entries), *ALLOWED.values(), *SERVICES.values(), APPLIED}
    wanted |= {WATCHING} if watchers else set()
    shaped = _rules_present(wire) == _rules_wanted(state, form=form) and sets.keys() == wanted
    table = table_state(wire)
    shaped = shaped and table is not None and not table.flags & NFT_TABLE_F_DORMANT and not _misplaced(_chains(wire))
    wrong = [
        map_id
        for map_id, map_entries in state.map_entries.items()
        if not _map_fits(wire, sets, map_id, map_entries, chance, sample)
    ]
    return Verification(not (shaped and allowed and answering and watching), frozenset(wrong))


def _elements_of(map_id: MapId, map_entries: MapEntries) -> Elements:
    return Elements(map_id.family, map_entries.first, map_entries.last if map_id.kind is Kind.NETS else None, map_entries.mark)


def _sets(wire: NetlinkSocket) -> Mapping[str, SetState]:
    """Our named sets and maps; not those that nft makes for a rule, nor those that another process put into our table."""
    states = map(set_state, _dump(wire, NFT_MSG_GETSET, b""))
    return {state.name: state for state in states if state.name in EVERY_SET}


def _chains(wire: NetlinkSocket) -> Mapping[str, Mapping[int, bytes]]:
    return {decode_text(reply.get(NFTA_CHAIN_NAME, b"")): reply for reply in _dump(wire, NFT_MSG_GETCHAIN, b"")}


def _misplaced(chains: Mapping[str, Mapping[int, bytes]]) -> frozenset[str]:
    """Base chains of ours that are of another type, at another hook, of another priority, or at none."""
    return frozenset(
        name
        for name, (_, hook) in HOOKS.items()
        if name in chains and _place(chains[name]) != ("filter", hook, PRIORITY & 0xFFFFFFFF)
    )


def _place(chain: Mapping[int, bytes]) -> tuple[str, int, int]:
    hook = attributes(chain.get(NFTA_CHAIN_HOOK, b""))
    hook_number, priority = (decode_number(hook.get(kind, b"")) for kind in (NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY))
    return decode_text(chain.get(NFTA_CHAIN_TYPE, b"")), hook_number, priority


def _dump(wire: NetlinkSocket, kind: int, question: bytes) -> list[Mapping[int, bytes]]:
    """All objects of a kind in our table, none if it is absent. An older kernel ignores the table that a dump names.

    The name of the table is attribute 1 in questions and answers of all kinds.
    """
    try:
        replies = wire.dump(kind, text_attribute(NFTA_TABLE, TABLE) + question)
    except NetlinkError as exc:
        if exc.errno != errno.ENOENT:
            raise
        return []
    return [reply for reply in replies if decode_text(reply.get(NFTA_TABLE, b"")) == TABLE]


def _marker_elements(wire: NetlinkSocket) -> Iterator[tuple[int, str]]:
    for answer in _elements_in(wire, APPLIED):
        yield struct.unpack("=I", answer.key)[0], answer.comment


def _elements_in(wire: NetlinkSocket, name: str) -> Iterator[DumpedElement]:
    """All elements of a small set, none if it is absent."""
    replies = _dump(wire, NFT_MSG_GETSETELEM, text_attribute(NFTA_SET_ELEM_LIST_SET, name))
    return answers([reply.get(NFTA_SET_ELEM_LIST_ELEMENTS, b"") for reply in replies])


def _keys_of(wire: NetlinkSocket, name: str) -> frozenset[bytes]:
    return frozenset(element.key for element in _elements_in(wire, name))


def _services(state: FirewallState, family: Family) -> frozenset[bytes]:
    return frozenset(service_key(answer) for answer in state.answers if answer.family is family)


def _rules_present(wire: NetlinkSocket) -> Mapping[tuple[str, int], int]:
    """How many rules each chain has that load so many fields of a packet."""
    rules = _dump(wire, NFT_MSG_GETRULE, b"")
    chains = [(decode_text(rule.get(NFTA_RULE_CHAIN, b"")), rule.get(NFTA_RULE_EXPRESSIONS, b"")) for rule in rules]
    return Tally((chain, count_loads(expressions)) for chain, expressions in chains if is_ours(chain))


def _rules_wanted(state: FirewallState, *, form: RuleForm) -> Mapping[tuple[str, int], int]:
    """Every chain of ours has a rule, so a missing chain shows as well. What nft writes looks at the mark alone."""
    return Tally(
        (name, loads)
        for name, chain in structure_of(state.sources, form=form).items()
        for loads in (
            map(count_loads, netlink_rules(name, state.sources, form=form)) if chain.rules is None else (0,) * len(chain.rules)
        )
    )


def _map_fits(
    wire: NetlinkSocket, sets: Mapping[str, SetState], map_id: MapId, map_entries: MapEntries, chance: Random, sample: int
) -> bool:
    fits = _count_fits(sets.get(map_id.name), _elements_of(map_id, map_entries))
    return fits and _sample_fits(wire, map_id, map_entries, chance, sample)


def _sample_fits(wire: NetlinkSocket, map_id: MapId, map_entries: MapEntries, chance: Random, sample: int) -> bool:
    elements = _elements_of(map_id, map_entries)
    # Always the last one too: if it has no end element, half the number of elements is the same without it.
    chosen = sorted({*chance.sample(range(len(map_entries)), min(sample, len(map_entries))), *range(len(map_entries))[-1:]})
    starts = _keys(map_id.family, map_entries.first[chosen])
    found = [(answer.key, _mark_of(answer)) for answer in _ask(wire, map_id, starts, ends=False)]
    if found != [*zip(starts, map_entries.mark[chosen].tolist(), strict=True)]:
        return False
    if elements.last is None:
        return True
    # Asked for an end by the last address within, the kernel gives the one after; by the end itself it may give the end
    # of a neighbour that touches (measured). So a single address that touches the range before it cannot be asked about.
    ended = [index for index in chosen if index < end_elements(elements) and not _is_end_of_another(map_entries, index)]
    asked, ends = _keys(map_id.family, map_entries.last[ended]), _keys(map_id.family, after(map_entries.last[ended]))
    return [answer.key for answer in _ask(wire, map_id, asked, ends=True)] == ends


def _is_end_of_another(map_entries: MapEntries, index: int) -> bool:
    """Whether the last address within the entry `index` is also the end of the entry before it."""
    return index > 0 and bool(after(map_entries.last[index - 1 : index])[0] == map_entries.last[index])


def _count_fits(state: SetState | None, elements: Elements) -> bool:
    """A kernel before 6.16 does not report the number. A newer one reports half the number of starts and ends for ranges
    (nf_tables_fill_set_info() in net/netfilter/nf_tables_api.c; measured with 6.18).

    After nft has loaded a saved ruleset, there is one more end, before the first range.
    """
    if state is None:
        return False
    every = len(elements.first) + end_elements(elements)
    fitting = {every} if elements.last is None else {every // 2, (every + 1) // 2}
    return state.count is None or state.count in fitting


def _keys(family: Family, addresses: Addresses) -> list[bytes]:
    width = WIDTHS[family] // 8
    return [address_number(address).to_bytes(width, "big") for address in addresses]


def _ask(wire: NetlinkSocket, map_id: MapId, keys: Sequence[bytes], *, ends: bool) -> list[DumpedElement]:
    """The elements with these keys; none at all where one of them is missing."""
    if not keys:
        return []
    try:
        replies = wire.get(NFT_MSG_GETSETELEM, questions(TABLE, map_id.name, keys, ends=ends))
    except NetlinkError as exc:
        if exc.errno != errno.ENOENT:
            raise
        return []
    return [*answers([reply.get(NFTA_SET_ELEM_LIST_ELEMENTS, b"") for reply in replies])]


def _mark_of(answer: DumpedElement) -> int:
    return int(struct.unpack("=I", answer.data)[0]) if len(answer.data) == struct.calcsize("=I") else 0
