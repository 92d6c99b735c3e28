"""What banlistd does once it is called: check, poll once, dry run, serve, tear down. Each returns an exit code."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import NoReturn, cast

from banlistd.adapters.system.console import Draw, has_status_line, status_line
from banlistd.application import Application
from banlistd.compose import files_of_now, load_config, load_files, open_application, reload_effect
from banlistd.control.commands.monitoring.health import HEALTH, HealthAnswer
from banlistd.control.listener import make_folder
from banlistd.control.page import clock_time
from banlistd.control.server import serve as answering
from banlistd.core.config.kept import Files, Loaded
from banlistd.core.config.model import Config
from banlistd.core.feeds.found_list import Findings, skipped_in_words
from banlistd.core.printing import counted
from banlistd.core.ruleset.measuring.summary import LastVerdict
from banlistd.core.ruleset.ranking import count, rank_sources
from banlistd.daemon import Service
from banlistd.errors import BanlistdError, LedgerError
from banlistd.model import Outcome
from banlistd.paths import Paths
from banlistd.services.loops.faults import FaultRecorder
from banlistd.starting import garbage, threads
from banlistd.starting.first_start import Begun
from banlistd.starting.remarks import file_remarks, host_remarks, list_remarks
from banlistd.teardown import tear_down

_STDIN = 0

_NEXT_TRY = 60.0  # seconds until metrics are tried again where they cannot be served, and between two verdicts

_PAUSE = 0.3  # seconds between two looks at how many sources are done


def check_config(places: Paths) -> int:
    config = load_config(places)
    remarks = file_remarks(places, config)  # while this process has one thread
    print(f"{places.config}: the configuration is right: {counted(len(config.sources), 'source', 'sources')}")
    asyncio.run(_tell_effect(places, config))
    for remark in (*list_remarks(config), *remarks, *asyncio.run(host_remarks(places, config))):
        print(f"banlistd: warning: {remark.message}\n    {remark.hint}", file=sys.stderr)
    return 0


def once(places: Paths, *, dry_run: bool, debug: bool = False) -> int:
    poll = _rehearsed if dry_run else _once
    return asyncio.run(poll(places, load_files(places), debug=debug), debug=debug)


def serve_daemon(places: Paths, *, debug: bool = False, begun: Begun = None) -> int:
    """`begun`: the process that forks parser processes, where it was started before this module was imported."""
    return asyncio.run(_serve(places, load_files(places), begun), debug=debug)


def teardown(places: Paths) -> int:
    emptied = asyncio.run(tear_down(places))
    print(f"nothing of banlistd is left in {', '.join(emptied)}")
    return 0


async def _once(places: Paths, loaded: Loaded, *, debug: bool) -> int:
    # Lines of the debug log do not pass the status line, and say more than it does.
    with status_line(sys.stderr) if has_status_line(sys.stderr) and not debug else nullcontext(_ignore) as draw:
        async with open_application(places, loaded, stdin=_STDIN) as application:
            await application.restore()
            garbage.look_from_now_on()
            outcomes = await _refreshed(application.service, draw)
            return _worst(outcomes, application.storage.fault)


def _ignore(_done: int, _total: int) -> None:
    """Where no status line is drawn."""


async def _refreshed(service: Service, draw: Draw) -> Sequence[Outcome]:
    """Poll every enabled source, and draw how many are done."""
    drawing = asyncio.create_task(_draw_again(service, draw))
    try:
        return await service.refresh()
    finally:
        drawing.cancel()


async def _draw_again(service: Service, draw: Draw) -> NoReturn:
    while True:
        draw(*service.refreshing)
        await asyncio.sleep(_PAUSE)


async def _rehearsed(places: Paths, loaded: Loaded, *, debug: bool) -> int:
    """Print what would be banned."""
    async with open_application(places, loaded, dry_run=print, stdin=_STDIN, debug=debug) as application:
        await application.restore()
        garbage.look_from_now_on()
        outcomes = await application.service.refresh()
        found = await application.findings.every()
        for outcome in outcomes:
            if outcome.deferred:
                print(f"{outcome.source_id}: not asked now, its last content is shown: {outcome.deferred}")
            if skipped := skipped_in_words(found.get(outcome.source_id, Findings())):
                print(f"{outcome.source_id}: {skipped}")
        state = application.enforcer.state
        for one in rank_sources(state) if state else ():
            print(f"{one.key}: {counted(one.bans, 'element', 'elements')} would be banned")
        print(f"nothing was changed; {counted(count(state) if state else 0, 'ban', 'bans')} would be in force")
        await _tell_effect(places, loaded.config)
        return _worst(outcomes, application.storage.fault)


async def _tell_effect(places: Paths, config: Config) -> None:
    """Say how many of the bans in force a reload would lift; without a state there are none."""
    try:
        lift = await reload_effect(places, config)
    except LedgerError as error:
        print(f"banlistd: not compared with what is in force: {error}", file=sys.stderr)
        return
    if lift is None:
        return
    print(f"a reload would lift {lift}")
    if lift.is_large:
        print(
            f"banlistd: warning: without its number the reload is refused: banlistctl reload --lift {lift.lifted}",
            file=sys.stderr,
        )


def _worst(outcomes: Sequence[Outcome], fault: str) -> int:
    if fault:
        print(f"banlistd: what was imported could not be written down: {fault}", file=sys.stderr)
        return LedgerError.exit_code
    return next((outcome.exit_code for outcome in outcomes if outcome.exit_code), 0)


async def _serve(places: Paths, loaded: Loaded, begun: Begun) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # The files are read again in any case, once all runs; without this, SIGHUP would end the process.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    async with open_application(places, loaded, begun=begun) as application:
        await application.restore()
        garbage.look_from_now_on()
        threads.take_short_turns()
        reloads: set[asyncio.Task[None]] = set()
        loop.add_signal_handler(signal.SIGHUP, lambda: reloads.add(loop.create_task(_reload(application))))
        make_folder(places.runtime)
        control = answering(application.answers, places.socket, application.announce_order)
        talking = _connected_to_broker(application, places)
        publishing = _publishing(application, places)
        showing = _repeated(application, partial(_show_verdict, application))
        async with control, _monitored(application), talking, publishing, showing:
            # A command that changed the files before there was a socket could not ask for a reload.
            reloads.add(loop.create_task(_reload_if_changed(application, places, loaded.files)))
            await application.service.run(stop)
    return 0


@asynccontextmanager
async def _monitored(application: Application) -> AsyncIterator[None]:
    """Metrics and health are served meanwhile, if they are configured. Where they cannot be, bans and repairs go on."""
    place = application.service.config.metrics.listen
    if place is None:
        yield
        return
    # Only here: most hosts have no Prometheus.
    from banlistd.control.monitoring.serving import serve_monitoring  # noqa: PLC0415 - see above

    async with _repeated(application, partial(serve_monitoring, place, application.answers)):
        yield


@asynccontextmanager
async def _connected_to_broker(application: Application, places: Paths) -> AsyncIterator[None]:
    """State, events and orders pass over MQTT meanwhile, while a broker is configured; bans and repairs do not wait for it."""
    async with _repeated(application, partial(_talk_to_broker, application, places)):
        yield


async def _talk_to_broker(application: Application, places: Paths) -> None:
    config = application.service.config
    if config.mqtt is None:
        await application.service.wait_for_another(config)
        # A broker that is configured now is not given all that has happened since the start.
        application.broker.read_up_to = application.stream.newest(1).last
        return
    # Only here: most hosts have no broker.
    from banlistd.connecting.broker import talk_to_broker  # noqa: PLC0415 - see above

    await talk_to_broker(application, places)


@asynccontextmanager
async def _publishing(application: Application, places: Paths) -> AsyncIterator[None]:
    """Lists are published for a fleet meanwhile, while this machine is a hub; its own bans do not wait for it."""
    async with _repeated(application, partial(_publish, application, places)):
        yield


async def _publish(application: Application, places: Paths) -> None:
    config = application.service.config
    fleet = config.fleet
    if fleet is None or fleet.publish is None:
        await application.service.wait_for_another(config)
        return
    # Only here: most hosts are no hub.
    from banlistd.connecting.hub import publish_lists  # noqa: PLC0415 - see above

    await publish_lists(application, fleet, fleet.publish, places)


async def _show_verdict(application: Application) -> None:
    """For `systemctl status`, which asks nothing by itself."""
    health = cast("HealthAnswer", await application.answers(HEALTH, ()))
    application.service.show(LastVerdict(health["verdict"], _next_poll(health["next_poll"], time.time())))
    await asyncio.sleep(_NEXT_TRY)


def _next_poll(due: float | None, now: float) -> str:
    """`now` for a poll that is due: a source whose poll is under way, or is put off after a pause of the daemon."""
    return "" if due is None else clock_time(due, now) if due > now else "now"


@asynccontextmanager
async def _repeated(application: Application, turn: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Meanwhile, take turns; after an error, which is announced, wait for a minute."""
    task = asyncio.ensure_future(FaultRecorder(application.announcer).repeat(turn, _NEXT_TRY))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _reload_if_changed(application: Application, places: Paths, files: Files) -> None:
    """Reload, unless the files are still those that the start has read."""
    if await asyncio.to_thread(files_of_now, places) != files:
        await _reload(application)


async def _reload(application: Application) -> None:
    # The error has been announced; the old configuration stays in force.
    with suppress(BanlistdError):
        await application.service.reload()
        await application.announce_remarks()
