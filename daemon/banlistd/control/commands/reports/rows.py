"""A node of a fleet, as an answer of its hub shows it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from banlistd.errors import UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.core.fleet.reports.judging import Node


class NodeRow(TypedDict):
    """`key`: public, base64. `own`: its own addresses. `sightings`: how many addresses it has reported that still count.

    Times are in seconds since the epoch; null: never. `left`: new addresses that it may report within this hour. `canary`:
    whether versions of lists that it refuses are stopped for the fleet. `silent_since`: when it was noticed that nothing was
    heard of it for an hour; null: it is heard.
    """

    id: str
    site: str
    key: str
    own: list[str]
    admitted_at: float
    suspended_at: float | None
    reported_at: float | None
    sightings: int
    left: int
    canary: bool
    silent_since: float | None


NODE_EXAMPLE: NodeRow = {
    "id": "web-1",
    "site": "oslo",
    "key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "own": ["203.0.113.1"],
    "admitted_at": 1_790_000_000.0,
    "suspended_at": None,
    "reported_at": 1_790_000_300.0,
    "sightings": 12,
    "left": 488,
    "canary": False,
    "silent_since": None,
}


def node_row(node: "Node", counts: Mapping[str, int], now: float) -> NodeRow:
    from base64 import b64encode

    from banlistd.core.fleet.reports.addresses import address_text

    return {
        "id": node.id,
        "site": node.site,
        "key": b64encode(node.key).decode(),
        "own": sorted(map(address_text, node.own)),
        "admitted_at": node.admitted_at,
        "suspended_at": node.suspended_at,
        "reported_at": node.reported_at,
        "sightings": counts.get(node.id, 0),
        "left": node.quota.left(now),
        "canary": node.is_canary,
        "silent_since": node.silent_since,
    }


async def refresh_lists(parts: "Parts") -> None:
    """Import what nodes have reported, after one has lost its vote. What fails is announced, and tried again by the timer."""
    from contextlib import suppress

    from banlistd.errors import BanlistdError

    lists = [source.id for source in parts.service.config.sources if source.reports and source.enabled]
    if lists:
        with suppress(BanlistdError):
            await parts.service.refresh(lists, anyway=False)


def no_such_node(node_id: str) -> UsageError:
    return UsageError(f"no node {node_id} is admitted", "banlistctl nodes lists them")
