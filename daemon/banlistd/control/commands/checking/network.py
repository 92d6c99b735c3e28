"""How much of a network or a range is banned, and which sources list any of it: the answer, and its sentences."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.commands.manual_bans.rows import ExemptionRow, exemption_rows
from banlistd.control.page import Page
from banlistd.core.printing import counted, printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.core.addresses.sets import Addresses, AddressSet, Ranges
    from banlistd.model import Span


class PartialListingRow(TypedDict):
    """A source that lists any of a network: how many of its addresses."""

    id: str
    addresses: int


class NetworkAnswer(TypedDict):
    """Of a network or a range. `banned`: whether all of it is. `addresses`, `banned_addresses`: how many it has, and how many
    of them are banned. `partly_banned`: of how many others some packets are blocked. `exempt`: what of it no source bans.
    """

    address: str
    banned: bool
    addresses: int
    banned_addresses: int
    partly_banned: int
    sources: list[PartialListingRow]
    exempt: list[ExemptionRow]


async def answer_on_network(parts: "Parts", span: "Span") -> NetworkAnswer:
    import asyncio

    return await asyncio.to_thread(_answer, parts, span)


def _answer(parts: "Parts", span: "Span") -> NetworkAnswer:
    from dataclasses import replace

    from banlistd.core.addresses.text import span_text
    from banlistd.core.manual.manual_bans import OPERATOR, BanOrder, exemptions_of
    from banlistd.core.ruleset.state import Hook

    family, first, last = span
    policy, state = parts.enforcer.effective_policy, parts.enforcer.state
    banned = [
        (entries.first, entries.last)
        for map_id, entries in (state.map_entries.items() if state else ())
        if map_id.family is family and map_id.hook in (Hook.IN, Hook.OUT)
    ]
    banned_addresses = within_span(span, banned).count()
    scoped = [
        (entries.first, entries.last)
        for map_id, entries in (state.map_entries.items() if state else ())
        if map_id.family is family and map_id.hook.scope_number
    ]
    either = within_span(span, banned + scoped).count()
    contents = {source.source_id: parts.enforcer.content(source.source_id) for source in policy.sources}
    listed = {
        source_id: within_span(span, entries_near(content.addresses, span)).count()
        for source_id, content in contents.items()
        if content is not None
    }
    # What the host needs only answers from is banned; what was learned is not, but where a manual ban bans it.
    protected = [replace(item, learned=False) for item in parts.enforcer.protected if not item.answers]
    _, exemptions = exemptions_of(BanOrder(family, first, last, None, OPERATOR, ""), policy, protected)
    return {
        "address": span_text(span),
        "banned": banned_addresses == last - first + 1,
        "addresses": last - first + 1,
        "banned_addresses": banned_addresses,
        "partly_banned": either - banned_addresses,
        "sources": [{"id": source_id, "addresses": count} for source_id, count in listed.items() if count],
        "exempt": exemption_rows(exemptions),
    }


def entries_near(addresses: "AddressSet", span: "Span") -> "list[tuple[Addresses, Addresses]]":
    hosts, nets = addresses.hosts(span[0]), addresses.nets(span[0])
    return [(hosts, hosts), (nets.first, nets.last)]


def within_span(span: "Span", bounds: "list[tuple[Addresses, Addresses]]") -> "Ranges":
    """What of sorted, disjoint ranges is in a span."""
    import numpy as np

    from banlistd.core.addresses.sets import Ranges, from_numbers, intersection, union_of

    family, low, high = span
    ends = [from_numbers(family, [end]) for end in (low, high)]
    found = []
    for first, last in bounds:
        part = slice(int(last.searchsorted(ends[0])[0]), int(first.searchsorted(ends[1], side="right")[0]))
        found.append((first[part], last[part]))
    firsts, lasts = (np.concatenate([ends[0][:0], *(pair[at] for pair in found)]) for at in (0, 1))
    return intersection(union_of(family, firsts, lasts), Ranges(family, *ends))


def network_lines(answer: NetworkAnswer) -> Page:
    """How much of it is banned; then who lists it, and what is exempt."""
    rows = [f"{printable(row['id'])} ({row['addresses']:,})" for row in answer["sources"]]
    listed = [f"  listed by: {', '.join(rows)}"] if rows else []
    exempt = [f"  never banned: {printable(item['address'])} ({printable(item['reason'])})" for item in answer["exempt"]]
    partly = counted(answer["partly_banned"], "address", "addresses")
    some = [f"  some packets of {partly} are blocked, by sources with a scope"] if answer["partly_banned"] else []
    return [f"{printable(answer['address'])} {_how_much(answer)}", *some, *listed, *exempt]


def _how_much(answer: NetworkAnswer) -> str:
    if answer["banned"]:
        return f"is banned, all {counted(answer['addresses'], 'address', 'addresses')}"
    return f"is banned in part: {banned_part(answer)}" if answer["banned_addresses"] else "is not banned"


def banned_part(answer: NetworkAnswer) -> str:
    return f"{answer['banned_addresses']:,} of {counted(answer['addresses'], 'address', 'addresses')}"
