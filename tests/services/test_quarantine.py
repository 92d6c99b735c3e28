"""Lists that a guard refused, from the poll to the approval: real ledger and quarantine, real parsers, real accidents."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from banlistd.core.config.model import Config, Source
from banlistd.core.config.sections.guards import Guards
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError
from banlistd.events import Event, EventName
from banlistd.model import NotModified, Outcome, OutcomeKind, SourceId, Validators
from banlistd.ports import OnBody
from support.data import needs_data, real_list
from support.fakes import FakeFetcher
from support.sources import config_of, source
from worlds import DaemonWorld, Environment, run

FEED = SourceId("feed")
HOUR, DAY = 3600.0, 86400.0


def hosts(number: int, start: int = 0) -> bytes:
    return b"".join(b"198.51.%d.%d\n" % divmod(index, 256) for index in range(start, start + number))


def environment_on(disk: Path) -> Environment:
    return Environment(disk, fetcher=FakeFetcher({FEED: hosts(100)}))


def config_with(**keys: object) -> Config:
    return config_of(source(FEED, **keys))


async def poll(world: DaemonWorld, body: bytes | FetchError | None = None, later: float = HOUR) -> Outcome:
    world.clock.time += later
    if body is not None:
        world.fetcher.bodies[FEED] = body
    return await world.poll(FEED)


def bans(world: DaemonWorld) -> int:
    return len(world.enforcer.state or ())


def last(world: DaemonWorld, name: EventName) -> Event:
    return [event for event in world.announcer.events if event.name is name][-1]


async def guard_of(world: DaemonWorld) -> str:
    quarantined = await world.quarantine.quarantined(FEED)
    return quarantined.guard if quarantined else ""


def test_a_first_list_that_is_refused_does_not_speak_of_a_last_good_one(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        outcome = await poll(world, b"<!DOCTYPE html><title>Not Found</title>")
        assert (outcome.kind, bans(world)) == (OutcomeKind.REFUSED, 0)
        message = last(world, EventName.IMPORT_REFUSED).message
        assert "nothing of it is banned" in message
        assert "last good content" not in message
        await poll(world, hosts(100))
        await poll(world, b"<!DOCTYPE html><title>Not Found</title>")
        assert "the last good content stays" in last(world, EventName.IMPORT_REFUSED).message

    run(environment_on(tmp_path), config_with(), life)


def test_refused_list_is_quarantined_and_the_last_good_one_stays(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        outcome = await poll(world, hosts(30))
        assert outcome.kind is OutcomeKind.REFUSED
        assert outcome.error.startswith("shrunk: 30 entries where 100 were")
        assert bans(world) == 100
        event = last(world, EventName.IMPORT_REFUSED)
        assert event.fields["GUARD"] == "shrunk"
        assert str(event.fields["REASON"]).startswith("shrunk: 30 entries")
        held = await world.quarantine.quarantined(FEED)
        assert held is not None
        assert (held.guard, held.entries, held.refusals, held.approved) == ("shrunk", 30, 1, False)

    run(environment_on(tmp_path), config_with(), life)


def test_a_good_list_clears_the_quarantine(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        await poll(world, b"")
        assert await guard_of(world) == "empty"
        await poll(world, hosts(101))
        assert await guard_of(world) == ""
        assert bans(world) == 101

    run(environment_on(tmp_path), config_with(), life)


def test_the_last_good_list_unchanged_clears_the_quarantine_too(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        await poll(world, b"")
        assert (await poll(world, hosts(100))).kind is OutcomeKind.SKIPPED
        assert await guard_of(world) == ""

    run(environment_on(tmp_path), config_with(), life)


def test_validators_of_refused_content_are_never_sent(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        good = (await world.ledger.poll(FEED)).validators
        await poll(world, b"")
        await poll(world)
        assert world.fetcher.asked[-1][1] == good
        assert (await world.ledger.poll(FEED)).validators == good

    run(environment_on(tmp_path), config_with(), life)


def test_approved_content_is_taken_without_a_download_and_stays(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        await poll(world, hosts(30))
        held = await world.quarantine.quarantined(FEED)
        assert held is not None
        assert await world.quarantine.approve(FEED, held.content_hash)
        asked = len(world.fetcher.asked)
        world.fetcher.bodies[FEED] = FetchError("no network")
        outcome = await poll(world)
        assert (outcome.kind, outcome.removed) == (OutcomeKind.COMPLETED, 70)
        assert len(world.fetcher.asked) == asked
        assert bans(world) == 30
        assert await guard_of(world) == ""
        assert "because it was approved" in last(world, EventName.IMPORT_COMPLETED).message
        assert (await world.ledger.poll(FEED)).validators == Validators()
        # Its server has it still, with another header: what the firewall holds is not asked about again.
        assert (await poll(world, b"# noon\n" + hosts(30))).kind is OutcomeKind.SKIPPED
        assert (await poll(world, hosts(31))).kind is OutcomeKind.COMPLETED

    run(environment_on(tmp_path), config_with(), life)


def test_an_approval_outlives_a_crash_before_the_kernel(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def approve(world: DaemonWorld) -> None:
        await poll(world)
        await poll(world, hosts(30))
        held = await world.quarantine.quarantined(FEED)
        assert held is not None
        await world.quarantine.approve(FEED, held.content_hash)
        environment.firewall.fail_before = True
        assert (await poll(world)).kind is OutcomeKind.FAILED
        environment.firewall.fail_before = False

    async def again(world: DaemonWorld) -> None:
        assert bans(world) == 100
        assert (await poll(world)).kind is OutcomeKind.COMPLETED
        assert bans(world) == 30

    run(environment, config_with(), approve)
    run(environment, config_with(), again)


def test_what_a_guard_refuses_for_ever_is_approved_once_and_for_all(tmp_path: Path) -> None:
    """A list too wide stays too wide; as long as it stays the same, it is not refused again."""

    async def life(world: DaemonWorld) -> None:
        wide = b"0.0.0.0/1\n"
        assert (await poll(world, wide)).kind is OutcomeKind.REFUSED
        assert await guard_of(world) == "wide"
        held = await world.quarantine.quarantined(FEED)
        assert held is not None
        await world.quarantine.approve(FEED, held.content_hash)
        assert (await poll(world)).kind is OutcomeKind.COMPLETED
        assert (await poll(world)).kind is OutcomeKind.SKIPPED
        assert (await poll(world, b"0.0.0.0/1\n192.0.2.1\n")).kind is OutcomeKind.REFUSED

    run(environment_on(tmp_path), config_with(), life)


def test_a_list_that_stays_shrunk_is_taken_and_says_so(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        for hour in range(72):
            # Its content goes on changing a little; a server out of order in between is no good list.
            body = FetchError("HTTP 503") if hour % 10 == 5 else hosts(30 + hour % 3)
            outcome = await poll(world, body)
            assert outcome.kind is not OutcomeKind.COMPLETED, hour
        outcome = await poll(world, hosts(30))
        assert outcome.kind is OutcomeKind.COMPLETED
        assert bans(world) == 30
        assert "taken although shrunk, because it has stayed so" in last(world, EventName.IMPORT_COMPLETED).message
        assert await guard_of(world) == ""

    run(environment_on(tmp_path), config_with(), life)


def test_a_clock_that_jumps_by_ten_years_settles_nothing(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        for _ in range(4):
            assert (await poll(world, hosts(30))).kind is OutcomeKind.REFUSED
        assert (await poll(world, later=3652 * DAY)).kind is OutcomeKind.REFUSED
        assert (await poll(world)).kind is OutcomeKind.REFUSED
        assert (await poll(world, later=-3652 * DAY)).kind is OutcomeKind.REFUSED
        assert (await poll(world)).kind is OutcomeKind.REFUSED

    run(environment_on(tmp_path), config_with(), life)


@pytest.mark.parametrize("other", [b"", hosts(2), b"error code: 520"], ids=["empty", "shrunk again", "an error"])
def test_another_accident_in_between_begins_the_waiting_anew(tmp_path: Path, other: bytes) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        for _ in range(50):
            await poll(world, hosts(30))
        await poll(world, other)
        for _ in range(72):
            assert (await poll(world, hosts(30))).kind is OutcomeKind.REFUSED
        while (await poll(world, hosts(30))).kind is OutcomeKind.REFUSED:
            pass
        assert bans(world) == 30

    run(environment_on(tmp_path), config_with(), life)


def test_settling_can_be_switched_off_and_an_empty_list_never_settles(tmp_path: Path) -> None:
    async def shrunk(world: DaemonWorld) -> None:
        await poll(world)
        for _ in range(100):
            assert (await poll(world, hosts(30))).kind is OutcomeKind.REFUSED

    async def empty(world: DaemonWorld) -> None:
        for _ in range(100):
            assert (await poll(world, b"")).kind is OutcomeKind.REFUSED

    run(environment_on(tmp_path), config_with(guards=Guards(accept_shrink_after=math.inf)), shrunk)
    run(environment_on(tmp_path), config_with(), empty)


def test_stale_list_is_reported_once_and_its_bans_stay(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        for _ in range(10):
            await poll(world, FetchError("HTTP 503"), later=DAY)
        assert world.announcer.names().count(EventName.SOURCE_STALE) == 1
        event = last(world, EventName.SOURCE_STALE)
        assert event.message == "feed: no good list for 7.0 days; the bans of the last one stay"
        assert bans(world) == 100
        await poll(world, hosts(100))  # unchanged is good, too
        await poll(world, FetchError("HTTP 503"), later=8 * DAY)
        assert world.announcer.names().count(EventName.SOURCE_STALE) == 2

    run(environment_on(tmp_path), config_with(), life)


def test_a_clock_that_is_set_back_by_ten_years_does_not_keep_a_list_from_growing_stale(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        await poll(world, FetchError("HTTP 503"), later=-3652 * DAY)
        await poll(world, later=6 * DAY)
        assert EventName.SOURCE_STALE not in world.announcer.names()
        await poll(world, later=2 * DAY)
        assert last(world, EventName.SOURCE_STALE).message == "feed: no good list for 8.0 days; the bans of the last one stay"
        assert bans(world) == 100

    run(environment_on(tmp_path), config_with(), life)


def test_a_list_that_is_polled_seldom_is_not_stale_between_two_polls(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        await poll(world, FetchError("HTTP 503"), later=27 * DAY)
        assert EventName.SOURCE_STALE not in world.announcer.names()
        await poll(world, later=2 * DAY)
        assert EventName.SOURCE_STALE in world.announcer.names()

    run(environment_on(tmp_path), config_with(every=14 * DAY), life)


def test_a_list_that_used_to_count_its_entries_and_lost_its_end_is_refused(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world, hosts(100) + b"# END 100 entries\n")
        assert (await poll(world, hosts(95))).kind is OutcomeKind.REFUSED
        assert await guard_of(world) == "truncated"
        assert (await poll(world, hosts(95) + b"# END 95 entries\n")).kind is OutcomeKind.COMPLETED
        assert (await poll(world, hosts(95, start=1))).kind is OutcomeKind.COMPLETED  # as long as before: it was given up
        assert (await poll(world, hosts(90))).kind is OutcomeKind.COMPLETED

    run(environment_on(tmp_path), config_with(), life)


# Each real list before its accident, the accident, and the guard that stops it.
ACCIDENTS = [
    ("churn/tor_nodes_full_20180618T1130.txt", "churn/tor_nodes_EMPTY_20180615T1630.txt", "empty"),
    ("feeds/isc_sans_mangled.txt", "accidents/sans_cut_to_four_wrong_addresses.txt", "shrunk"),
    ("feeds/isc_sans_mangled.txt", "accidents/sans_cut_to_30_percent.txt", "shrunk"),
    ("churn/spamhaus_drop_100_20260817T1517.txt", "accidents/spamhaus_drop_error_520.txt", "unparseable"),
    ("churn/spamhaus_drop_100_20260817T1517.txt", "accidents/spamhaus_drop_status_500.json", "unparseable"),
    ("churn/spamhaus_drop_100_20260817T1517.txt", "accidents/spamhaus_drop_could_not_connect.txt", "unparseable"),
    ("churn/spamhaus_drop_100_20260817T1517.txt", "encodings/html_error_page.txt", "html"),
    ("feeds/cins_130k.txt", "encodings/rate_limited.txt", "unparseable"),
]


@needs_data
@pytest.mark.parametrize(("before", "accident", "guard"), ACCIDENTS, ids=[accident for _, accident, _ in ACCIDENTS])
def test_a_real_accident_is_refused_and_the_real_list_stays(tmp_path: Path, before: str, accident: str, guard: str) -> None:
    async def life(world: DaemonWorld) -> None:
        assert (await poll(world, real_list(before).read_bytes())).kind is OutcomeKind.COMPLETED
        before_it = bans(world)
        assert (await poll(world, real_list(accident).read_bytes())).kind is OutcomeKind.REFUSED
        assert await guard_of(world) == guard
        assert last(world, EventName.IMPORT_REFUSED).fields["GUARD"] == guard
        assert bans(world) == before_it
        assert (await poll(world, real_list(before).read_bytes())).kind is OutcomeKind.SKIPPED

    run(environment_on(tmp_path), config_with(), life)


CHURN = {
    "datashield": ["084_20260815T1606", "012_20260821T2006", "001_20260822T1806"],
    "spamhaus_drop": [
        "100_20260817T1517",
        "024_20260821T1624",
        "009_20260822T0949",
        "002_20260822T1743",
        "001_20260822T1817",
        "000_20260822T1855",
    ],
    "dshield": [
        "010_20260822T1543",
        "005_20260822T1855",
        "002_20260822T2045",
        "001_20260822T2113",
        "000_20260822T2143",
    ],
    "x4b_dc": ["007_20260816T1007", "001_20260821T1023"],
}


@needs_data
@pytest.mark.parametrize("name", CHURN)
def test_the_real_churn_of_a_list_passes(tmp_path: Path, name: str) -> None:
    async def life(world: DaemonWorld) -> None:
        for version in CHURN[name]:
            outcome = await poll(world, real_list(f"churn/{name}_{version}.txt").read_bytes())
            assert not outcome.error

    run(environment_on(tmp_path), config_with(), life)


class Waiting(FakeFetcher):
    """As that of a fleet's lists whose versions wait ten minutes."""

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        found = await super().fetch(source, validators, on_body)
        assert isinstance(found, Download)
        return replace(found, parsed=replace(found.parsed, held_for=600), ttl=600)


