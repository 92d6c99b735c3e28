"""Composes one batch from a Change and the state that the kernel reports. Decides everything, sends nothing."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.adapters.firewalls import marker_text
from banlistd.adapters.firewalls.nftables.records import (
    Elements,
    element_messages,
    every_element,
    key_elements,
    mark_element,
)
from banlistd.adapters.firewalls.nftables.rules import chain_body, netlink_rules
from banlistd.adapters.firewalls.nftables.sets import (
    ALLOWED,
    APPLIED,
    EVERY_MAP,
    SERVICES,
    SetShape,
    SetState,
    service_key,
    set_body,
    set_name,
    shape_of,
    table_body,
)
from banlistd.adapters.firewalls.nftables.structure import NETLINK_CHAINS, TABLE, RuleForm, structure_of
from banlistd.adapters.netlink.messages import (
    NFT_MSG_DELRULE,
    NFT_MSG_DELSET,
    NFT_MSG_DELSETELEM,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWSET,
    NFT_MSG_NEWSETELEM,
    NFT_MSG_NEWTABLE,
    NLM_F_ACK,
    NLM_F_APPEND,
    NLM_F_CREATE,
    Batch,
)
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.state import Kind, MapEntries, MapId, maps_of
from banlistd.model import Mark


@dataclass(frozen=True, slots=True)
class TableState:
    """The table's flags, and the port of the socket that owns it, 0 for none."""

    flags: int
    owner: int


@dataclass(frozen=True, slots=True)
class Look:
    """The state of our table at one generation: chains, sets by name, the marks that have a marker.

    `table`: None if the table is absent. `misplaced`: base chains of ours with another type, hook or priority than we give.
    """

    generation: int
    table: TableState | None
    chains: frozenset[str]
    misplaced: frozenset[str]
    sets: Mapping[str, SetState]
    marks: frozenset[Mark]


@dataclass(frozen=True, slots=True, eq=False)
class Composed:
    """`maps`: the map that each message number belongs to. `elements`: how many map elements the batch writes or removes."""

    batch: Batch
    maps: Mapping[int, MapId]
    elements: int


@dataclass(frozen=True, slots=True)
class _Sets:
    """What happens to sets: `made` are created, `gone` deleted, `emptied` kept and flushed because they are written whole."""

    made: Mapping[str, SetShape]
    gone: Sequence[str]
    emptied: Sequence[str]

    def are_whole(self, name: str) -> bool:
        return name in self.made or name in self.emptied


def compose(
    change: Change,
    look: Look,
    distrusted: AbstractSet[MapId] = frozenset(),
    table_flags: int | None = 0,
    *,
    form: RuleForm,
) -> Composed:
    """The batch that carries out `change`; maps in `distrusted` are written whole, whatever the change says of them."""
    sets = _sets_of(change, look, distrusted)
    batch = Batch(look.generation)
    batch.add(NFT_MSG_NEWTABLE, NLM_F_ACK, table_body(table_flags))
    if change.reshape or sets.made or sets.gone:
        _write_sets(batch, change, look, sets, form=form)
    for name in sets.emptied:
        batch.add(NFT_MSG_DELSETELEM, 0, every_element(TABLE, name))
    maps, elements = _write_elements(batch, change, sets)
    _write_markers(batch, change, look, fresh=sets.are_whole(APPLIED))
    batch.end()
    return Composed(batch, maps, elements)


