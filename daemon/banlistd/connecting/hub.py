"""The publishing of a hub, put together where one is configured."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from banlistd.adapters.fetch.credentials import credential_file, read_credential
from banlistd.adapters.signatures.hub_repository import HubRepository
from banlistd.application import Application
from banlistd.core.config.service.fleet import Fleet, Publish
from banlistd.core.credentials import credential_names
from banlistd.core.fleet.following import PartMove, fleet_moves
from banlistd.errors import FetchError, FleetError
from banlistd.events import EventName
from banlistd.model import SourceId
from banlistd.paths import Paths
from banlistd.services.publishing.publisher import HubParts, Publisher
from banlistd.services.publishing.roll_out import RollOut
from banlistd.services.telling.event_stream import EventStream

_MOST_EVENTS = 100
_NEWS = (
    *(EventName.IMPORT_COMPLETED, EventName.SOURCE_ROLLED_BACK, EventName.SOURCE_RESUMED),
    *(EventName.LIST_STOPPED, EventName.LIST_RELEASED),
)


async def publish_lists(application: Application, fleet: Fleet, publish: Publish, places: Paths) -> None:
    """Until a reload wants to publish something else, or nothing, or it is cancelled."""
    if (roll_out := application.roll_out()) is None:
        return
    publishing = asyncio.ensure_future(_publisher(application, fleet, publish, places, roll_out).run())
    service = application.service
    try:
        while fleet_moves(fleet, (config := service.config).fleet).publishing is PartMove.KEEP:
            reload = asyncio.ensure_future(service.wait_for_another(config))
            try:
                await asyncio.wait([publishing, reload], return_when=asyncio.FIRST_COMPLETED)
            finally:
                reload.cancel()
            if publishing.done():
                publishing.result()
    finally:
        # A program that is killed on its way leaves what was published before.
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)


def _publisher(application: Application, fleet: Fleet, publish: Publish, places: Paths, roll_out: RollOut) -> Publisher:
    repository = HubRepository(places.fleet, partial(_key_file, publish, places), fleet.urls, fleet.ca)
    lists = tuple(SourceId(name) for name in publish.lists)
    parts = HubParts(
        application.enforcer.content,
        news_of(application.stream, lists),
        application.ledger,
        application.storage,
        repository,
        application.announcer,
        application.clock,
        roll_out,
    )
    return Publisher(lists, publish.every, parts)


def _key_file(publish: Publish, places: Paths) -> Path:
    """Raises FleetError."""
    (name,) = credential_names(publish.key)
    try:
        read_credential(places.credentials, name)
    except FetchError as error:
        raise FleetError(error.message, error.hint) from error
    return credential_file(places.credentials, name) if places.credentials else Path(name)


def news_of(stream: EventStream, lists: tuple[SourceId, ...]) -> Callable[[float], Awaitable[bool]]:
    """Waits at most so many seconds; whether there may be something to publish since the last call."""
    last = stream.newest(0).last

    async def news(seconds: float) -> bool:
        nonlocal last
        reading = await stream.wait_after(last, _MOST_EVENTS, seconds)
        last = reading.last
        is_one = any(each.event.name in _NEWS and each.event.fields.get("SOURCE_ID") in lists for each in reading.events)
        return is_one or reading.lost > 0

    return news
