"""banlistctl nodes admit, suspend and forget: whose reports count at this hub."""

from typing import TYPE_CHECKING, NamedTuple, TypedDict

from banlistd.control.commands.reports.rows import NODE_EXAMPLE, NodeRow, no_such_node, node_row, refresh_lists
from banlistd.control.declaration import NOT_FOUND, Argument, Command, PageContext
from banlistd.control.page import Page
from banlistd.core.printing import printable
from banlistd.errors import LedgerError, RefusedError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.fleet.reports.judging import Node

_MOST_OWN = 64

_NODE = Argument("id", "ID", "the `id` of the node, as its `mqtt:` has it", field="node")


class GoneRow(TypedDict):
    """`found`: whether there was such a node."""

    id: str
    found: bool


class AdmitOrder(NamedTuple):
    """The node, and whether it is a canary; None: as it was."""

    node: "Node"
    is_canary: bool | None


class NodeOrder(NamedTuple):
    """The id of a node."""

    node: str


def _read_admit(request: "ControlRequest") -> AdmitOrder:
    """Raises UsageError."""
    from banlistd.core.config.service.orders import operator_key
    from banlistd.core.config.values import Unfit, source_id
    from banlistd.core.fleet.reports.addresses import reported_address
    from banlistd.core.fleet.reports.judging import Node

    node, site, key = (_text(request, name) for name in ("node", "site", "key"))
    try:
        node_id, site_id, public = source_id(node), source_id(site), operator_key(key)
    except Unfit as verdict:
        raise UsageError(verdict.words, verdict.hint) from verdict
    own = request.fields.get("own", [])
    if not isinstance(own, list) or len(own) > _MOST_OWN or not all(isinstance(one, str) for one in own):
        raise UsageError(f"'own' is no list of {_MOST_OWN} addresses at most")
    try:
        admitted = Node(node_id, site_id, public, frozenset(map(reported_address, own)))
    except ValueError as error:
        raise UsageError("an own address is no single address", "203.0.113.7, or 2001:db8::7") from error
    return AdmitOrder(admitted, _read_canary(request))


def _read_canary(request: "ControlRequest") -> bool | None:
    """Raises UsageError."""
    begins, ends = (request.fields.get(name) is True for name in ("canary", "no_canary"))
    if begins and ends:
        raise UsageError("a node is a canary or none", "give --canary or --no-canary, or neither: then it stays as it is")
    return begins if begins or ends else None


def _text(request: "ControlRequest", name: str) -> str:
    text = request.fields.get(name)
    if not isinstance(text, str):
        raise UsageError(f"{name}: is missing", "banlistctl nodes admit ID --site SITE --key KEY")
    return text


def _read_node(request: "ControlRequest") -> NodeOrder:
    """Raises UsageError."""
    from banlistd.core.config.values import Unfit, source_id

    try:
        return NodeOrder(source_id(_text(request, "node")))
    except Unfit as verdict:
        raise UsageError(verdict.words, verdict.hint) from verdict


async def _admit(parts: "Parts", order: AdmitOrder) -> NodeRow:
    from dataclasses import replace

    register, now = parts.reports.nodes(), parts.clock.now()
    await register.admit(replace(order.node, admitted_at=now), order.is_canary)
    (admitted,) = await register.some([order.node.id])
    return node_row(admitted, await parts.reports.sightings().counts(), now)


def _admitted(row: NodeRow, _: PageContext) -> Page:
    more = ", and it is a canary: what it refuses is stopped for the fleet" if row["canary"] else ", and it is no canary"
    return [f"{printable(row['id'])} of {printable(row['site'])} is admitted: what it reports counts{more}"]


async def _suspend(parts: "Parts", order: NodeOrder) -> NodeRow:
    register, now = parts.reports.nodes(), parts.clock.now()
    if not await register.suspend(order.node, now):
        raise no_such_node(order.node)
    await _disbelieve(parts, order.node)
    await refresh_lists(parts)
    (node,) = await register.some([order.node])
    return node_row(node, {}, now)


async def _disbelieve(parts: "Parts", node: str) -> None:
    """Raises LedgerError."""
    roll_out = parts.roll_out()
    if roll_out is not None:
        await roll_out.disbelieve(node)


def _suspended(row: NodeRow, _: PageContext) -> Page:
    words = f"{printable(row['id'])} is suspended: what it has reported no longer counts"
    return [f"{words} (banlistctl nodes admit takes its reports again)"]


async def _forget(parts: "Parts", order: NodeOrder) -> GoneRow:
    found = await parts.reports.nodes().forget(order.node)
    if found:
        await _disbelieve(parts, order.node)
        await refresh_lists(parts)
    return {"id": order.node, "found": found}


def _forgotten(row: GoneRow, _: PageContext) -> Page:
    return [f"{printable(row['id'])} is {'forgotten' if row['found'] else 'not known'}"]


NODES_ADMIT: Command[AdmitOrder, NodeRow] = Command(
    name="nodes admit",
    help="take the reports of a node from now on",
    details="`banlistctl fleet join` prints the key on the node. Nodes of one site count as one: give machines of one owner, or"
    " behind one address, the same site: an address is listed once as many sites have reported it as `quorum` says. The own"
    " addresses of a node are never listed. A node that was suspended is taken again. A canary"
    " that is admitted again, with another key as well, stays one until `--no-canary`.",
    method="POST",
    example=NODE_EXAMPLE,
    arguments=(
        _NODE,
        Argument("--site", "SITE", "its owner or place, a name like an id", required=True),
        Argument("--key", "KEY", "its public key of Ed25519, base64", required=True),
        Argument("--own", "ADDRESS", "its own public addresses", nargs="*"),
        Argument("--canary", "", "a version of a list that it refuses is stopped for the fleet", is_flag=True),
        Argument("--no-canary", "", "it is a canary no longer", field="no_canary", is_flag=True),
    ),
    read=_read_admit,
    answer=_admit,
    page=_admitted,
    errors=(RefusedError, LedgerError),
)

NODES_SUSPEND: "Command[NodeOrder, NodeRow]" = Command(
    name="nodes suspend",
    help="take no report of a node any more, and delete what it has reported",
    details="Addresses that are listed because of its vote are no longer listed, at once. It stays known, so that"
    " an old report of it does not count later.",
    method="POST",
    example={**NODE_EXAMPLE, "suspended_at": 1_790_000_600.0, "sightings": 0},
    arguments=(_NODE,),
    read=_read_node,
    answer=_suspend,
    page=_suspended,
    errors=(UsageError, LedgerError),
    timeout=60.0,
)

NODES_FORGET: "Command[NodeOrder, GoneRow]" = Command(
    name="nodes forget",
    help="delete a node, and what it has reported",
    method="POST",
    example={"id": "web-1", "found": True},
    arguments=(_NODE,),
    read=_read_node,
    answer=_forget,
    page=_forgotten,
    exits={NOT_FOUND: "there was no such node"},
    errors=(LedgerError,),
    judge=lambda row: 0 if row["found"] else NOT_FOUND,
    timeout=60.0,
)