def _sets_of(change: Change, look: Look, distrusted: AbstractSet[MapId]) -> _Sets:
    """Keep an existing set where possible: a packet that is looked up during the commit still finds its elements.

    A set that is missing, has another form, or is too small is created anew.
    """
    wanted = {map_id.name: shape_of(map_id, 0) for map_id in maps_of(change.sources)}
    wanted |= {name: SetShape(name, family, mapped=False, interval=True) for family, name in ALLOWED.items()}
    wanted |= {name: SetShape(name, family, mapped=False, interval=False, services=True) for family, name in SERVICES.items()}
    wanted[APPLIED] = SetShape(APPLIED, None, mapped=True, interval=False)
    counts = {item.map.name: len(item.whole) for item in change.maps}
    wanted |= {item.map.name: shape_of(item.map, len(item.whole)) for item in change.maps}
    made = {
        name: shape
        for name, shape in wanted.items()
        if (name in counts or change.reshape or name not in look.sets)
        and not (name in look.sets and look.sets[name].fits(shape, counts.get(name, 0)))
    }
    whole = {item.map.name for item in change.maps if item.replace or item.map in distrusted}
    whole |= set(wanted) if change.replace else set()
    whole |= set(ALLOWED.values()) if change.allowed is not None else set()
    whole |= set(SERVICES.values()) if change.answers is not None else set()
    return _Sets(
        made=made,
        gone=[name for name in look.sets if name in made or (name in EVERY_MAP and name not in wanted)],
        emptied=sorted(whole - made.keys()),
    )


def _write_sets(batch: Batch, change: Change, look: Look, sets: _Sets, *, form: RuleForm) -> None:
    """The kernel refuses to delete a set that rules refer to, so these rules go first and come back last."""
    for chain in NETLINK_CHAINS:
        if chain in look.chains:
            batch.add(NFT_MSG_DELRULE, 0, chain_body(chain))
    for name in sets.gone:
        batch.add(NFT_MSG_DELSET, 0, set_name(name))
    for number, shape in enumerate(sets.made.values(), 1):
        batch.add(NFT_MSG_NEWSET, NLM_F_CREATE, set_body(shape, number))
    wanted = structure_of(change.sources, form=form)
    for chain in NETLINK_CHAINS:
        for body in netlink_rules(chain, change.sources, form=form) if chain in wanted else ():
            batch.add(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, body)


def _write_elements(batch: Batch, change: Change, sets: _Sets) -> tuple[dict[int, MapId], int]:
    maps: dict[int, MapId] = {}
    elements = 0
    for item in change.maps:
        whole = sets.are_whole(item.map.name)
        delta = ((NFT_MSG_DELSETELEM, item.remove), (NFT_MSG_NEWSETELEM, item.add))
        steps = ((NFT_MSG_NEWSETELEM, item.whole),) if whole else delta
        for kind, map_entries in steps:
            if len(map_entries):
                maps[batch.next_sequence] = item.map
                elements += len(map_entries)
                _add_elements(batch, kind, item.map, map_entries)
    for family, ranges in (change.allowed or {}).items():
        if len(ranges):
            listed = Elements(family, ranges.first, ranges.last, None)
            batch.add_block(element_messages(NFT_MSG_NEWSETELEM, batch.next_sequence, TABLE, ALLOWED[family], listed))
    for family, name in SERVICES.items():
        keys = [service_key(answer) for answer in change.answers or () if answer.family is family]
        for start in range(0, len(keys), _IN_A_MESSAGE):
            body = key_elements(TABLE, name, keys[start : start + _IN_A_MESSAGE])
            batch.add(NFT_MSG_NEWSETELEM, NLM_F_CREATE, body)
    return maps, elements


# A service is at most 40 octets of an attribute of 65,535.
_IN_A_MESSAGE = 1000


def _add_elements(batch: Batch, kind: int, map_id: MapId, map_entries: MapEntries) -> None:
    last = map_entries.last if map_id.kind is Kind.NETS else None
    mark = map_entries.mark if kind == NFT_MSG_NEWSETELEM else None
    listed = Elements(map_id.family, map_entries.first, last, mark)
    batch.add_block(element_messages(kind, batch.next_sequence, TABLE, map_id.name, listed))


def _write_markers(batch: Batch, change: Change, look: Look, *, fresh: bool) -> None:
    """The kernel keeps the comment of an element that is added again (measured), so the old element goes first."""
    written = {marker.mark: marker for marker in change.markers}
    if not fresh:
        for mark in sorted(look.marks & {*written, *change.retired}):
            batch.add(NFT_MSG_DELSETELEM, 0, mark_element(TABLE, APPLIED, mark, None, ""))
    for mark, marker in written.items():
        body = mark_element(TABLE, APPLIED, mark, marker_text.VERSION, marker_text.marker_text(marker))
        batch.add(NFT_MSG_NEWSETELEM, NLM_F_CREATE, body)
