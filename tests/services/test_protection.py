"""What the host must not lose is carved out of every plan, and costs nothing where no list holds it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.manual_bans import ManualBanTable
from banlistd.adapters.storage.quarantine import QuarantineTable
from banlistd.control.queries import Queries
from banlistd.core.addresses.sets import to_text
from banlistd.core.config.model import Config, Source
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.policy import policy_of
from banlistd.events import EventName
from banlistd.model import Decision, Family, Outcome, OutcomeKind, Protected, SourceId
from banlistd.services.enforcer import Enforcer
from banlistd.services.importer import Importer
from banlistd.services.manual_bans import ManualBanService
from support.fakes import CannedFetcher, CountingFirewall, ListeningAnnouncer, StandingClock
from support.geography import enricher_of

FEED, OTHER = SourceId("feed"), SourceId("other")
SOURCES = (Source(id=FEED, url="http://lists.example/a"), Source(id=OTHER, url="http://lists.example/b"))


def protected(text: str, reason: str = "gateway") -> Protected:
    address = ip_address(text)
    return Protected(Family.IPV4 if address.version == 4 else Family.IPV6, int(address), int(address), reason)


class ToldHost:
    """A host of which a test says what is to be protected. `asked`: the URLs of each look, and whether to look names up."""

    def __init__(self, *addresses: str) -> None:
        self.now = [protected(address) for address in addresses]
        self.asked: list[tuple[Sequence[str], bool]] = []

    async def protected(self, urls: Sequence[str], *, ask: bool = True) -> Sequence[Protected]:
        self.asked.append((urls, ask))
        return tuple(self.now)


class NoSteering:
    """Of the service itself nothing is asked here."""

    config = Config(sources=SOURCES)

    async def refresh(self, source_ids: Sequence[SourceId]) -> Sequence[Outcome]:
        raise NotImplementedError(source_ids)

    async def reload(self) -> Config:
        raise NotImplementedError


class Bench:
    """A daemon's life on one disk, one firewall and one host."""

    def __init__(self, disk: Path, *addresses: str) -> None:
        self.disk = disk
        self.host = ToldHost(*addresses)
        self.firewall = CountingFirewall()
        self.announcer = ListeningAnnouncer()
        self.fetcher = CannedFetcher({FEED: b"192.0.2.0/24\n", OTHER: b"203.0.113.7\n"})

    def live(self, life: Callable[[Enforcer, Importer], Awaitable[None]]) -> None:
        async def run() -> None:
            async with open_database(self.disk / "db") as database:
                ledger, clock = ImportRuns(database), StandingClock()
                policy = policy_of(Config(sources=SOURCES), await ledger.marks_for([FEED, OTHER]), clock.now())
                enforcer = Enforcer(self.firewall, ledger, policy, self.host, self.announcer)
                quarantine = QuarantineTable(database)
                banning = ManualBanService(ManualBanTable(database), enforcer, self.host, self.announcer, clock)
                enricher = enricher_of(database, ledger, self.announcer, clock)
                desk = NoSteering()
                self.answers = Queries(desk, enforcer, banning, ledger, quarantine, database, clock, "", enricher)
                parts = (self.fetcher, ledger, quarantine, enforcer, self.announcer, clock)
                await life(enforcer, Importer(*parts, chance=lambda: 0.5))

        asyncio.run(run())

    def banned(self) -> set[str]:
        spans = set()
        for map_entries in self.firewall.maps.values():
            for ends in zip(map_entries.first, map_entries.last, strict=True):
                spans.add("-".join(dict.fromkeys(to_text(map_entries.family, end) for end in ends)))
        return spans

    def carvings(self) -> list[str]:
        return [event.message for event in self.announcer.events if event.name is EventName.PROTECTED_CARVED]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, "192.0.2.1")


def test_an_import_leaves_out_what_is_protected_and_says_so_once(bench: Bench) -> None:
    async def life(enforcer: Enforcer, importer: Importer) -> None:
        await importer.import_source(SOURCES[0])
        await enforcer.reconcile()
        assert enforcer.policy_hash != enforcer.policy.hash
        assert {marker.policy_hash for marker in await bench.firewall.markers()} == {enforcer.policy_hash}
        assert [hit.sources for hit in enforcer.hits] == [(FEED,)]
        assert (await importer.import_source(SOURCES[0])).kind is OutcomeKind.SKIPPED

    bench.live(life)
    assert bench.banned() == {"192.0.2.0", "192.0.2.2-192.0.2.255"}
    assert bench.carvings() == ["feed would have banned 192.0.2.1 (gateway): carved out"]
    assert bench.firewall.transactions == 1


def test_a_protected_address_that_no_list_holds_costs_no_write_and_no_other_hash(bench: Bench) -> None:
    bench.host.now = [protected("198.51.100.1")]

    async def life(enforcer: Enforcer, importer: Importer) -> None:
        await importer.import_source(SOURCES[0])
        assert enforcer.policy_hash == enforcer.policy.hash
        for text in ("198.51.100.2", "2001:db8::1", "2002:c633:6401::1"):
            bench.host.now.append(protected(text))
            assert (await enforcer.reconcile()).is_empty
        assert len(enforcer.protected) == 4
        bench.host.now = []
        assert (await enforcer.reconcile()).is_empty

    bench.live(life)
    assert bench.firewall.transactions == 1
    assert bench.carvings() == []


