"""Bans by hand over a real ledger on a real file; the memory backend stands for a kernel, a test moves the clock."""

import asyncio
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import Database, open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.manual_bans import ManualBanTable
from banlistd.core.config.model import Config
from banlistd.core.manual_bans import BanOrder, UnbanOrder, read_ban, read_unban
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.policy import identities, policy_of
from banlistd.errors import FirewallError, RefusedError
from banlistd.events import EventName
from banlistd.model import MANUAL, Direction, Family, Mark, Protected
from banlistd.services.enforcer import Enforcer
from banlistd.services.manual_bans import Done, ManualBanService
from support.fakes import CountingFirewall, ListeningAnnouncer, OpenHost, StandingClock
from support.serving import ONE, Application, allow, completed, config_of, serve, source

NOTHING = config_of()
LISTED = config_of(source(ONE))  # it bans 192.0.2.1


def ban(address: str, **words: str) -> BanOrder:
    return read_ban({"address": address, **words})


def unban(address: str, **words: str) -> UnbanOrder:
    return read_unban({"address": address, **words})


def names(application: Application) -> list[EventName]:
    return [name for name in application.announcer.names() if name.startswith("manual")]


async def marked(application: Application) -> bool:
    return MANUAL in {marker.source_id for marker in await application.firewall.markers()}