def test_a_version_that_waits_is_asked_for_again_once_its_time_is_over(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        outcome = await poll(world)
        assert (outcome.kind, outcome.delay) == (OutcomeKind.REFUSED, 600)
        found = await world.ledger.poll(FEED)
        assert found.due_at == world.clock.now() + 600
        # Nothing is wrong, however often it waits.
        await poll(world, later=60)
        found = await world.ledger.poll(FEED)
        assert (found.failures, found.failing_since, found.error.startswith("hold: ")) == (0, None, True)

    run(Environment(tmp_path, fetcher=Waiting({FEED: hosts(100)})), config_with(every=HOUR), life)


def test_each_version_that_waits_has_a_time_of_its_own(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        began = world.clock.now()
        await poll(world, later=60)
        found = await world.quarantine.quarantined(FEED)
        assert found is not None
        assert found.first_seen == began
        assert await world.quarantine.refused_since("hold", FEED, found.content_hash) == began
        await poll(world, hosts(101), later=60)
        assert await world.quarantine.refused_since("hold", FEED, found.content_hash) is None
        other = await world.quarantine.quarantined(FEED)
        assert other is not None
        assert (other.first_seen, other.refusals) == (began + 120, 1)
        assert await world.quarantine.refused_since("wide", FEED, other.content_hash) is None

    run(Environment(tmp_path, fetcher=Waiting({FEED: hosts(100)})), config_with(every=HOUR), life)
