"""Who logs in is protected, and remembered after the session; nothing is written without need."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest

from banlistd.core.addresses.text import span_text
from banlistd.core.logins import MAX_LOGINS, REMEMBERED, note_logins
from banlistd.errors import LedgerError
from banlistd.model import AnswerPort, Family, Login, Protected
from banlistd.services.protected_host import SAVE_EVERY, ProtectedHost
from support.fakes import FakeClock, FakeHost, FakeLogins

ADMIN = (Family.IPV4, 0xC0000207)


class FakeLoginMemory:
    """Keeps each write; `full`: the disk takes none."""

    def __init__(self) -> None:
        self.written: list[Sequence[Login]] = []
        self.full = False

    async def load(self) -> Sequence[Login]:
        return self.written[-1] if self.written else []

    async def keep(self, logins: Sequence[Login]) -> None:
        if self.full:
            raise LedgerError("the disk is full")
        self.written.append(logins)


class HostWithLogins:
    def __init__(self) -> None:
        self.clock, self.memory = FakeClock(), FakeLoginMemory()
        self.logins, self.below = FakeLogins(), FakeHost("192.0.2.1")
        self.host = ProtectedHost(self.below, self.logins, self.memory, self.clock, [], tells_answers=True)

    async def start_again(self) -> None:
        self.host = ProtectedHost(
            self.below, self.logins, self.memory, self.clock, await self.memory.load(), tells_answers=True
        )

    async def protected(self) -> dict[str, tuple[str, float | None]]:
        return {span_text(item.span): (item.reason, item.until) for item in await self.host.protected(())}


Story = Callable[[HostWithLogins], Coroutine[Any, Any, None]]


def tell(story: Story) -> None:
    asyncio.run(story(HostWithLogins()))


GATEWAY: dict[str, tuple[str, float | None]] = {"192.0.2.1": ("gateway", None)}


def test_a_login_is_protected_for_30_days_after_its_session_across_a_restart() -> None:
    async def story(world: HostWithLogins) -> None:
        world.logins.now = ["192.0.2.7"]
        assert await world.protected() == {**GATEWAY, "192.0.2.7": ("remote session", None)}
        world.logins.now = []
        until = world.clock.time + REMEMBERED
        await world.start_again()
        assert await world.protected() == {**GATEWAY, "192.0.2.7": ("earlier remote session", until)}
        world.clock.time = until - 1
        assert "192.0.2.7" in await world.protected()
        world.clock.time = until
        assert await world.protected() == GATEWAY
        assert world.memory.written[-1] == []

    tell(story)


YEARS = 3652 * 86_400.0


def test_a_login_of_before_a_boot_whose_clock_is_ahead_is_protected_again_once_it_is_set() -> None:
    async def story(world: HostWithLogins) -> None:
        world.logins.now = ["192.0.2.7", "192.0.2.8"]
        await world.protected()
        world.logins.now = []
        until = world.clock.time + REMEMBERED
        world.clock.ahead = YEARS
        await world.start_again()
        assert await world.protected() == GATEWAY
        assert not await world.host.forget(ADMIN)
        world.clock.ahead = 0.0
        earlier = ("earlier remote session", until)
        assert await world.protected() == {**GATEWAY, "192.0.2.7": earlier, "192.0.2.8": earlier}
        assert len(world.memory.written[-1]) == 2

    tell(story)


@pytest.mark.parametrize("step", [-YEARS, YEARS])
def test_a_login_is_protected_for_30_days_also_when_the_clock_is_set_meanwhile(step: float) -> None:
    async def story(world: HostWithLogins) -> None:
        world.logins.now = ["192.0.2.7"]
        await world.protected()
        world.logins.now = []
        world.clock.ahead = step
        world.clock.time += REMEMBERED - 1
        assert "192.0.2.7" in await world.protected()
        world.clock.time += 1
        assert await world.protected() == GATEWAY

    tell(story)


def test_a_backend_that_bans_addresses_wholly_lets_everything_pass_from_what_is_needed_for_answers() -> None:
    async def story(world: HostWithLogins) -> None:
        resolver = Protected(Family.IPV4, 0xC0000235, 0xC0000235, "resolver", learned=True, answers=(AnswerPort("udp", 53),))
        world.below.now = [resolver]
        assert await world.host.protected(()) == (resolver,)
        wholly = ProtectedHost(world.below, world.logins, world.memory, world.clock, [], tells_answers=False)
        assert await wholly.protected(()) == (replace(resolver, answers=()),)

    tell(story)


def test_looks_within_the_hour_write_nothing() -> None:
    async def story(world: HostWithLogins) -> None:
        world.logins.now = ["192.0.2.7"]
        for _ in range(5):
            await world.protected()
            world.clock.time += SAVE_EVERY / 5
        assert len(world.memory.written) == 1
        await world.protected()
        (login,) = world.memory.written[-1]
        assert login.last_seen == login.since + SAVE_EVERY

    tell(story)


def test_a_forgotten_login_is_protected_no_longer() -> None:
    async def story(world: HostWithLogins) -> None:
        world.logins.now = ["192.0.2.7"]
        await world.protected()
        world.logins.now = []
        assert await world.host.forget(ADMIN)
        assert not await world.host.forget(ADMIN)
        assert await world.protected() == GATEWAY
        assert world.memory.written[-1] == []

    tell(story)


def test_the_session_of_the_gateway_has_both_reasons_and_is_no_learned_protection_only() -> None:
    async def story(world: HostWithLogins) -> None:
        world.logins.now = ["192.0.2.1"]
        (item,) = await world.host.protected(())
        assert (item.reason, item.learned, item.until) == ("gateway, remote session", False, None)

    tell(story)


def test_a_full_disk_keeps_no_login_from_being_protected_and_is_tried_again() -> None:
    async def story(world: HostWithLogins) -> None:
        world.memory.full = True
        world.logins.now = ["192.0.2.7"]
        assert "192.0.2.7" in await world.protected()
        world.memory.full = False
        await world.protected()
        assert len(world.memory.written) == 1

    tell(story)


@pytest.mark.parametrize("set_back", [0.0, 3600.0])
def test_of_too_many_logins_the_newest_are_remembered(set_back: float) -> None:
    known = {(Family.IPV4, n): Login(Family.IPV4, n, 0.0, float(n)) for n in range(MAX_LOGINS)}
    kept = note_logins(known, [ADMIN], MAX_LOGINS - set_back)
    assert len(kept) == MAX_LOGINS
    assert ADMIN in kept
    assert (Family.IPV4, 0) not in kept
