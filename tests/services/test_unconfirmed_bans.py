"""Manual bans that are lifted unless they are confirmed: confirmed, not confirmed, and cut off by a crash at each write."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from banlistd.core.manual.manual_bans import BanOrder, ConfirmOrder, UnbanOrder, read_ban, read_confirm, read_unban
from banlistd.errors import LedgerError, RefusedError, UsageError
from banlistd.events import EventName
from support.fakes import FakeFirewall
from support.sources import config_of
from worlds import DaemonWorld, Environment, daemon_world, run

NOTHING = config_of()
ADDRESS = "203.0.113.7"
BANNED = {ADDRESS}


def order(address: str = ADDRESS, **words: str) -> BanOrder:
    return read_ban({"address": address, "confirm": "1m", **words})


def confirm(address: str = ADDRESS) -> ConfirmOrder:
    return read_confirm({"address": address})


def names(world: DaemonWorld) -> list[EventName]:
    return [name for name in world.announcer.names() if name.startswith("manual")]


def carry_out(environment: Environment, *orders: BanOrder | UnbanOrder | ConfirmOrder, turns: int = 0) -> None:
    """One process without the service's loops."""

    async def life(world: DaemonWorld) -> None:
        for one in orders:
            await world.manual_bans.carry_out(one)
        for _ in range(turns):
            await world.manual_bans.turn()

    run(environment, NOTHING, life)