def test_what_comes_and_goes_within_a_list_is_a_small_difference(bench: Bench) -> None:
    bench.host.now = []

    async def life(enforcer: Enforcer, importer: Importer) -> None:
        await importer.import_source(SOURCES[0])
        assert bench.banned() == {"192.0.2.0-192.0.2.255"}
        bench.host.now = [protected("192.0.2.128", "peer of a live SSH session")]
        change = await enforcer.reconcile()
        assert (change.added, change.removed, change.replace) == (2, 1, False)
        assert bench.banned() == {"192.0.2.0-192.0.2.127", "192.0.2.129-192.0.2.255"}
        bench.host.now = []
        await enforcer.reconcile()
        assert bench.banned() == {"192.0.2.0-192.0.2.255"}
        assert enforcer.policy_hash == enforcer.policy.hash

    bench.live(life)
    assert bench.carvings() == ["feed would have banned 192.0.2.128 (peer of a live SSH session): carved out"]


def test_an_embedded_form_in_a_list_is_left_out_too(bench: Bench) -> None:
    bench.fetcher.bodies[FEED] = b"2002:c000:201::/48\n64:ff9b::c000:201\n::ffff:192.0.2.1\n::192.0.2.1\n2001:db8::1\n"

    async def life(_: Enforcer, importer: Importer) -> None:
        await importer.import_source(SOURCES[0])

    bench.live(life)
    assert bench.banned() == {"2001:db8::1"}


def test_a_restart_with_the_same_host_writes_nothing(bench: Bench) -> None:
    async def before(_: Enforcer, importer: Importer) -> None:
        for source in SOURCES:
            await importer.import_source(source)

    async def after(enforcer: Enforcer, _: Importer) -> None:
        restored = await enforcer.restore(0.0)
        assert set(restored.decisions.values()) == {Decision.SKIP}
        assert restored.change.is_empty

    bench.live(before)
    bench.live(after)
    assert bench.firewall.transactions == 2


def test_a_restart_with_another_host_carves_anew_and_bans_what_is_no_longer_protected(bench: Bench) -> None:
    async def before(_: Enforcer, importer: Importer) -> None:
        await importer.import_source(SOURCES[0])

    async def after(enforcer: Enforcer, _: Importer) -> None:
        assert set((await enforcer.restore(0.0)).decisions.values()) == {Decision.REAPPLY}

    bench.live(before)
    bench.host.now = [protected("192.0.2.255")]
    bench.live(after)
    assert bench.banned() == {"192.0.2.0-192.0.2.254"}


class PowerCut(Exception):  # noqa: N818 - it is none of the errors that anybody handles
    """Nothing more happens in this life."""


class FirewallBeforeThePowerCut(CountingFirewall):
    async def apply(self, change: Change) -> int:
        await super().apply(change)
        raise PowerCut


def test_a_run_that_a_crash_left_open_is_finished_where_the_firewall_holds_it_less_what_is_carved(bench: Bench) -> None:
    bench.firewall = FirewallBeforeThePowerCut()

    async def crash(_: Enforcer, importer: Importer) -> None:
        with pytest.raises(PowerCut):
            await importer.import_source(SOURCES[0])

    async def after(enforcer: Enforcer, _: Importer) -> None:
        restored = await enforcer.restore(0.0)
        assert restored.decisions == {FEED: Decision.FINISH}
        assert restored.change.is_empty
        assert enforcer.policy_hash != enforcer.policy.hash

    bench.live(crash)
    bench.live(after)
    assert bench.banned() == {"192.0.2.0", "192.0.2.2-192.0.2.255"}


def test_names_are_not_asked_for_at_a_restore_and_are_at_every_import_and_reconcile(bench: Bench) -> None:
    async def life(enforcer: Enforcer, importer: Importer) -> None:
        await enforcer.restore(0.0)
        await importer.import_source(SOURCES[0])
        await enforcer.reconcile()

    bench.live(life)
    urls = ("http://lists.example/a", "http://lists.example/b")
    assert bench.host.asked == [(urls, False), (urls, True), (urls, True)]


def test_an_operator_is_told_what_is_protected_and_which_lists_hold_it(bench: Bench) -> None:
    bench.host.now = [protected("10.0.0.1"), protected("192.0.2.1"), protected("198.51.100.1", "resolver")]
    bench.fetcher.bodies[FEED] = b"192.0.2.0/24\n10.0.0.0/8\n"

    async def life(_: Enforcer, importer: Importer) -> None:
        await importer.import_source(SOURCES[0])
        rows = await bench.answers.protected()
        assert [(row["address"], row["reason"], row["sources"], row["carved"]) for row in rows] == [
            ("10.0.0.1", "gateway", [FEED], False),
            ("192.0.2.1", "gateway", [FEED], True),
            ("198.51.100.1", "resolver", [], False),
        ]

    bench.live(life)


@pytest.mark.parametrize(
    ("text", "protection", "reserved"),
    [
        ("192.0.2.1", "gateway", False),
        ("64:ff9b::c000:201", "gateway", False),
        ("192.0.2.2", "", False),
        ("10.0.0.1", "", True),
        ("2002:a00:1::", "", True),
    ],
)
def test_a_check_tells_why_an_address_is_not_banned(bench: Bench, text: str, protection: str, *, reserved: bool) -> None:
    async def life(_: Enforcer, importer: Importer) -> None:
        await importer.import_source(SOURCES[0])
        answer = await bench.answers.check(text)
        assert (answer["protected"], answer["reserved"]) == (protection, reserved)

    bench.live(life)


def test_what_the_firewall_did_not_take_is_not_told(bench: Bench) -> None:
    async def life(enforcer: Enforcer, importer: Importer) -> None:
        bench.firewall.fail_before = True
        assert (await importer.import_source(SOURCES[0])).kind is OutcomeKind.FAILED
        assert bench.carvings() == []
        assert enforcer.policy_hash == enforcer.policy.hash
        bench.firewall.fail_before = False
        await importer.import_source(SOURCES[0])

    bench.live(life)
    assert len(bench.carvings()) == 1
