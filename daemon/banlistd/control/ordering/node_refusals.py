"""The versions of the fleet's lists that this host refuses, as it says them to its hub."""

from dataclasses import asdict
from typing import TypedDict

from banlistd.control.declaration import Command, no_fields
from banlistd.control.parts import Parts


class NodeRefusalRow(TypedDict):
    """As `core/fleet/roll_out/refusals` has it."""

    list: str
    content_hash: str
    guard: str
    reason: str
    base: str


async def _answer(parts: Parts, _: tuple[()]) -> list[NodeRefusalRow]:
    from banlistd.core.fleet.roll_out.verdicts import refused_versions  # noqa: PLC0415 - only nodes of a fleet ask

    rows: list[NodeRefusalRow] = []
    for source in [source for source in parts.service.config.sources if source.hub and source.enabled]:
        record, suspensions = await parts.records.record(source.id), parts.suspended.of(source.id)
        versions = await parts.history.versions(source.id) if suspensions else ()
        content = parts.enforcer.content(source.id)
        base = content.content_hash if content is not None else ""
        refused = refused_versions(source.hub, record.quarantined, record.newest, suspensions, versions, base)
        rows += [NodeRefusalRow(**asdict(one)) for one in refused]  # type: ignore[typeddict-item]
    return rows


NODE_REFUSALS: Command[tuple[()], list[NodeRefusalRow]] = Command(
    name="node refusals",
    help="the versions of lists that are refused here",
    method="GET",
    example=[],
    read=no_fields,
    answer=_answer,
    page=lambda *_: [],
)
"""Not among the commands of the control socket: only the connection to the broker asks it."""
