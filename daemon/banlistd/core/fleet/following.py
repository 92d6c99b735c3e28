"""What a reload asks of the parts of a fleet: each is compared by what it is made of. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from banlistd.core.config.service.fleet import Fleet


class PartMove(StrEnum):
    """What becomes of a part."""

    KEEP = "keep"
    BEGIN = "begin"
    CHANGE = "change"
    END = "end"


@dataclass(frozen=True, slots=True)
class FleetMoves:
    """`taking`: of lists from the mirrors. `publishing`: of a hub. `reporting`: of bans, by a node."""

    taking: PartMove
    publishing: PartMove
    reporting: PartMove


def fleet_moves(before: Fleet | None, after: Fleet | None) -> FleetMoves:
    """None: there is no fleet in that configuration. Both have the same name (`restart_only_changes`)."""
    return FleetMoves(
        _move(_taking(before), _taking(after)),
        _move(_publishing(before), _publishing(after)),
        _move(_reporting(before), _reporting(after)),
    )


def _move(before: object, after: object) -> PartMove:
    if before == after:
        return PartMove.KEEP
    if before is None:
        return PartMove.BEGIN
    return PartMove.END if after is None else PartMove.CHANGE


def _taking(fleet: Fleet | None) -> object:
    if fleet is None or fleet.root is None:
        return None
    return fleet.root, fleet.urls, fleet.ca, fleet.spread, fleet.hold


def _publishing(fleet: Fleet | None) -> object:
    if fleet is None or fleet.publish is None:
        return None
    return fleet.publish, fleet.urls, fleet.ca


def _reporting(fleet: Fleet | None) -> object:
    if fleet is None or not fleet.report:
        return None
    return fleet.report, fleet.node_key