def test_a_ban_stands_when_the_order_is_done_and_costs_one_element(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await completed(application, ONE)
        before = application.firewall.transactions
        done = await application.banning.carry_out(ban("203.0.113.7", origin="fail2ban/sshd", comment="5 failures"))
        assert application.banned() == {"192.0.2.1", "203.0.113.7"}
        assert application.firewall.transactions == before + 1
        assert (done.is_new, done.bans[0].origin, done.spared) == (True, "fail2ban/sshd", ())
        event = application.announcer.events[-1]
        assert (event.name, event.fields["ADDRESS"], event.fields["ORIGIN"], event.fields["REASON"]) == (
            EventName.MANUAL_BAN_ADDED,
            "203.0.113.7",
            "fail2ban/sshd",
            "5 failures",
        )
        assert await marked(application)

    serve(tmp_path, LISTED, life)


def test_what_is_banned_by_hand_comes_before_every_list(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await completed(application, ONE)
        await application.banning.carry_out(ban("192.0.2.1"))
        marks = {int(mark) for map_entries in application.firewall.maps.values() for mark in map_entries.mark}
        markers = {marker.source_id: marker.mark for marker in await application.firewall.markers()}
        assert marks == {markers[MANUAL]}
        await application.banning.carry_out(unban("192.0.2.1"))
        assert application.banned() == {"192.0.2.1"}
        assert not await marked(application)

    serve(tmp_path, LISTED, life)


def test_an_address_is_banned_while_one_origin_wants_it(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        for origin in ("fail2ban/sshd", "fail2ban/recidive"):
            await application.banning.carry_out(ban("203.0.113.7", origin=origin))
        lifted = await application.banning.carry_out(unban("203.0.113.7", origin="fail2ban/sshd"))
        assert [item.origin for item in lifted.bans] == ["fail2ban/sshd"]
        assert application.banned() == {"203.0.113.7"}
        assert (await application.banning.carry_out(unban("203.0.113.7", origin="nobody"))).bans == ()
        assert len((await application.banning.carry_out(unban("203.0.113.7"))).bans) == 1
        assert application.banned() == set()
        assert names(application) == [EventName.MANUAL_BAN_ADDED] * 2 + [EventName.MANUAL_BAN_REMOVED] * 2

    serve(tmp_path, NOTHING, life)


def test_all_that_an_origin_has_banned_is_lifted_at_once(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        for number in range(5):
            await application.banning.carry_out(ban(f"203.0.113.{number}", origin="fail2ban/sshd"))
        await application.banning.carry_out(ban("203.0.113.3", origin="operator"))
        before = application.firewall.transactions
        assert len((await application.banning.carry_out(read_unban({"origin": "fail2ban/sshd"}))).bans) == 5
        assert application.banned() == {"203.0.113.3"}
        assert application.firewall.transactions == before + 1

    serve(tmp_path, NOTHING, life)


def test_a_second_order_of_the_same_origin_changes_the_end_and_not_the_beginning(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        began = application.clock.time
        await application.banning.carry_out(ban("203.0.113.7", **{"for": "10m"}))
        application.clock.time += 300
        transactions = application.firewall.transactions
        done = await application.banning.carry_out(ban("203.0.113.7", **{"for": "1h"}))
        assert (done.is_new, done.bans[0].created_at, done.bans[0].expires_at) == (False, began, began + 300 + 3600)
        assert application.firewall.transactions == transactions

    serve(tmp_path, NOTHING, life)


def test_a_ban_runs_out_at_its_moment_and_not_before(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await application.banning.carry_out(ban("203.0.113.7", **{"for": "10m"}))
        await application.banning.carry_out(ban("203.0.113.0/29", **{"for": "20m"}))
        await application.banning.carry_out(ban("203.0.113.99"))
        application.clock.time += 599.9
        await application.banning.carry_out(unban("192.0.2.9"))  # a turn in which nothing runs out
        assert len(application.banning.bans) == 3
        application.clock.time += 0.1
        assert len(application.banning.bans) == 2
        event = await application.announcer.until(EventName.MANUAL_BAN_EXPIRED)
        assert (event.fields["ADDRESS"], event.fields["EXPIRES_AT"]) == ("203.0.113.7", 1_000_600)
        assert application.banned() == {"203.0.113.0", "203.0.113.99"}
        application.clock.time += 600
        await application.announcer.until(EventName.MANUAL_BAN_EXPIRED, times=2)
        assert application.banned() == {"203.0.113.99"}

    serve(tmp_path, NOTHING, life)


def test_a_reload_of_the_allowlist_frees_what_was_banned_by_hand(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await application.banning.carry_out(ban("203.0.113.7"))
        application.given = config_of(allow=[allow("203.0.113.7")])
        await application.service.reload()
        assert application.banned() == set()
        with pytest.raises(RefusedError, match=r"203\.0\.113\.7 is never banned: allowed"):
            await application.banning.carry_out(ban("203.0.113.7", origin="another"))
        application.given = config_of()
        await application.service.reload()
        assert application.banned() == {"203.0.113.7"}

    serve(tmp_path, NOTHING, life)


def test_what_may_never_be_banned_is_refused_and_written_nowhere(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        for address, reason in (("10.0.0.1", "private"), ("0.0.0.0/1", "wider than anybody means")):
            with pytest.raises(RefusedError, match=reason):
                await application.banning.carry_out(ban(address))
        assert application.banning.bans == []
        assert application.banned() == set()
        assert names(application) == []

    serve(tmp_path, NOTHING, life)


def test_many_orders_at_once_share_transactions(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        before = application.firewall.transactions
        application.firewall.entered.clear()
        application.firewall.gate.clear()
        orders = [asyncio.ensure_future(application.banning.carry_out(ban("203.0.113.1")))]
        await application.firewall.entered.wait()
        orders += [asyncio.ensure_future(application.banning.carry_out(ban(f"203.0.113.{n}"))) for n in range(2, 100)]
        refused = asyncio.ensure_future(application.banning.carry_out(ban("10.0.0.1")))
        lifted = asyncio.ensure_future(application.banning.carry_out(unban("203.0.113.50")))
        await asyncio.sleep(0)
        application.firewall.gate.set()
        done = await asyncio.gather(*orders)
        assert [item.bans[0].first & 0xFF for item in done] == list(range(1, 100))
        assert len((await lifted).bans) == 1
        with pytest.raises(RefusedError):
            await refused
        assert application.banned() == {f"203.0.113.{n}" for n in range(1, 100) if n != 50}
        assert application.firewall.transactions == before + 2

    serve(tmp_path, NOTHING, life)


def test_an_order_whose_asker_has_gone_is_carried_out(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        application.firewall.entered.clear()
        application.firewall.gate.clear()
        order = asyncio.ensure_future(application.banning.carry_out(ban("203.0.113.7")))
        await application.firewall.entered.wait()
        order.cancel()
        application.firewall.gate.set()
        await application.announcer.until(EventName.MANUAL_BAN_ADDED)
        assert application.banned() == {"203.0.113.7"}

    serve(tmp_path, NOTHING, life)


def test_a_ban_that_the_firewall_did_not_take_is_an_error_and_is_tried_again(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        application.firewall.fail_before = True
        with pytest.raises(FirewallError, match="the kernel said no; what was asked is written down, and tried again"):
            await application.banning.carry_out(ban("203.0.113.7"))
        assert application.banned() == set()
        application.firewall.fail_before = False
        while not application.banned():  # noqa: ASYNC110 - nobody tells of it: it was told when it failed
            await asyncio.sleep(0.001)
        assert application.banned() == {"203.0.113.7"}

    serve(tmp_path, NOTHING, life)


def test_drift_is_repaired_with_what_is_banned_by_hand(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await application.banning.carry_out(ban("203.0.113.7"))
        await application.firewall.teardown()
        await application.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert application.banned() == {"203.0.113.7"}

    serve(tmp_path, NOTHING, life, reconcile_every=0.005)


class WatchedFirewall(CountingFirewall):
    """Keeps what was applied."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[Change] = []

    async def apply(self, change: Change) -> int:
        written = await super().apply(change)
        self.changes.append(change)
        return written


class Gateway(OpenHost):
    async def protected(self, urls: object, *, ask: bool = True) -> tuple[Protected, ...]:
        number = int(ip_address("203.0.113.1"))
        return (Protected(Family.IPV4, number, number, "gateway"),)


class Life:
    """Bans by hand without a service, on one disk and one firewall: each `live` is a process of its own."""

    def __init__(self, disk: Path) -> None:
        self.disk = disk
        self.firewall = WatchedFirewall()
        self.announcer = ListeningAnnouncer()
        self.clock = StandingClock()

    def live(self, *orders: BanOrder | UnbanOrder, turns: int = 0) -> list[Done]:
        async def run() -> list[Done]:
            async with open_database(self.disk / "db") as database:
                banning = await self.open(database)
                for _ in range(turns):
                    await banning.turn()
                return [await banning.carry_out(order) for order in orders]

        return asyncio.run(run())

    async def open(self, database: Database) -> ManualBanService:
        ledger, now = ImportRuns(database), self.clock.now()
        marks = await ledger.marks_for(identities(Config()), await self.firewall.markers())
        enforcer = Enforcer(self.firewall, ledger, policy_of(Config(), marks, now), Gateway(), self.announcer)
        banning = ManualBanService(ManualBanTable(database), enforcer, Gateway(), self.announcer, self.clock)
        await banning.restore()
        await enforcer.restore(now)
        return banning

    def banned(self) -> int:
        return sum(len(map_entries) for map_entries in self.firewall.maps.values())


def test_of_a_network_around_the_gateway_everything_else_is_banned(tmp_path: Path) -> None:
    life = Life(tmp_path)
    (done,) = life.live(ban("203.0.113.0/24"))
    assert [(item.address, item.reason) for item in done.spared] == [("203.0.113.1", "gateway")]
    assert life.banned() == 2
    with pytest.raises(RefusedError, match=r"203\.0\.113\.1 is never banned: gateway"):
        life.live(ban("203.0.113.1"))


def test_a_restart_with_nothing_new_writes_nothing(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.live(ban("203.0.113.9"), ban("198.51.100.0/24"))
    before = life.firewall.transactions
    life.live()
    assert life.firewall.transactions == before


def test_what_runs_out_while_nothing_runs_costs_one_element_after_the_restart(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.live(ban("203.0.113.7", **{"for": "10m"}), ban("203.0.113.8", **{"for": "20m"}))
    before = life.firewall.transactions
    life.clock.time += 600
    life.live()
    assert life.banned() == 1
    assert life.firewall.transactions == before + 1
    assert (life.firewall.changes[-1].replace, life.firewall.changes[-1].removed) == (False, 1)
    life.live(turns=1)
    assert [event.name for event in life.announcer.events].count(EventName.MANUAL_BAN_EXPIRED) == 1
    assert life.firewall.transactions == before + 1


def test_a_reboot_brings_back_what_has_not_run_out(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.live(ban("203.0.113.7", **{"for": "10m"}), ban("203.0.113.8"))
    life.firewall = WatchedFirewall()
    life.clock.time += 600
    life.live()
    assert life.banned() == 1


def test_a_crash_between_the_row_and_the_firewall_is_made_good(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.live(ban("203.0.113.9"), ban("203.0.113.10"))
    orders: list[BanOrder | UnbanOrder] = [ban("203.0.113.11")]
    orders += [unban("203.0.113.9"), unban("203.0.113.10"), unban("203.0.113.11")]
    for order, left in zip(orders, (3, 2, 1, 0), strict=True):
        life.firewall.fail_before = True
        with pytest.raises(FirewallError):
            life.live(order)
        life.firewall.fail_before = False
        life.live()
        assert life.banned() == left


def lose(disk: Path) -> None:
    for file in disk.glob("db*"):
        file.unlink()


def test_the_loss_of_the_table_costs_no_ban_that_stands(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.live(ban("203.0.113.9", origin="fail2ban/sshd", **{"for": "10m"}), ban("198.51.100.0/24"))
    lose(tmp_path)
    life.live()
    assert life.banned() == 2
    assert life.live(ban("203.0.113.10"), unban("203.0.113.9"))[1].bans[0].comment == "its record was lost"
    assert life.banned() == 2


def test_a_table_that_begins_anew_while_we_run_is_told_again(tmp_path: Path) -> None:
    async def run() -> None:
        life = Life(tmp_path)
        async with open_database(tmp_path / "db") as database:
            banning = await life.open(database)
            await banning.carry_out(ban("203.0.113.9"))
            lose(tmp_path)
            await banning.resync_ledger()
            assert await ManualBanTable(database).load() == (True, banning.bans)
            stale = replace(banning.bans[0], origin="of an older copy")
            await ManualBanTable(database).change([stale], [banning.bans[0].key])
            await banning.resync_ledger()
            assert await ManualBanTable(database).load() == (True, banning.bans)

    asyncio.run(run())


def test_bans_by_hand_look_at_packets_that_come_in() -> None:
    (owner,) = policy_of(Config(), {MANUAL: Mark(1)}, 0.0).sources
    assert (owner.source_id, owner.direction, owner.action.blocks) == (MANUAL, Direction.IN, True)
