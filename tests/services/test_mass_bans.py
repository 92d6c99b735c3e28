"""Many manual bans in one order: one row each, one transaction, all or none."""

from pathlib import Path

import pytest

from banlistd.control.commands.manual_bans.ban import BAN
from banlistd.control.declaration import PageContext
from banlistd.core.config.service.manual import Manual
from banlistd.core.manual.manual_bans import read_unban
from banlistd.errors import RefusedError, UsageError
from banlistd.events import EventName
from banlistd.services import ban_orders
from banlistd.services.orders.mass_orders import read_mass_ban, read_mass_unban
from support.sources import allow, config_of
from worlds import DaemonWorld, Environment, run

NOTHING = config_of()


def lines(count: int) -> list[str]:
    return [f"203.0.{number // 250}.{number % 250 + 1}" for number in range(count)]


def names(world: DaemonWorld) -> list[EventName]:
    return [name for name in world.announcer.names() if name.startswith("manual")]


def test_very_many_bans_are_one_transaction_and_one_event(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        before = world.firewall.transactions
        done = await world.manual_bans.carry_out(read_mass_ban({"address": lines(2000)}, 0))
        assert len(done.fresh) == len(world.manual_bans.bans) == len(world.banned()) == 2000
        assert world.firewall.transactions == before + 1
        again = await world.manual_bans.carry_out(read_mass_ban({"address": lines(2001), "keep": True, "for": "1h"}, 0))
        assert (len(again.bans), again.absent) == (1, 2000)
        lifted = await world.manual_bans.carry_out(read_mass_unban({"address": [*lines(2000), "192.0.2.77"]}))
        assert (len(lifted.bans), lifted.absent) == (2000, 1)
        assert len(world.banned()) == 1
        assert names(world) == [EventName.MANUAL_BANS_CHANGED, EventName.MANUAL_BAN_ADDED, EventName.MANUAL_BANS_CHANGED]
        await world.manual_bans.carry_out(read_mass_ban({"address": lines(200)}, 0))
        await world.manual_bans.carry_out(read_unban({"origin": "operator"}))
        assert world.announcer.events[-1].message == "201 manual bans of operator lifted in one order"

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_what_is_never_banned_is_skipped_and_named(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        done = await world.manual_bans.carry_out(read_mass_ban({"address": ["203.0.113.7", "10.0.0.1", "203.0.113.8"]}, 0))
        assert world.banned() == {"203.0.113.7"}
        assert [(item.address, item.reason) for item in done.skipped] == [
            ("10.0.0.1", "private (RFC 1918)"),
            ("203.0.113.8", "allowed"),
        ]

    run(Environment(tmp_path), config_of(allow=[allow("203.0.113.8")]), life, serve=True)


def test_an_order_that_is_refused_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.manual_bans.carry_out(read_mass_ban({"address": lines(2)}, 0))
        with pytest.raises(RefusedError, match="would have 4 manual bans, more than 3, and no origin may have more"):
            await world.manual_bans.carry_out(read_mass_ban({"address": lines(4)}, 0))
        with pytest.raises(RefusedError, match=r"has banned 203.0.0.1 already"):
            await world.manual_bans.carry_out(read_mass_ban({"address": ["203.0.9.9", "203.0.0.1"], "confirm": "10m"}, 0))
        assert len(world.banned()) == 2

    monkeypatch.setattr(ban_orders, "MOST_BANS", 3)
    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_the_configured_prefix_of_ipv6_is_meant_by_bans_confirmations_and_their_ends(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        made = await world.ask("ban", address="2001:db8:1:2::7", confirm="10m")
        assert made["address"] == "2001:db8:1:2::/64"
        confirmed = await world.ask("confirm", address="2001:db8:1:2::9")
        assert [row["address"] for row in confirmed["bans"]] == ["2001:db8:1:2::/64"]
        assert (await world.ask("ban", address="2001:db8:1:2::7", prefix6="128"))["address"] == "2001:db8:1:2::7"
        assert (await world.ask("ban", address=["2001:db8:1:3::7", "192.0.2.7"]))["banned"] == 2
        assert await world.ask("unban", address=["2001:db8:1:3::1", "192.0.2.7"]) == {"lifted": 2, "absent": 0}
        removed = (await world.ask("unban", address="2001:db8:1:2::1"))["removed"]
        assert [row["address"] for row in removed] == ["2001:db8:1:2::/64"]
        assert [row["address"] for row in await world.ask("bans")] == ["2001:db8:1:2::7"]

    run(Environment(tmp_path), config_of(manual=Manual(prefix6=64)), life)


def test_many_bans_are_tried_and_confirmed_in_one_order_and_the_others_are_lifted(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        made = await world.ask("ban", address=lines(150), confirm="1m")
        assert (made["banned"], made["confirm_by"]) == (150, world.clock.time + 60)
        assert "unless you confirm them" in str(BAN.page(made, PageContext(world.clock.time, lambda _: None))[0])
        confirmed = await world.ask("confirm", address=[*lines(120), "198.51.100.1"])
        assert (confirmed["confirmed"], confirmed["absent"]) == (120, 1)
        with pytest.raises(UsageError, match="no ban of these addresses waits"):
            await world.ask("confirm", address=lines(120))
        world.clock.time += 60
        await world.announcer.until(EventName.MANUAL_BAN_EXPIRED, times=30)
        assert len(await world.ask("bans", limit=1000)) == 120
        messages = [event.message for event in world.announcer.events if event.name is EventName.MANUAL_BANS_CHANGED]
        assert messages == [
            "150 manual bans of operator made in one order, for 60 s unless they are confirmed",
            "120 manual bans of operator confirmed in one order",
        ]

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_many_bans_that_were_not_confirmed_end_with_one_event(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.ask("ban", address=lines(150), confirm="1m")
        world.clock.time += 60
        event = await world.announcer.until(EventName.MANUAL_BANS_CHANGED, times=2)
        assert event.message == "150 manual bans of operator were not confirmed in time"
        assert (event.fields["ADDED"], event.fields["REMOVED"], world.banned()) == (0, 150, set())

    run(Environment(tmp_path), NOTHING, life, serve=True)
