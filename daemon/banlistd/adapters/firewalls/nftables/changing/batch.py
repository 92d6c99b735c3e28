"""Composes batches from a Change and the state that the kernel reports. Decides everything, sends nothing."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.adapters.firewalls import marker_text
from banlistd.adapters.firewalls.nftables.changing.staging import MARKERS, Limit, Staging, parts_of
from banlistd.adapters.firewalls.nftables.look import Look
from banlistd.adapters.firewalls.nftables.lookups.matching import Lookups, chain_body, new_chain_body
from banlistd.adapters.firewalls.nftables.records import (
    Elements,
    element_messages,
    every_element,
    key_elements,
    mark_element,
)
from banlistd.adapters.firewalls.nftables.rules import netlink_rules, set_chain_rule
from banlistd.adapters.firewalls.nftables.samples import elements_of
from banlistd.adapters.firewalls.nftables.set_chains import SetChain, chains_of_sets, wanted_chains
from banlistd.adapters.firewalls.nftables.sets import (
    ALLOWED,
    APPLIED,
    EVERY_MAP,
    SERVICES,
    SetShape,
    bases_of,
    service_key,
    set_body,
    set_name,
    table_body,
)
from banlistd.adapters.firewalls.nftables.structure import NETLINK_CHAINS, TABLE, RuleForm, structure_of
from banlistd.adapters.netlink.messages import (
    NFT_MSG_DELCHAIN,
    NFT_MSG_DELRULE,
    NFT_MSG_DELSET,
    NFT_MSG_DELSETELEM,
    NFT_MSG_NEWCHAIN,
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
from banlistd.core.ruleset.state import MapId
from banlistd.model import ServiceEndpoint


@dataclass(frozen=True, slots=True, eq=False)
class Composed:
    """`maps`: the map that each message number belongs to. `elements`: how many map elements the batch writes or removes.
    `has_rules`: whether it writes rules too.
    """

    batch: Batch
    maps: Mapping[int, MapId]
    elements: int
    has_rules: bool


def creation(staging: Staging, look: Look, *, form: RuleForm) -> Batch:
    """Makes the sets that are filled beside, and their chains. No rule jumps there yet: a packet that meets a new interval map
    in the commit that makes it finds it empty (measured).
    """
    batch = begun(None)
    shapes = [staged.shape for staged in staging.sets.values()]
    if staging.markers:
        shapes.append(MARKERS)
        if APPLIED in look.sets:
            batch.add(NFT_MSG_DELSET, 0, set_name(APPLIED))
    add_sets(batch, shapes)
    _add_chains(batch, chains_of_sets((shape.name for shape in shapes), translated=form.translated))
    batch.end()
    return batch


def add_sets(batch: Batch, shapes: Iterable[SetShape]) -> None:
    """Creates sets."""
    for number, shape in enumerate(shapes, 1):
        batch.add(NFT_MSG_NEWSET, NLM_F_CREATE, set_body(shape, number))


def _add_chains(batch: Batch, chains: Iterable[SetChain]) -> None:
    """The chains of sets with the rule of each, in place of those that it has."""
    for chain in chains:
        batch.add(NFT_MSG_NEWCHAIN, NLM_F_CREATE, new_chain_body(chain.name))
        batch.add(NFT_MSG_DELRULE, 0, chain_body(chain.name))
        batch.add(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, set_chain_rule(chain))


def fillings(staging: Staging, limit: Limit) -> Iterator[Batch]:
    """The batches that fill them, each within the limit."""
    for staged in staging.sets.values():
        for part in parts_of(staged.elements, limit) if staged.elements is not None else ():
            batch = begun(None)
            batch.add_block(element_messages(NFT_MSG_NEWSETELEM, batch.next_sequence, TABLE, staged.shape.name, part))
            batch.end()
            yield batch
        if staged.answers:
            batch = begun(None)
            _add_services(batch, staged.shape.name, staged.answers)
            batch.end()
            yield batch


def removal(sets: Iterable[str], chains: Iterable[str], *, empties: bool = False) -> Batch:
    """Deletes sets that no packet is looked up in, and chains that no rule jumps to. Not in the commit that changes the rules:
    a packet that is between two rules then would find nothing in them (measured: one packet a commit).

    `empties`: the chains stay, without rules.
    """
    batch = begun(None)
    for name in chains:
        batch.add(NFT_MSG_DELRULE, 0, chain_body(name))
        if not empties:
            batch.add(NFT_MSG_DELCHAIN, 0, new_chain_body(name))
    for name in sets:
        batch.add(NFT_MSG_DELSET, 0, set_name(name))
    batch.end()
    return batch


def compose(
    change: Change, look: Look, staging: Staging, table_flags: int | None = 0, *, form: RuleForm, switches: bool
) -> Composed:
    """The batch that carries out `change` in place. `switches`: rules are written, which look into what was filled beside.

    They are written as well where a map has elements now and had none, or the reverse: no rule looks into an empty map.
    """
    names = staging.names(look) if switches else look.names
    sets = Lookups(names, _maps_with_elements(change, look, names))
    batch = begun(look.generation, table_flags)
    has_rules = (switches and (change.reshape or bool(staging.sets))) or sets.asked != look.asked
    if has_rules:
        add_rules(batch, change, look, sets, form=form)
    maps, elements = _write_elements(batch, change, names)
    if switches:
        _write_passes(batch, change, staging, names)
    _write_markers(batch, change, look)
    batch.end()
    return Composed(batch, maps, elements, has_rules)


def begun(generation: int | None, table_flags: int | None = None) -> Batch:
    """A batch with a message that the kernel acknowledges and that changes nothing but the flags of the table."""
    batch = Batch(generation)
    batch.add(NFT_MSG_NEWTABLE, NLM_F_ACK, table_body(table_flags))
    return batch


def _maps_with_elements(change: Change, look: Look, names: Mapping[str, str]) -> AbstractSet[str]:
    """First names of the maps that have elements after the change. Those count, whose number the kernel does not report."""
    maps = {base: look.sets[name] for base, name in names.items() if base in EVERY_MAP and name in look.sets}
    empty = {base: one.empty for base, one in maps.items()}
    counted = {base for base, one in maps.items() if one.count is not None}
    empty |= {item.map.name: len(item.whole) == 0 for item in change.maps if item.map.name in counted}
    return bases_of(change.sources) & {base for base in empty if not empty[base]}


def add_rules(batch: Batch, change: Change, look: Look, sets: Lookups, *, form: RuleForm) -> None:
    """Every rule of NETLINK_CHAINS, written anew, and the chains of sets that are not as they should be."""
    wanted = structure_of(change.sources, form=form)
    for chain in NETLINK_CHAINS:
        if chain in look.chains:
            batch.add(NFT_MSG_DELRULE, 0, chain_body(chain))
    chains = wanted_chains(change.sources, sets.names, translated=form.translated)
    _add_chains(batch, [chain for chain in chains if chain.name not in look.set_chains])
    for chain in NETLINK_CHAINS:
        for body in netlink_rules(chain, change.sources, sets, form=form) if chain in wanted else ():
            batch.add(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, body)


def _write_elements(batch: Batch, change: Change, names: Mapping[str, str]) -> tuple[Mapping[int, MapId], int]:
    maps: dict[int, MapId] = {}
    elements = 0
    for item in change.maps:
        name = names[item.map.name]
        whole = item.replace or change.replace
        if whole:
            batch.add(NFT_MSG_DELSETELEM, 0, every_element(TABLE, name))
        steps = (
            ((NFT_MSG_NEWSETELEM, item.whole),)
            if whole
            else ((NFT_MSG_DELSETELEM, item.remove), (NFT_MSG_NEWSETELEM, item.add))
        )
        for kind, map_entries in steps:
            if len(map_entries):
                maps[batch.next_sequence] = item.map
                elements += len(map_entries)
                listed = elements_of(item.map, map_entries)
                if kind == NFT_MSG_DELSETELEM:
                    listed = Elements(listed.family, listed.first, listed.last, None)
                batch.add_block(element_messages(kind, batch.next_sequence, TABLE, name, listed))
    return maps, elements


def _write_passes(batch: Batch, change: Change, staging: Staging, names: Mapping[str, str]) -> None:
    """The allowed networks and the services whose answers pass, where they are not filled beside."""
    for family, ranges in (change.allowed or {}).items():
        base = ALLOWED[family]
        if base not in staging.sets:
            batch.add(NFT_MSG_DELSETELEM, 0, every_element(TABLE, names[base]))
            listed = Elements(family, ranges.first, ranges.last, None)
            if len(ranges):
                batch.add_block(element_messages(NFT_MSG_NEWSETELEM, batch.next_sequence, TABLE, names[base], listed))
    for family, base in SERVICES.items():
        if change.answers is not None and base not in staging.sets:
            batch.add(NFT_MSG_DELSETELEM, 0, every_element(TABLE, names[base]))
            _add_services(batch, names[base], [answer for answer in change.answers if answer.family is family])


# A service is at most 40 octets of an attribute of 65,535.
_IN_A_MESSAGE = 1000


def _add_services(batch: Batch, name: str, answers: Iterable[ServiceEndpoint]) -> None:
    keys = [service_key(answer) for answer in answers]
    for start in range(0, len(keys), _IN_A_MESSAGE):
        batch.add(NFT_MSG_NEWSETELEM, NLM_F_CREATE, key_elements(TABLE, name, keys[start : start + _IN_A_MESSAGE]))


def _write_markers(batch: Batch, change: Change, look: Look) -> None:
    """The kernel keeps the comment of an element that is added again (measured), so the old element goes first."""
    written = {marker.mark: marker for marker in change.markers}
    gone = look.marks if change.replace else look.marks & {*written, *change.retired}
    for mark in sorted(gone):
        batch.add(NFT_MSG_DELSETELEM, 0, mark_element(TABLE, APPLIED, mark, None, ""))
    for mark, marker in written.items():
        body = mark_element(TABLE, APPLIED, mark, marker_text.VERSION, marker_text.marker_text(marker))
        batch.add(NFT_MSG_NEWSETELEM, NLM_F_CREATE, body)
