"""Bans by hand over a real ledger on a real file; the memory backend stands for a kernel, a test moves the clock."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from banlistd.adapters.storage.manual_bans import ManualBanTable
from banlistd.core.config.model import Config
from banlistd.core.manual.manual_bans import BanOrder, UnbanOrder, read_ban, read_unban
from banlistd.core.ruleset.policy import policy_of
from banlistd.errors import FirewallError, RefusedError
from banlistd.events import EventName
from banlistd.model import MANUAL, Direction, ManualBan, Mark
from banlistd.services import ban_orders
from banlistd.services.ban_orders import Done
from support.fakes import FakeFirewall, FakeHost
from support.sources import ONE, allow, config_of, source
from worlds import DaemonWorld, Environment, Timing, run

NOTHING = config_of()
YEARS = 3652 * 86_400.0
LISTED = config_of(source(ONE))  # it bans 192.0.2.1


def ban(address: str, **words: str) -> BanOrder:
    return read_ban({"address": address, **words})


def unban(address: str, **words: str) -> UnbanOrder:
    return read_unban({"address": address, **words})


def names(world: DaemonWorld) -> list[EventName]:
    return [name for name in world.announcer.names() if name.startswith("manual")]


async def marked(world: DaemonWorld) -> bool:
    return MANUAL in {marker.source_id for marker in await world.firewall.markers()}


def test_ban_is_in_force_when_the_order_returns_and_costs_one_element(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE)
        before = world.firewall.transactions
        done = await world.manual_bans.carry_out(ban("203.0.113.7", origin="fail2ban/sshd", comment="5 failures"))
        assert world.banned() == {"192.0.2.1", "203.0.113.7"}
        assert world.firewall.transactions == before + 1
        assert (done.is_new, done.bans[0].origin, done.exemptions) == (True, "fail2ban/sshd", ())
        event = world.announcer.events[-1]
        assert (event.name, event.fields["ADDRESS"], event.fields["ORIGIN"], event.fields["REASON"]) == (
            EventName.MANUAL_BAN_ADDED,
            "203.0.113.7",
            "fail2ban/sshd",
            "5 failures",
        )
        assert await marked(world)

    run(Environment(tmp_path), LISTED, life, serve=True)


def test_what_is_banned_by_hand_comes_before_every_list(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE)
        await world.manual_bans.carry_out(ban("192.0.2.1"))
        marks = {int(mark) for map_entries in world.firewall.maps.values() for mark in map_entries.mark}
        markers = {marker.source_id: marker.mark for marker in await world.firewall.markers()}
        assert marks == {markers[MANUAL]}
        await world.manual_bans.carry_out(unban("192.0.2.1"))
        assert world.banned() == {"192.0.2.1"}
        assert not await marked(world)

    run(Environment(tmp_path), LISTED, life, serve=True)


def test_an_address_is_banned_while_one_origin_wants_it(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        for origin in ("fail2ban/sshd", "fail2ban/recidive"):
            await world.manual_bans.carry_out(ban("203.0.113.7", origin=origin))
        lifted = await world.manual_bans.carry_out(unban("203.0.113.7", origin="fail2ban/sshd"))
        assert [item.origin for item in lifted.bans] == ["fail2ban/sshd"]
        assert world.banned() == {"203.0.113.7"}
        assert (await world.manual_bans.carry_out(unban("203.0.113.7", origin="nobody"))).bans == ()
        assert len((await world.manual_bans.carry_out(unban("203.0.113.7"))).bans) == 1
        assert world.banned() == set()
        assert names(world) == [EventName.MANUAL_BAN_ADDED] * 2 + [EventName.MANUAL_BAN_REMOVED] * 2

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_all_that_an_origin_has_banned_is_lifted_at_once(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        for number in range(5):
            await world.manual_bans.carry_out(ban(f"203.0.113.{number}", origin="fail2ban/sshd"))
        await world.manual_bans.carry_out(ban("203.0.113.3", origin="operator"))
        before = world.firewall.transactions
        assert len((await world.manual_bans.carry_out(read_unban({"origin": "fail2ban/sshd"}))).bans) == 5
        assert world.banned() == {"203.0.113.3"}
        assert world.firewall.transactions == before + 1

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_a_second_order_of_the_same_origin_changes_the_end_and_not_the_beginning(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        began = world.clock.time
        await world.manual_bans.carry_out(ban("203.0.113.7", **{"for": "10m"}))
        world.clock.time += 300
        transactions = world.firewall.transactions
        done = await world.manual_bans.carry_out(ban("203.0.113.7", **{"for": "1h"}))
        assert (done.is_new, done.bans[0].created_at, done.bans[0].expires_at) == (False, began, began + 300 + 3600)
        assert world.firewall.transactions == transactions

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_a_ban_runs_out_at_its_moment_and_not_before(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.manual_bans.carry_out(ban("203.0.113.7", **{"for": "10m"}))
        await world.manual_bans.carry_out(ban("203.0.113.0/29", **{"for": "20m"}))
        await world.manual_bans.carry_out(ban("203.0.113.99"))
        world.clock.time += 599.9
        await world.manual_bans.carry_out(unban("192.0.2.9"))  # a turn in which nothing runs out
        assert len(world.manual_bans.bans) == 3
        world.clock.time += 0.1
        assert len(world.manual_bans.bans) == 2
        event = await world.announcer.until(EventName.MANUAL_BAN_EXPIRED)
        assert (event.fields["ADDRESS"], event.fields["EXPIRES_AT"]) == ("203.0.113.7", 1_000_600)
        assert world.banned() == {"203.0.113.0 - 203.0.113.7", "203.0.113.99"}
        world.clock.time += 600
        await world.announcer.until(EventName.MANUAL_BAN_EXPIRED, times=2)
        assert world.banned() == {"203.0.113.99"}

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_a_reload_of_the_allowlist_frees_what_was_banned_by_hand(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.manual_bans.carry_out(ban("203.0.113.7"))
        world.environment.next_config = config_of(allow=[allow("203.0.113.7")])
        await world.service.reload()
        assert world.banned() == set()
        with pytest.raises(RefusedError, match=r"203\.0\.113\.7 is never banned: allowed"):
            await world.manual_bans.carry_out(ban("203.0.113.7", origin="another"))
        world.environment.next_config = config_of()
        await world.service.reload()
        assert world.banned() == {"203.0.113.7"}

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_what_may_never_be_banned_is_refused_and_written_nowhere(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        for address, reason, way_out in (
            ("10.0.0.1", "private", ""),
            (
                "0.0.0.0/0",
                "wider than a manual ban may be: at most a /8, or a /12 of IPv6",
                "ban parts of it, or make a source of it",
            ),
        ):
            with pytest.raises(RefusedError, match=reason) as refused:
                await world.manual_bans.carry_out(ban(address))
            assert way_out in refused.value.hint
        assert world.manual_bans.bans == []
        assert world.banned() == set()
        assert names(world) == []

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_an_origin_has_a_bound_that_concerns_no_other_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ban_orders, "MOST_BANS", 3)

    async def life(world: DaemonWorld) -> None:
        world.firewall.entered.clear()
        world.firewall.gate.clear()
        orders = [asyncio.ensure_future(world.manual_bans.carry_out(ban("203.0.113.1", origin="x")))]
        await world.firewall.entered.wait()
        orders += [asyncio.ensure_future(world.manual_bans.carry_out(ban(f"203.0.113.{n}", origin="x"))) for n in (2, 3, 4, 1)]
        await asyncio.sleep(0)
        world.firewall.gate.set()
        results = await asyncio.gather(*orders, return_exceptions=True)
        (refused,) = [result for result in results if isinstance(result, RefusedError)]
        assert refused is results[3]
        assert (refused.message, refused.hint) == (
            "x has 3 manual bans, and no origin may have more",
            "banlistctl unban --origin x lifts them; a source of its own may hold any number",
        )
        assert len(world.banned()) == 3
        await world.manual_bans.carry_out(ban("203.0.113.4", origin="another"))
        await world.manual_bans.carry_out(unban("203.0.113.1", origin="x"))
        await world.manual_bans.carry_out(ban("203.0.113.5", origin="x"))
        assert world.banned() == {f"203.0.113.{n}" for n in (2, 3, 4, 5)}

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_many_orders_at_once_share_transactions(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        before = world.firewall.transactions
        world.firewall.entered.clear()
        world.firewall.gate.clear()
        orders = [asyncio.ensure_future(world.manual_bans.carry_out(ban("203.0.113.1")))]
        await world.firewall.entered.wait()
        orders += [asyncio.ensure_future(world.manual_bans.carry_out(ban(f"203.0.113.{n}"))) for n in range(2, 100)]
        refused = asyncio.ensure_future(world.manual_bans.carry_out(ban("10.0.0.1")))
        lifted = asyncio.ensure_future(world.manual_bans.carry_out(unban("203.0.113.50")))
        await asyncio.sleep(0)
        world.firewall.gate.set()
        done = await asyncio.gather(*orders)
        assert [item.bans[0].first & 0xFF for item in done] == list(range(1, 100))
        assert len((await lifted).bans) == 1
        with pytest.raises(RefusedError):
            await refused
        assert world.banned() == {f"203.0.113.{n}" for n in range(1, 100) if n != 50}
        assert world.firewall.transactions == before + 2

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_an_order_whose_asker_has_gone_is_carried_out(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        world.firewall.entered.clear()
        world.firewall.gate.clear()
        order = asyncio.ensure_future(world.manual_bans.carry_out(ban("203.0.113.7")))
        await world.firewall.entered.wait()
        order.cancel()
        world.firewall.gate.set()
        await world.announcer.until(EventName.MANUAL_BAN_ADDED)
        assert world.banned() == {"203.0.113.7"}

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_a_ban_that_the_firewall_did_not_take_is_an_error_and_is_tried_again(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        world.firewall.fail_before = True
        with pytest.raises(FirewallError, match="the kernel said no; what was asked is written down, and tried again"):
            await world.manual_bans.carry_out(ban("203.0.113.7"))
        assert world.banned() == set()
        world.firewall.fail_before = False
        while not world.banned():  # noqa: ASYNC110 - nobody tells of it: it was told when it failed
            await asyncio.sleep(0.001)
        assert world.banned() == {"203.0.113.7"}

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_drift_is_repaired_with_what_is_banned_by_hand(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.manual_bans.carry_out(ban("203.0.113.7"))
        await world.firewall.teardown()
        await world.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert world.banned() == {"203.0.113.7"}

    run(Environment(tmp_path), NOTHING, life, timing=Timing(reconcile_every=0.005), serve=True)


def environment_on(disk: Path) -> Environment:
    return Environment(disk, host=FakeHost("203.0.113.1"))


def carry_out(environment: Environment, *orders: BanOrder | UnbanOrder, turns: int = 0) -> list[Done]:
    """One process without the service's loops."""
    done: list[Done] = []

    async def life(world: DaemonWorld) -> None:
        for _ in range(turns):
            await world.manual_bans.turn()
        done.extend([await world.manual_bans.carry_out(order) for order in orders])

    run(environment, NOTHING, life)
    return done


