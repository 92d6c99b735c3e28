"""Which parts of a fleet a reload changes."""

from dataclasses import replace
from pathlib import Path

import pytest

from banlistd.core.config.service.fleet import Fleet, Publish
from banlistd.core.fleet.following import FleetMoves, PartMove, fleet_moves

BARE = Fleet(name="main")
NODE = replace(BARE, root=Path("/r"), urls=("https://a.example",), report=("fail2ban/*",), node_key="${credential:node-key}")
HUB = replace(BARE, publish=Publish(lists=("drop",), key="${credential:hub-key}"))
KEPT = FleetMoves(PartMove.KEEP, PartMove.KEEP, PartMove.KEEP)


@pytest.mark.parametrize("same", [None, BARE, NODE, HUB], ids=["none", "bare", "node", "hub"])
def test_what_is_the_same_is_kept(same: Fleet | None) -> None:
    assert fleet_moves(same, same) == KEPT
    assert fleet_moves(None, BARE) == KEPT


def test_a_fleet_that_comes_begins_what_it_asks_for_and_one_that_goes_ends_it() -> None:
    assert fleet_moves(None, NODE) == FleetMoves(PartMove.BEGIN, PartMove.KEEP, PartMove.BEGIN)
    assert fleet_moves(NODE, None) == FleetMoves(PartMove.END, PartMove.KEEP, PartMove.END)
    assert fleet_moves(NODE, HUB) == FleetMoves(PartMove.END, PartMove.BEGIN, PartMove.END)


@pytest.mark.parametrize(
    ("after", "moves"),
    [
        (replace(NODE, hold=600.0), replace(KEPT, taking=PartMove.CHANGE)),
        (replace(NODE, spread=1.0), replace(KEPT, taking=PartMove.CHANGE)),
        (replace(NODE, root=Path("/s")), replace(KEPT, taking=PartMove.CHANGE)),
        (replace(NODE, ca=Path("/c")), replace(KEPT, taking=PartMove.CHANGE)),
        (replace(NODE, node_key="${credential:other}"), replace(KEPT, reporting=PartMove.CHANGE)),
        (replace(NODE, report=("*",)), replace(KEPT, reporting=PartMove.CHANGE)),
        (replace(NODE, report=()), replace(KEPT, reporting=PartMove.END)),
    ],
)
def test_a_key_of_a_node_changes_the_part_that_it_is_for(after: Fleet, moves: FleetMoves) -> None:
    assert fleet_moves(NODE, after) == moves


@pytest.mark.parametrize(
    "after",
    [
        replace(HUB, urls=("https://b.example",)),  # where another hub would be seen
        replace(HUB, publish=Publish(lists=("drop", "ssh"), key="${credential:hub-key}")),
        replace(HUB, publish=Publish(lists=("drop",), key="${credential:hub-key}", every=1.0)),
        replace(HUB, publish=Publish(lists=("drop",), key="${credential:other}")),
    ],
)
def test_a_key_of_a_hub_changes_its_publishing(after: Fleet) -> None:
    assert fleet_moves(HUB, after) == replace(KEPT, publishing=PartMove.CHANGE)
