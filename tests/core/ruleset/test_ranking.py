"""Who has most bans, of a plan made by the planner itself."""

from collections.abc import Mapping

import numpy as np

from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges
from banlistd.core.feeds.parsers import parse
from banlistd.core.geo.tables import GeoTable, layer_of, number_of
from banlistd.core.geo.types import By
from banlistd.core.ruleset.plan import plan
from banlistd.core.ruleset.ranking import Rank, count, count_watched, rank, rank_sources
from banlistd.core.ruleset.state import FirewallState
from banlistd.formats import Format
from banlistd.model import Action, Direction, Family, Mark, SourceId, SourceSlot

NOBODY: Mapping[Family, Ranges] = {family: Ranges.none(family) for family in FAMILIES}
V4 = Family.IPV4
NET = 0xC0000200


def state(*lists: tuple[str, str, Action, Direction]) -> FirewallState:
    sources = tuple(
        SourceSlot(Mark(at), SourceId(name), action, direction) for at, (name, _, action, direction) in enumerate(lists, 1)
    )
    contents = {SourceId(name): parsed(text) for name, text, _, _ in lists}
    return plan(sources, contents, NOBODY, NOBODY, ())


def parsed(text: str) -> AddressSet:
    return parse(text.replace(" ", "\n").encode(), Format()).addresses


def table() -> GeoTable:
    """The first half of 192.0.2.0/24 is Norway's, the second Sweden's."""
    first = np.array([NET, NET + 128], dtype=np.uint32)
    code = np.array([number_of("NO"), number_of("SE")], dtype=np.uint32)
    return GeoTable({V4: layer_of(V4, first, first + np.uint32(127), code), Family.IPV6: GeoTable.none().layers[Family.IPV6]})


def test_single_addresses_and_networks_are_counted_where_they_belong() -> None:
    held = state(("a", "192.0.2.1 192.0.2.2 192.0.2.192/28 198.51.100.0/24 2001:db8::1", Action.DROP, Direction.IN))
    assert rank(held, table(), By.COUNTRY) == [
        Rank("", "", 2, 256),
        Rank("NO", "Norway", 2, 2),
        Rank("SE", "Sweden", 1, 16),
    ]
    assert count(held) == 5


def test_a_network_of_two_countries_is_a_ban_of_each_and_its_addresses_are_shared_out() -> None:
    held = state(("a", "192.0.2.0/24", Action.DROP, Direction.IN))
    assert rank(held, table(), By.COUNTRY) == [Rank("NO", "Norway", 1, 128), Rank("SE", "Sweden", 1, 128)]
    assert count(held) == 1


def test_what_is_only_watched_is_not_counted_and_both_directions_count_once() -> None:
    held = state(
        ("a", "192.0.2.1", Action.REJECT, Direction.BOTH),
        ("b", "192.0.2.2 192.0.2.3", Action.COUNT, Direction.IN),
        ("c", "192.0.2.4", Action.DROP, Direction.OUT),
    )
    assert rank(held, table(), By.COUNTRY) == [Rank("NO", "Norway", 2, 2)]
    assert rank_sources(held) == [Rank("a", "", 1, 1), Rank("c", "", 1, 1)]
    assert (count(held), count_watched(held)) == (2, 2)
    only_in = state(("a", "192.0.2.1", Action.DROP, Direction.IN), ("b", "192.0.2.2", Action.LOG, Direction.IN))
    assert (count(only_in), count_watched(only_in)) == (1, 1)


def test_sources_are_ranked_by_what_they_own() -> None:
    held = state(
        ("a", "192.0.2.1", Action.DROP, Direction.IN),
        ("b", "192.0.2.1 192.0.2.2 198.51.100.0/24", Action.DROP, Direction.IN),
        ("c", "192.0.2.2", Action.DROP, Direction.IN),
    )
    assert rank_sources(held) == [Rank("b", "", 2, 257), Rank("a", "", 1, 1), Rank("c", "", 0, 0)]


def test_operators_have_the_names_that_the_database_has() -> None:
    layers = {family: GeoTable.none().layers[family] for family in FAMILIES}
    first = np.array([NET], dtype=np.uint32)
    layers[V4] = layer_of(V4, first, first + np.uint32(255), np.array([64496], dtype=np.uint32))
    held = state(("a", "192.0.2.1", Action.DROP, Direction.IN))
    assert rank(held, GeoTable(layers, {64496: "Example Network"}), By.ASN) == [Rank("AS64496", "Example Network", 1, 1)]


def test_nothing_is_ranked_where_nothing_is_banned() -> None:
    assert not rank(state(), table(), By.COUNTRY)
    assert not rank_sources(state())