def test_of_a_network_around_the_gateway_everything_else_is_banned(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    (done,) = carry_out(environment, ban("203.0.113.0/24"))
    assert [(item.address, item.reason) for item in done.exemptions] == [("203.0.113.1", "gateway")]
    assert len(environment.banned()) == 2
    with pytest.raises(RefusedError, match=r"203\.0\.113\.1 is never banned: gateway"):
        carry_out(environment, ban("203.0.113.1"))


def test_a_restart_with_nothing_new_writes_nothing(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    carry_out(environment, ban("203.0.113.9"), ban("198.51.100.0/24"))
    before = environment.firewall.transactions
    carry_out(environment)
    assert environment.firewall.transactions == before


def test_what_runs_out_while_nothing_runs_costs_one_element_after_the_restart(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    carry_out(environment, ban("203.0.113.7", **{"for": "10m"}), ban("203.0.113.8", **{"for": "20m"}))
    before = environment.firewall.transactions
    environment.clock.time += 600
    carry_out(environment)
    assert len(environment.banned()) == 1
    assert environment.firewall.transactions == before + 1
    assert (environment.firewall.changes[-1].replace, environment.firewall.changes[-1].removed) == (False, 1)
    carry_out(environment, turns=1)
    assert [event.name for event in environment.announcer.events].count(EventName.MANUAL_BAN_EXPIRED) == 1
    assert environment.firewall.transactions == before + 1


def test_a_reboot_brings_back_what_has_not_run_out(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    carry_out(environment, ban("203.0.113.7", **{"for": "10m"}), ban("203.0.113.8"))
    environment.firewall = FakeFirewall()
    environment.clock.time += 600
    carry_out(environment)
    assert len(environment.banned()) == 1


def test_a_crash_between_the_row_and_the_firewall_is_made_good(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    carry_out(environment, ban("203.0.113.9"), ban("203.0.113.10"))
    orders: list[BanOrder | UnbanOrder] = [ban("203.0.113.11")]
    orders += [unban("203.0.113.9"), unban("203.0.113.10"), unban("203.0.113.11")]
    for order, left in zip(orders, (3, 2, 1, 0), strict=True):
        environment.firewall.fail_before = True
        with pytest.raises(FirewallError):
            carry_out(environment, order)
        environment.firewall.fail_before = False
        carry_out(environment)
        assert len(environment.banned()) == left


def lose(disk: Path) -> None:
    for file in disk.glob("db*"):
        file.unlink()


def test_lost_table_costs_no_ban_in_force(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    carry_out(environment, ban("203.0.113.9", origin="fail2ban/sshd", **{"for": "10m"}), ban("198.51.100.0/24"))
    lose(tmp_path)
    carry_out(environment)
    assert len(environment.banned()) == 2
    assert carry_out(environment, ban("203.0.113.10"), unban("203.0.113.9"))[1].bans[0].comment == "its record was lost"
    assert len(environment.banned()) == 2


@pytest.mark.parametrize("step", [-YEARS, -60.0, 3600.0, YEARS])
def test_a_ban_for_an_hour_lasts_an_hour_when_the_clock_is_set(tmp_path: Path, step: float) -> None:
    environment = environment_on(tmp_path)
    clock = environment.clock

    async def life(world: DaemonWorld) -> None:
        service = world.manual_bans
        await service.carry_out(ban("203.0.113.10"))
        await service.carry_out(ban("203.0.113.7", **{"for": "1h"}))
        await service.carry_out(ban("203.0.113.8", **{"for": "1h", "confirm": "10m"}))
        clock.ahead += step
        await service.carry_out(ban("203.0.113.9", **{"for": "1h"}))
        assert len(world.banned()) == 4
        clock.time += 600
        await service.turn()
        assert world.banned() == {"203.0.113.7", "203.0.113.9", "203.0.113.10"}
        clock.ahead -= step
        clock.time += 2999
        await service.turn()
        assert world.banned() == {"203.0.113.7", "203.0.113.9", "203.0.113.10"}
        clock.time += 1
        await service.turn()
        assert world.banned() == {"203.0.113.10"}
        assert await ManualBanTable(world.database).load() == (True, service.bans)

    run(environment, NOTHING, life)


@pytest.mark.parametrize("wrong", [7200.0, 300 * 86_400.0])
def test_a_ban_that_ended_because_the_clock_was_ahead_is_back_once_it_is_set(tmp_path: Path, wrong: float) -> None:
    environment = environment_on(tmp_path)
    clock = environment.clock
    orders = [ban(f"203.0.113.{number}", **{"for": "1h"}) for number in (7, 8)]
    carry_out(environment, *orders, ban("203.0.113.9", **{"for": "10m"}))
    clock.time += 900
    clock.ahead = wrong

    async def life(world: DaemonWorld) -> None:
        service = world.manual_bans
        await service.turn()
        assert not world.banned()
        await service.carry_out(orders[1])
        await service.carry_out(unban("203.0.113.8"))
        clock.ahead = 0.0
        await service.carry_out(ban("198.51.100.7"))
        assert world.banned() == {"203.0.113.7", "198.51.100.7"}
        assert "the clock was ahead" in [one.message for one in world.announcer.events if "7" in one.message][-2]
        clock.time += 3600 - 900
        await service.turn()
        assert world.banned() == {"198.51.100.7"}

    run(environment, NOTHING, life)


@pytest.mark.parametrize("wrong", [-YEARS, 1800.0])
def test_a_ban_of_before_the_start_keeps_its_end_when_the_clock_of_the_boot_is_set(tmp_path: Path, wrong: float) -> None:
    environment = environment_on(tmp_path)
    carry_out(environment, ban("203.0.113.7", **{"for": "1h"}))
    environment.clock.ahead = wrong

    async def life(world: DaemonWorld) -> None:
        (before,) = world.manual_bans.bans
        environment.clock.ahead = 0.0
        await world.manual_bans.carry_out(ban("203.0.113.8"))
        assert world.manual_bans.bans[0] == before

    run(environment, NOTHING, life)


def test_a_table_that_can_be_read_only_later_counts_with_what_has_come_since(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    kept: list[ManualBan] = []

    async def before(world: DaemonWorld) -> None:
        for order in (ban("203.0.113.9", origin="fail2ban/sshd", **{"for": "10m"}), ban("203.0.113.10", comment="a scanner")):
            await world.manual_bans.carry_out(order)
        kept.extend(world.manual_bans.bans)
        await world.manual_bans.carry_out(unban("203.0.113.10"))

    async def life(world: DaemonWorld) -> None:
        manual_bans, table = world.manual_bans, ManualBanTable(world.database)
        (found,) = manual_bans.bans
        assert found.comment == "its record was lost"
        done = await manual_bans.carry_out(ban("203.0.113.11"))
        await table.change(kept, [found.key, done.bans[0].key])  # as if the file were read now
        await manual_bans.take_over()
        assert manual_bans.bans == [*kept, *done.bans]
        assert world.banned() == {"203.0.113.9", "203.0.113.10", "203.0.113.11"}
        await manual_bans.resync_ledger()
        assert await table.load() == (True, manual_bans.bans)

    run(environment, NOTHING, before)
    lose(tmp_path)
    run(environment, NOTHING, life)


def test_new_table_is_filled_again(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        manual_bans, table = world.manual_bans, ManualBanTable(world.database)
        await manual_bans.carry_out(ban("203.0.113.9"))
        lose(tmp_path)
        await manual_bans.resync_ledger()
        assert await table.load() == (True, manual_bans.bans)
        stale = replace(manual_bans.bans[0], origin="of an older copy")
        await table.change([stale], [manual_bans.bans[0].key])
        await manual_bans.resync_ledger()
        assert await table.load() == (True, manual_bans.bans)

    run(environment_on(tmp_path), NOTHING, life)


def test_bans_by_hand_look_at_packets_that_come_in() -> None:
    (owner,) = policy_of(Config(), {MANUAL: Mark(1)}, 0.0).sources
    assert (owner.source_id, owner.direction, owner.action.blocks) == (MANUAL, Direction.IN, True)
