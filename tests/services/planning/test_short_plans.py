"""Which plans are made on the event loop."""

import asyncio
from collections.abc import Sequence
from threading import get_ident

import pytest

from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.feeds.content import Content
from banlistd.core.ruleset.policy import Policy, identities, policy_of
from banlistd.model import Family, Mark, PolicyHash, Protected, SourceId
from banlistd.services.planning.desired_state import PlanInForce, plan_after
from banlistd.services.planning.short_plans import turn_for
from support.sources import config_of, source

_PROTECTED = Protected(Family.IPV4, 0xC0000201, 0xC0000201, "the default gateway")


def _is_here(sources: int, entries: int, protected: Sequence[Protected] = ()) -> bool:
    """Whether a plan of so many sources with so many entries each is made where it is asked for."""

    async def life() -> bool:
        policy, contents = _contents(sources, entries)
        return await turn_for(None, policy, contents, protected)(get_ident) == get_ident()

    return asyncio.run(life())


def _contents(sources: int, entries: int) -> tuple[Policy, dict[SourceId, Content]]:
    config = config_of(*(source(SourceId(f"list-{number}")) for number in range(sources)))
    policy = policy_of(config, {one: Mark(number) for number, one in enumerate(identities(config), 1)}, 0.0)
    addresses = AddressSet.of(from_numbers(Family.IPV4, range(0x0B000000, 0x0B000000 + 2 * entries, 2)))
    content = addresses.content_hash()
    return policy, {one.id: Content(one.id, content, addresses) for one in config.sources}


def test_the_plan_of_few_short_lists_is_made_on_the_loop() -> None:
    assert _is_here(2, 10_000)


@pytest.mark.parametrize(("sources", "entries"), [(1, 60_000), (8, 5_000), (9, 1)])
def test_that_of_long_or_many_lists_goes_to_a_thread(sources: int, entries: int) -> None:
    assert not _is_here(sources, entries)


def test_that_with_many_protected_addresses_goes_to_a_thread() -> None:
    assert _is_here(2, 10, [_PROTECTED] * 64)
    assert not _is_here(2, 10, [_PROTECTED] * 65)


def test_so_does_a_short_one_after_a_long_one() -> None:
    async def life() -> None:
        policy, contents = _contents(1, 60_000)
        _, before = plan_after(PlanInForce(None, None, PolicyHash(""), is_same=False), policy, contents, ())
        _, short = _contents(1, 10)
        assert await turn_for(before.state, policy, short, ())(get_ident) != get_ident()

    asyncio.run(life())


def test_what_the_work_raises_is_raised() -> None:
    def fail() -> None:
        raise ValueError

    async def life() -> None:
        policy, contents = _contents(1, 1)
        with pytest.raises(ValueError):  # noqa: PT011 - without words
            await turn_for(None, policy, contents, ())(fail)

    asyncio.run(life())