def test_it_is_in_force_at_once_and_is_lifted_by_itself(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        done = await world.manual_bans.carry_out(order())
        assert (done.is_new, done.bans[0].expires_at, world.banned()) == (True, None, BANNED)
        added = world.announcer.events[-1]
        assert added.message == f"{ADDRESS}: banned by operator, for 60 s unless it is confirmed"
        assert added.fields["CONFIRM_BY"] == round(world.clock.time + 60)
        world.clock.time += 59.9
        assert len(world.manual_bans.bans) == 1
        world.clock.time += 0.1
        event = await world.announcer.until(EventName.MANUAL_BAN_EXPIRED)
        assert event.message == f"{ADDRESS}: the ban of operator was not confirmed in time"
        assert world.banned() == set()

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_what_is_confirmed_lasts_as_it_was_ordered(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        began = world.clock.time
        await world.manual_bans.carry_out(order(**{"for": "2h"}))
        await world.manual_bans.carry_out(order("198.51.100.0/24", origin="night"))
        world.clock.time += 30
        transactions = world.firewall.transactions
        (kept,) = (await world.manual_bans.carry_out(confirm())).bans
        await world.manual_bans.carry_out(confirm("198.51.100.0/24"))
        assert world.firewall.transactions == transactions
        assert (kept.created_at, kept.expires_at, kept.confirm_by) == (began, began + 7200, None)
        assert names(world)[-1] == EventName.MANUAL_BAN_CONFIRMED
        world.clock.time = began + 7199
        await world.manual_bans.carry_out(read_unban({"address": "192.0.2.9"}))  # a turn in which nothing runs out
        assert len(world.manual_bans.bans) == 2
        world.clock.time = began + 7200
        event = await world.announcer.until(EventName.MANUAL_BAN_EXPIRED)
        assert event.message == f"{ADDRESS}: the ban of operator has run out"
        assert world.banned() == {"198.51.100.0 - 198.51.100.255"}

    run(Environment(tmp_path), NOTHING, life, serve=True)


def test_an_earlier_ban_is_never_lost(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        (before,) = (await world.manual_bans.carry_out(read_ban({"address": ADDRESS, "for": "1h", "comment": "why"}))).bans
        with pytest.raises(RefusedError, match=r"operator has banned 203\.0\.113\.7 already, so there is nothing to try"):
            await world.manual_bans.carry_out(order())
        assert world.manual_bans.bans == [before]
        await world.manual_bans.carry_out(order(origin="another"))
        world.clock.time += 60
        await world.manual_bans.turn()
        assert (world.manual_bans.bans, world.banned()) == ([before], BANNED)
        world.clock.time += 3600
        await world.manual_bans.carry_out(order())  # the earlier one has run out
        assert world.banned() == BANNED

    run(Environment(tmp_path), NOTHING, life)


def test_unban_ends_it_and_another_order_takes_its_place(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        carry = world.manual_bans.carry_out
        await carry(order())
        await carry(read_unban({"address": ADDRESS}))
        assert world.banned() == set()
        await carry(order())
        world.clock.time += 30
        await carry(order())
        world.clock.time += 45
        await world.manual_bans.turn()
        assert world.banned() == BANNED
        assert (await carry(read_ban({"address": ADDRESS}))).is_new
        world.clock.time += 60
        await carry(read_unban({"address": "192.0.2.9"}))
        assert (world.banned(), world.manual_bans.unconfirmed()) == (BANNED, [])
        assert names(world) == [
            EventName.MANUAL_BAN_ADDED,
            EventName.MANUAL_BAN_REMOVED,
            *[EventName.MANUAL_BAN_ADDED] * 3,
        ]

    run(Environment(tmp_path), NOTHING, life)


def test_confirm_says_what_waits_where_that_is_something_else(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        with pytest.raises(UsageError, match="no configuration waits") as fault:
            await world.ask("confirm")
        assert fault.value.hint == "banlistctl reload --confirm 2m begins a trial"
        with pytest.raises(UsageError, match=r"no ban of 203\.0\.113\.7 waits for its confirmation") as fault:
            await world.ask("confirm", address=ADDRESS)
        assert fault.value.hint == "it was confirmed already, or its time is over: banlistctl bans"
        await world.ask("ban", address="198.51.100.0/24", confirm="1m")
        for question in (world.ask("confirm"), world.ask("confirm", address=ADDRESS)):
            with pytest.raises(UsageError) as fault:
                await question
            assert fault.value.hint == "a ban waits: banlistctl confirm 198.51.100.0/24"
        answer = await world.ask("confirm", address="198.51.100.0/24")
        assert [row["address"] for row in answer["bans"]] == ["198.51.100.0/24"]
        with pytest.raises(UsageError):
            await world.ask("confirm", address="198.51.100.0/24")
        await world.ask("ban", address=ADDRESS, confirm="1m")
        world.clock.time += 60
        with pytest.raises(UsageError, match="no ban"):  # its time is over, whether the loop has seen that or not
            await world.ask("confirm", address=ADDRESS)

    run(Environment(tmp_path), NOTHING, life)


def test_bans_and_ban_say_until_when_it_waits(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        until = world.clock.time + 60
        assert (await world.ask("ban", address=ADDRESS, confirm="1m"))["confirm_by"] == until
        assert [row["confirm_by"] for row in await world.ask("bans")] == [until]
        await world.ask("confirm", address=ADDRESS)
        assert [row["confirm_by"] for row in await world.ask("bans")] == [None]

    run(Environment(tmp_path), NOTHING, life)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"confirm": "5s"}, 'confirm: "5s" is shorter than 10s'),
        ({"confirm": "2h"}, 'confirm: "2h" is longer than 1h'),
        ({"for": "1m"}, "the ban would end before its confirmation is due"),
    ],
)
def test_times_that_cannot_be_meant_are_refused(words: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as fault:
        order(**words)
    assert fault.value.message == message


def test_a_confirmation_that_cannot_be_written_down_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.ask("ban", address=ADDRESS, confirm="1m")
        monkeypatch.setattr(world.database, "_fault", "the disk is full")
        with pytest.raises(LedgerError, match="cannot be written down: the disk is full"):
            await world.ask("confirm", address=ADDRESS)
        assert len(world.manual_bans.unconfirmed()) == 1
        monkeypatch.setattr(world.database, "_fault", "")

    run(Environment(tmp_path), NOTHING, life)


@pytest.mark.parametrize("reboot", [False, True], ids=["restart", "reboot"])
def test_restarts_and_reboots_keep_the_end_in_force(tmp_path: Path, reboot: bool) -> None:
    environment = Environment(tmp_path)

    def start(*, turns: int = 0) -> None:
        if reboot:
            environment.firewall = FakeFirewall()
        carry_out(environment, turns=turns)

    carry_out(environment, order(), order("203.0.113.8"), confirm("203.0.113.8"))
    environment.clock.time += 59
    start()
    assert len(environment.banned()) == 2
    environment.clock.time += 1
    start(turns=1)
    assert environment.banned() == {"203.0.113.8"}
    assert [event.name for event in environment.announcer.events].count(EventName.MANUAL_BAN_EXPIRED) == 1
    start()
    assert environment.banned() == {"203.0.113.8"}


class PowerCut(BaseException):
    pass


Step = Callable[[DaemonWorld], Awaitable[object]]


async def confirmed(world: DaemonWorld) -> None:
    await world.manual_bans.carry_out(confirm())


async def time_over(world: DaemonWorld) -> None:
    world.clock.time += 60
    await world.manual_bans.turn()


async def lifted(world: DaemonWorld) -> None:
    await world.manual_bans.carry_out(read_unban({"address": ADDRESS}))


def cut(world: DaemonWorld, monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool) -> list[str]:
    """Let the power fail before or after the write with this number; returns the writes that were made."""
    writes: list[str] = []
    count = 0

    def watched(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        async def write(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == at and not after:
                raise PowerCut
            done = await original(*arguments, **options)
            writes.append(name)
            if count == at:
                raise PowerCut
            return done

        monkeypatch.setattr(owner, name, write)

    watched(world.firewall, "apply")
    watched(world.manual_bans._table, "change")
    return writes


@pytest.mark.parametrize("step", [confirmed, time_over, lifted])
@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after it"])
@pytest.mark.parametrize("at", range(1, 5))
def test_after_a_crash_at_any_write_it_lasts_only_if_it_was_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, after: bool, step: Step
) -> None:
    environment = Environment(tmp_path)
    began = environment.clock.time

    async def life() -> list[str]:
        async with daemon_world(environment, NOTHING) as world:
            await world.service.restore()
            writes = cut(world, monkeypatch, at, after=after)
            try:
                await world.manual_bans.carry_out(order())
                await step(world)
            except PowerCut:
                pass
            return writes

    rows = asyncio.run(life()).count("change")
    monkeypatch.undo()
    environment.clock.time = began + 59
    carry_out(environment)
    assert environment.banned() == (BANNED if rows == 1 or (rows == 2 and step is confirmed) else set())
    environment.clock.time = began + 60
    carry_out(environment, turns=1 if rows == 1 else 0)
    assert environment.banned() == (BANNED if rows == 2 and step is confirmed else set())
