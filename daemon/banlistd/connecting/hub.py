"""The publishing of a hub, put together where one is configured."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

from banlistd.adapters.fetch.credentials import credential_file, read_credential
from banlistd.adapters.fetch.fleet.other_hubs import OtherHubPrograms
from banlistd.adapters.signatures.hub_repository import HubRepository
from banlistd.application import Application
from banlistd.core.config.service.fleet import Fleet, Publish
from banlistd.core.credentials import credential_names
from banlistd.core.fleet.following import PartMove, fleet_moves
from banlistd.errors import BanlistdError, FetchError, FleetError
from banlistd.events import EventName
from banlistd.model import OutcomeKind, SourceId
from banlistd.paths import Paths
from banlistd.services.publishing.cosigning import Cosigning, CosigningParts, JudgedList
from banlistd.services.publishing.publisher import HubParts, Publisher
from banlistd.services.publishing.roll_out import RollOut
from banlistd.services.telling.event_stream import EventStream

_MOST_EVENTS = 100
_NEWS = (
    *(EventName.IMPORT_COMPLETED, EventName.SOURCE_ROLLED_BACK, EventName.SOURCE_RESUMED),
    *(EventName.LIST_STOPPED, EventName.LIST_RELEASED),
)

_NOT_GOOD = (OutcomeKind.FAILED, OutcomeKind.REFUSED, OutcomeKind.DEFERRED)


async def publish_lists(application: Application, fleet: Fleet, publish: Publish, places: Paths) -> None:
    """Until a reload wants to publish something else, or nothing, or it is cancelled."""
    if (roll_out := application.roll_out()) is None:
        return
    cosigning, repository = _parts(application, fleet, publish, places, roll_out)
    publisher = _publisher(application, publish, repository, roll_out)
    running = [asyncio.ensure_future(each.run()) for each in (publisher, cosigning) if each is not None]
    service = application.service
    try:
        while fleet_moves(fleet, (config := service.config).fleet).publishing is PartMove.KEEP:
            reload = asyncio.ensure_future(service.wait_for_another(config))
            try:
                await asyncio.wait([*running, reload], return_when=asyncio.FIRST_COMPLETED)
            finally:
                reload.cancel()
            for task in running:
                if task.done():
                    task.result()
    finally:
        # A program that is killed on its way leaves what was published before.
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        roll_out.missing = ()


def _parts(
    application: Application, fleet: Fleet, publish: Publish, places: Paths, roll_out: RollOut
) -> tuple[Cosigning | None, HubRepository]:
    """What signs for other hubs, if there are any, and the repository."""
    key = partial(_key_file, publish, places)
    if not publish.cosigners:
        return None, HubRepository(places.fleet, key, fleet.urls, fleet.ca)
    sources = {source.id: source for source in application.service.config.sources}
    judged = [
        JudgedList(source.id, source.max_bytes) for name in publish.lists if (source := sources.get(SourceId(name))) is not None
    ]
    others = OtherHubPrograms(places.fleet, publish.cosigners, fleet.ca, places.scratch, version("banlistd"))
    polls: set[asyncio.Task[None]] = set()

    def poll(source_id: SourceId) -> None:
        task = asyncio.ensure_future(_poll(application, source_id))
        polls.add(task)
        task.add_done_callback(polls.discard)

    parts = CosigningParts(
        others,
        HubRepository(places.fleet, key, (), None),
        application.enforcer.content,
        poll,
        roll_out,
        application.announcer,
        application.clock,
    )
    cosigning = Cosigning(judged, parts)
    return cosigning, HubRepository(places.fleet, key, fleet.urls, fleet.ca, cosigning.cosigned)


async def _poll(application: Application, source_id: SourceId) -> None:
    """What the other hub has may be in the feed by now. Its outcome is announced as that of any poll."""
    with suppress(BanlistdError):
        await application.service.refresh([source_id], anyway=False)


async def _is_polled(application: Application, source_id: SourceId) -> bool:
    """Whether it gave a good list, or an operator has it paused or pinned."""
    with suppress(BanlistdError):
        outcomes = await application.service.refresh([source_id], anyway=False)
        return all(one.kind not in _NOT_GOOD for one in outcomes)
    return False


def _publisher(application: Application, publish: Publish, repository: HubRepository, roll_out: RollOut) -> Publisher:
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
        partial(_is_polled, application),
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
