"""Lists that a guard refused, from the poll to the approval: real ledger and quarantine, real parsers, real accidents."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.quarantine import QuarantineTable
from banlistd.core.config.model import Config, Guards, Source
from banlistd.core.ruleset.policy import policy_of
from banlistd.errors import FetchError
from banlistd.events import Event, EventName
from banlistd.model import Outcome, OutcomeKind, SourceId, Validators
from banlistd.services.enforcer import Enforcer
from banlistd.services.importer import Importer
from support.data import needs_data, real_list
from support.fakes import CannedFetcher, CountingFirewall, ListeningAnnouncer, StandingClock

FEED = SourceId("feed")
HOUR, DAY = 3600.0, 86400.0


def hosts(number: int, start: int = 0) -> bytes:
    return b"".join(b"198.51.%d.%d\n" % divmod(index, 256) for index in range(start, start + number))


@dataclass
class Desk:
    """One source, polled when a test says so."""

    ledger: ImportRuns
    quarantine: QuarantineTable
    enforcer: Enforcer
    source: Source
    fetcher: CannedFetcher = field(default_factory=lambda: CannedFetcher({FEED: hosts(100)}))
    announcer: ListeningAnnouncer = field(default_factory=ListeningAnnouncer)
    clock: StandingClock = field(default_factory=StandingClock)

    async def poll(self, body: bytes | FetchError | None = None, later: float = HOUR) -> Outcome:
        self.clock.time += later
        if body is not None:
            self.fetcher.bodies[FEED] = body
        importer = Importer(
            self.fetcher, self.ledger, self.quarantine, self.enforcer, self.announcer, self.clock, chance=lambda: 0.5
        )
        return await importer.import_source(self.source)

    def bans(self) -> int:
        return len(self.enforcer.state or ())

    def last(self, name: EventName) -> Event:
        return [event for event in self.announcer.events if event.name is name][-1]

    async def guard(self) -> str:
        held = await self.quarantine.quarantined(FEED)
        return held.guard if held else ""


@asynccontextmanager
async def start(disk: Path, firewall: CountingFirewall, source: Source) -> AsyncIterator[Desk]:
    async with open_database(disk / "db") as database:
        ledger = ImportRuns(database)
        config = Config(sources=(source,))
        enforcer = Enforcer(firewall, ledger, policy_of(config, await ledger.marks_for([FEED]), 0.0))
        await enforcer.restore(0.0)
        yield Desk(ledger, QuarantineTable(database), enforcer, source)


def live(disk: Path, life: Callable[[Desk], Awaitable[None]], firewall: CountingFirewall | None = None, **keys: object) -> None:
    source = Source.model_validate({"id": FEED, "url": "https://lists.example/", **keys})

    async def run() -> None:
        async with start(disk, firewall or CountingFirewall(), source) as desk:
            await life(desk)

    asyncio.run(run())


def test_a_refused_list_is_held_back_and_the_last_good_one_stays(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll()
        outcome = await desk.poll(hosts(30))
        assert outcome.kind is OutcomeKind.REFUSED
        assert outcome.error.startswith("shrunk: 30 entries where 100 were")
        assert desk.bans() == 100
        event = desk.last(EventName.IMPORT_REFUSED)
        assert event.fields["GUARD"] == "shrunk"
        assert str(event.fields["REASON"]).startswith("shrunk: 30 entries")
        held = await desk.quarantine.quarantined(FEED)
        assert held is not None
        assert (held.guard, held.entries, held.refusals, held.approved) == ("shrunk", 30, 1, False)

    live(tmp_path, life)


def test_a_good_list_clears_the_quarantine(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll()
        await desk.poll(b"")
        assert await desk.guard() == "empty"
        await desk.poll(hosts(101))
        assert await desk.guard() == ""
        assert desk.bans() == 101

    live(tmp_path, life)


def test_the_last_good_list_unchanged_clears_the_quarantine_too(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll()
        await desk.poll(b"")
        assert (await desk.poll(hosts(100))).kind is OutcomeKind.SKIPPED
        assert await desk.guard() == ""

    live(tmp_path, life)


def test_validators_of_refused_content_are_never_sent(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll()
        good = (await desk.ledger.poll(FEED)).validators
        await desk.poll(b"")
        await desk.poll()
        assert desk.fetcher.asked[-1][1] == good
        assert (await desk.ledger.poll(FEED)).validators == good

    live(tmp_path, life)


def test_approved_content_is_taken_without_a_download_and_stays(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll()
        await desk.poll(hosts(30))
        held = await desk.quarantine.quarantined(FEED)
        assert held is not None
        assert await desk.quarantine.approve(FEED, held.content_hash)
        asked = len(desk.fetcher.asked)
        desk.fetcher.bodies[FEED] = FetchError("no network")
        outcome = await desk.poll()
        assert (outcome.kind, outcome.removed) == (OutcomeKind.COMPLETED, 70)
        assert len(desk.fetcher.asked) == asked
        assert desk.bans() == 30
        assert await desk.guard() == ""
        assert "because it was approved" in desk.last(EventName.IMPORT_COMPLETED).message
        assert (await desk.ledger.poll(FEED)).validators == Validators()
        # Its server has it still, with another header: what the firewall holds is not asked about again.
        assert (await desk.poll(b"# noon\n" + hosts(30))).kind is OutcomeKind.SKIPPED
        assert (await desk.poll(hosts(31))).kind is OutcomeKind.COMPLETED

    live(tmp_path, life)


def test_an_approval_outlives_a_crash_before_the_kernel(tmp_path: Path) -> None:
    firewall = CountingFirewall()

    async def approve(desk: Desk) -> None:
        await desk.poll()
        await desk.poll(hosts(30))
        held = await desk.quarantine.quarantined(FEED)
        assert held is not None
        await desk.quarantine.approve(FEED, held.content_hash)
        firewall.fail_before = True
        assert (await desk.poll()).kind is OutcomeKind.FAILED
        firewall.fail_before = False

    async def again(desk: Desk) -> None:
        assert desk.bans() == 100
        assert (await desk.poll()).kind is OutcomeKind.COMPLETED
        assert desk.bans() == 30

    live(tmp_path, approve, firewall)
    live(tmp_path, again, firewall)


def test_what_a_guard_refuses_for_ever_is_approved_once_and_for_all(tmp_path: Path) -> None:
    """A list too wide stays too wide; as long as it stays the same, it is not refused again."""

    async def life(desk: Desk) -> None:
        wide = b"0.0.0.0/1\n"
        assert (await desk.poll(wide)).kind is OutcomeKind.REFUSED
        assert await desk.guard() == "wide"
        held = await desk.quarantine.quarantined(FEED)
        assert held is not None
        await desk.quarantine.approve(FEED, held.content_hash)
        assert (await desk.poll()).kind is OutcomeKind.COMPLETED
        assert (await desk.poll()).kind is OutcomeKind.SKIPPED
        assert (await desk.poll(b"0.0.0.0/1\n192.0.2.1\n")).kind is OutcomeKind.REFUSED

    live(tmp_path, life)


def test_a_list_that_stays_shrunk_is_taken_and_says_so(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll()
        for hour in range(72):
            # Its content goes on changing a little; a server out of order in between is no good list.
            body = FetchError("HTTP 503") if hour % 10 == 5 else hosts(30 + hour % 3)
            outcome = await desk.poll(body)
            assert outcome.kind is not OutcomeKind.COMPLETED, hour
        outcome = await desk.poll(hosts(30))
        assert outcome.kind is OutcomeKind.COMPLETED
        assert desk.bans() == 30
        assert "taken although shrunk, because it has stayed so" in desk.last(EventName.IMPORT_COMPLETED).message
        assert await desk.guard() == ""

    live(tmp_path, life)


def test_a_clock_that_jumps_by_ten_years_settles_nothing(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll()
        for _ in range(4):
            assert (await desk.poll(hosts(30))).kind is OutcomeKind.REFUSED
        assert (await desk.poll(later=3652 * DAY)).kind is OutcomeKind.REFUSED
        assert (await desk.poll()).kind is OutcomeKind.REFUSED
        assert (await desk.poll(later=-3652 * DAY)).kind is OutcomeKind.REFUSED
        assert (await desk.poll()).kind is OutcomeKind.REFUSED

    live(tmp_path, life)


@pytest.mark.parametrize("other", [b"", hosts(2), b"error code: 520"], ids=["empty", "shrunk again", "an error"])
def test_another_accident_in_between_begins_the_waiting_anew(tmp_path: Path, other: bytes) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll()
        for _ in range(50):
            await desk.poll(hosts(30))
        await desk.poll(other)
        for _ in range(72):
            assert (await desk.poll(hosts(30))).kind is OutcomeKind.REFUSED
        while (await desk.poll(hosts(30))).kind is OutcomeKind.REFUSED:
            pass
        assert desk.bans() == 30

    live(tmp_path, life)


def test_settling_can_be_switched_off_and_an_empty_list_never_settles(tmp_path: Path) -> None:
    async def shrunk(desk: Desk) -> None:
        await desk.poll()
        for _ in range(100):
            assert (await desk.poll(hosts(30))).kind is OutcomeKind.REFUSED

    async def empty(desk: Desk) -> None:
        for _ in range(100):
            assert (await desk.poll(b"")).kind is OutcomeKind.REFUSED

    live(tmp_path, shrunk, guards=Guards.model_validate({"settle": "off"}))
    live(tmp_path, empty)


def test_a_list_that_grows_stale_is_told_once_and_its_bans_stay(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll()
        for _ in range(10):
            await desk.poll(FetchError("HTTP 503"), later=DAY)
        assert desk.announcer.names().count(EventName.SOURCE_STALE) == 1
        event = desk.last(EventName.SOURCE_STALE)
        assert event.message == "feed: no good list for 7.0 days; the bans of the last one stay"
        assert desk.bans() == 100
        await desk.poll(hosts(100))  # unchanged is good, too
        await desk.poll(FetchError("HTTP 503"), later=8 * DAY)
        assert desk.announcer.names().count(EventName.SOURCE_STALE) == 2

    live(tmp_path, life)


def test_a_clock_that_is_set_back_by_ten_years_does_not_keep_a_list_from_growing_stale(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll()
        await desk.poll(FetchError("HTTP 503"), later=-3652 * DAY)
        await desk.poll(later=6 * DAY)
        assert EventName.SOURCE_STALE not in desk.announcer.names()
        await desk.poll(later=2 * DAY)
        assert desk.last(EventName.SOURCE_STALE).message == "feed: no good list for 8.0 days; the bans of the last one stay"
        assert desk.bans() == 100

    live(tmp_path, life)


def test_a_list_that_is_polled_seldom_is_not_stale_between_two_polls(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll()
        await desk.poll(FetchError("HTTP 503"), later=27 * DAY)
        assert EventName.SOURCE_STALE not in desk.announcer.names()
        await desk.poll(later=2 * DAY)
        assert EventName.SOURCE_STALE in desk.announcer.names()

    live(tmp_path, life, every="14d")


def test_a_list_that_used_to_count_its_entries_and_lost_its_end_is_refused(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll(hosts(100) + b"# END 100 entries\n")
        assert (await desk.poll(hosts(95))).kind is OutcomeKind.REFUSED
        assert await desk.guard() == "truncated"
        assert (await desk.poll(hosts(95) + b"# END 95 entries\n")).kind is OutcomeKind.COMPLETED
        assert (await desk.poll(hosts(95, start=1))).kind is OutcomeKind.COMPLETED  # as long as before: it was given up
        assert (await desk.poll(hosts(90))).kind is OutcomeKind.COMPLETED

    live(tmp_path, life)


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
    async def life(desk: Desk) -> None:
        assert (await desk.poll(real_list(before).read_bytes())).kind is OutcomeKind.COMPLETED
        bans = desk.bans()
        assert (await desk.poll(real_list(accident).read_bytes())).kind is OutcomeKind.REFUSED
        assert await desk.guard() == guard
        assert desk.last(EventName.IMPORT_REFUSED).fields["GUARD"] == guard
        assert desk.bans() == bans
        assert (await desk.poll(real_list(before).read_bytes())).kind is OutcomeKind.SKIPPED

    live(tmp_path, life)


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
    async def life(desk: Desk) -> None:
        for version in CHURN[name]:
            outcome = await desk.poll(real_list(f"churn/{name}_{version}.txt").read_bytes())
            assert not outcome.error

    live(tmp_path, life)
