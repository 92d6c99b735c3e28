"""What every firewall backend promises, whatever it is made of. A test module inherits the class, says how to run a story.

`Promises` is the table of what not every backend can promise; a test that asks for it has the backend's answer in its name.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields, replace
from typing import ClassVar

import numpy as np
import pytest

from adapters.firewalls.changing import opened
from adapters.firewalls.holdings import (
    ALPHA,
    BETA,
    BOTH,
    COUNTED,
    DROP,
    HOSTS4,
    LOGGED,
    MIXED,
    NETS4,
    addresses,
    change_of,
    large,
    owner,
    services,
    state,
)
from adapters.firewalls.killing import kill_while_changing, look_after_kills
from adapters.firewalls.promises import AfterKill, Counting, Promises, RangeForm
from banlistd.backends import BackendName
from banlistd.core.addresses.sets import FAMILIES, AddressSet, from_numbers
from banlistd.core.ruleset.diff import Change, MapChange, difference
from banlistd.core.ruleset.state import MapEntries
from banlistd.model import Action, ContentHash, Counter, Family, Mark, SourceId
from banlistd.ports import Firewall

__all__ = [
    "ALPHA",
    "BETA",
    "BOTH",
    "COUNTED",
    "DROP",
    "HOSTS4",
    "LOGGED",
    "MIXED",
    "NETS4",
    "AfterKill",
    "Counting",
    "FirewallContract",
    "Promises",
    "RangeForm",
    "Story",
    "addresses",
    "change_of",
    "large",
    "owner",
    "services",
    "state",
]

Story = Callable[[Firewall], Awaitable[None]]

# How often a process that changes the firewall is killed; in the system tests a whole daemon is, five times as often.
_KILLS = int(os.environ.get("BANLISTD_KILLS", "25")) // 5

NETWORKS = ("192.0.2.0/24", "198.51.100.0/24")


class FirewallContract:
    promises: ClassVar[Promises] = Promises()
    backend: ClassVar[BackendName]
    # What `opened` needs besides to make another firewall on the same place, in this process or another.
    arguments: ClassVar[Sequence[str]] = ()

    def run(self, story: Story) -> None:
        """Tell a fresh, empty firewall a story, and close it."""
        raise NotImplementedError

    def _words(self) -> Sequence[str]:
        return (self.backend, *self.arguments)

    def traces(self) -> object:
        """All that anybody can see of the place, from within a story: what a teardown must leave as it was."""
        return None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        for promise in fields(Promises):
            if promise.name in metafunc.fixturenames:
                value = getattr(self.promises, promise.name)
                metafunc.parametrize(promise.name, [value], ids=[str(value)])

    def test_it_is_empty_at_first(self) -> None:
        async def story(firewall: Firewall) -> None:
            assert await firewall.gaps() == ()
            assert await firewall.markers() == ()
            assert not (await firewall.verify(state([ALPHA], {"alpha": MIXED}))).sound
            assert await firewall.counters() == {}

        self.run(story)

    def test_what_was_applied_is_found(self) -> None:
        async def story(firewall: Firewall) -> None:
            contents = {"alpha": MIXED, "drop": addresses("192.0.2.7")}
            held = state([ALPHA, DROP], contents, allowed=["203.0.113.128/25", "::/64"])
            assert await firewall.apply(difference(None, held)) == len(held)
            assert await firewall.markers() == held.markers
            assert (await firewall.verify(held)).sound
            assert await firewall.gaps() == ()

        self.run(story)

    def test_something_else_is_not_taken_for_it(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = state([ALPHA, BETA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            other_mark = state([ALPHA, BETA], {"beta": MIXED})
            assert HOSTS4 in (await firewall.verify(other_mark)).maps
            assert NETS4 in (await firewall.verify(other_mark)).maps
            assert (await firewall.verify(state([ALPHA, BETA, DROP], {"alpha": MIXED}))).structure
            assert (await firewall.verify(state([ALPHA, BETA], {"alpha": MIXED}, allowed=["9.0.0.0/8"]))).structure

        self.run(story)

    def test_state_can_be_read_back_and_planned_again(self) -> None:
        async def story(firewall: Firewall) -> None:
            top = addresses("240.0.0.0/4", "ff00::/8", "1.0.0.0/25")
            contents = {"alpha": MIXED, "beta": top, "drop": addresses("1.0.0.128/25", "192.0.2.7")}
            sources = [ALPHA, BETA, DROP]
            held = state(sources, contents)
            await firewall.apply(difference(None, held))
            found = await firewall.contents()
            if not self.backend.kind.capabilities.contents_by_owner:
                everything = found[ALPHA.mark]
                assert found == {owner.mark: everything for owner in sources}
                assert everything.contains(Family.IPV4, 0xF0000001)
                return
            read = {str(owner.source_id): found[owner.mark] for owner in sources}
            assert difference(held, state(sources, read)).is_empty

        self.run(story)

    def test_an_empty_change_writes_nothing(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = state([ALPHA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            assert await firewall.apply(difference(held, held)) == 0
            assert (await firewall.verify(held)).sound

        self.run(story)

    def test_twice_is_once(self) -> None:
        async def story(firewall: Firewall) -> None:
            first = state([ALPHA], {"alpha": MIXED})
            then = state([ALPHA, BETA], {"alpha": addresses("1.0.0.0/9", "198.51.100.1"), "beta": addresses("2001:db8::2")})
            for change in (difference(None, first), difference(first, then)):
                await firewall.apply(change)
                await firewall.apply(change)
            assert (await firewall.verify(then)).sound
            assert await firewall.markers() == then.markers

        self.run(story)

    def test_a_large_change_twice_is_once(self) -> None:
        async def story(firewall: Firewall) -> None:
            first, then = large(0), large(1)
            for change in (difference(None, first), difference(first, then), difference(first, then)):
                await firewall.apply(change)
            assert (await firewall.verify(then)).sound
            found = (await firewall.contents())[ALPHA.mark]
            assert difference(then, state([ALPHA], {"alpha": found}, content_hash=f"{1:064x}")).is_empty

        self.run(story)

    def test_to_remove_what_is_absent_is_fine(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = state([ALPHA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            for map_id, absent in ((HOSTS4, from_numbers(Family.IPV4, [7])), (NETS4, from_numbers(Family.IPV4, [1024]))):
                last = absent if map_id is HOSTS4 else absent + np.uint32(255)
                gone = MapEntries(Family.IPV4, absent, last, np.array([1], dtype=np.uint16))
                nothing = MapEntries.none(Family.IPV4)
                await firewall.apply(change_of(held, MapChange(map_id, held.map_entries[map_id], nothing, gone, replace=False)))
            assert (await firewall.verify(held)).sound

        self.run(story)

    def test_entries_come_and_go(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = state([ALPHA], {})
            await firewall.apply(difference(None, held))
            steps = ("192.0.2.1", "192.0.2.1 2001:db8::/64", "192.0.2.0/30 2001:db8::1", "0.0.0.0/0 ::/0", "")
            for number, texts in enumerate(steps):
                wanted = state([ALPHA], {"alpha": addresses(*texts.split())}, content_hash=f"{number:064x}")
                await firewall.apply(difference(held, wanted))
                assert (await firewall.verify(wanted)).sound
                assert await firewall.markers() == wanted.markers
                held = wanted

        self.run(story)

    def test_an_address_changes_its_owner(self) -> None:
        async def story(firewall: Firewall) -> None:
            first = state([ALPHA, BETA], {"alpha": MIXED, "beta": MIXED})
            then = state([ALPHA, BETA], {"alpha": AddressSet.none(), "beta": MIXED})
            await firewall.apply(difference(None, first))
            await firewall.apply(difference(first, then))
            assert (await firewall.verify(then)).sound
            assert not (await firewall.verify(first)).sound

        self.run(story)

    def test_networks_that_touch_keep_their_owners(self) -> None:
        async def story(firewall: Firewall) -> None:
            even = addresses(*(f"{n}.0.0.0/8" for n in range(0, 256, 2)), "8000::/1")
            odd = addresses(*(f"{n}.0.0.0/8" for n in range(1, 256, 2)), "::/1")
            first = state([ALPHA, BETA], {"alpha": even, "beta": odd})
            then = state([ALPHA, BETA], {"alpha": odd, "beta": even})
            await firewall.apply(difference(None, first))
            assert (await firewall.verify(first)).sound
            await firewall.apply(difference(first, then))
            assert (await firewall.verify(then)).sound

        self.run(story)

    def test_single_addresses_that_are_left_of_ranges_beside_networks_are_found(self) -> None:
        # Many, because it is chance in which order a tree of the kernel gives neighbours.
        networks = addresses(*(f"{n}.0.2.0/24" for n in range(20, 60)), *(f"20{n}::/64" for n in range(20, 60)))
        ends4 = [[(n << 24) + 0x200 + 255 + step for n in range(20, 60)] for step in (0, 1)]
        ends6 = [[(int(f"20{n}", 16) << 112) + 2**64 - 1 + step for n in range(20, 60)] for step in (0, 1)]
        columns = [from_numbers(family, end) for family, ends in ((Family.IPV4, ends4), (Family.IPV6, ends6)) for end in ends]
        beyond = AddressSet.of(*columns)

        async def story(firewall: Firewall) -> None:
            held = state([ALPHA, BETA], {"alpha": networks, "beta": beyond})
            await firewall.apply(difference(None, held))
            assert (await firewall.verify(held)).sound

        self.run(story)

    def test_a_network_more_than_there_should_be_is_noticed(self) -> None:
        async def story(firewall: Firewall) -> None:
            one, two = (state([ALPHA], {"alpha": addresses(*nets)}) for nets in (NETWORKS[:1], NETWORKS[:2]))
            await firewall.apply(difference(None, two))
            assert (await firewall.verify(two)).sound
            assert not (await firewall.verify(one)).sound

        self.run(story)

    def test_a_hundred_thousand_entries(self) -> None:
        async def story(firewall: Firewall) -> None:
            chance = np.random.default_rng(1)
            hosts = chance.integers(0, 2**32, 100_000, dtype=np.uint32)
            starts = (np.arange(2_000, dtype=np.uint32) * np.uint32(1 << 21)) + np.uint32(5)
            content = AddressSet.of(np.concatenate([hosts, starts]), np.concatenate([hosts, starts + np.uint32(1 << 18)]))
            empty, held = state([ALPHA], {}), state([ALPHA], {"alpha": content})
            await firewall.apply(difference(None, empty))
            assert await firewall.apply(difference(empty, held)) == len(held)
            assert (await firewall.verify(held)).sound
            fewer = state([ALPHA], {"alpha": AddressSet.of(content.hosts4[1000:])})
            await firewall.apply(difference(held, fewer))
            assert (await firewall.verify(fewer)).sound

        self.run(story)

    def test_replacement_removes_all_earlier_state(self) -> None:
        async def story(firewall: Firewall) -> None:
            contents = dict.fromkeys(("alpha", "logged", "counted"), MIXED)
            await firewall.apply(difference(None, state([ALPHA, LOGGED, COUNTED], contents)))
            held = state([BETA], {"beta": addresses("192.0.2.9")})
            await firewall.apply(difference(None, held))
            assert (await firewall.verify(held)).sound
            assert await firewall.markers() == held.markers

        self.run(story)

    def test_lanes_come_and_go_with_their_sources(self) -> None:
        async def story(firewall: Firewall) -> None:
            contents = dict.fromkeys(("alpha", "logged", "counted", "both"), MIXED)
            held = state([ALPHA], contents)
            await firewall.apply(difference(None, held))
            for sources in ([ALPHA, LOGGED], [ALPHA, LOGGED, COUNTED, BOTH], [BOTH], [COUNTED], [ALPHA]):
                wanted = state(sources, contents)
                await firewall.apply(difference(held, wanted))
                assert (await firewall.verify(wanted)).sound
                assert await firewall.markers() == wanted.markers
                held = wanted

        self.run(story)

    def test_a_source_changes_its_action(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = state([ALPHA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            for action in (Action.LOG, Action.REJECT, Action.COUNT, Action.DROP):
                wanted = state([owner(1, "alpha", action)], {"alpha": MIXED})
                await firewall.apply(difference(held, wanted))
                assert (await firewall.verify(wanted)).sound
                held = wanted

        self.run(story)

    def test_allowed_networks_are_written_and_removed(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = state([ALPHA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            for allowed in (["1.2.0.0/16", "2001:db8::/32"], ["1.2.0.0/17"], ["0.0.0.0/0"], []):
                wanted = state([ALPHA], {"alpha": MIXED}, allowed=allowed)
                await firewall.apply(difference(held, wanted))
                assert (await firewall.verify(wanted)).sound
                held = wanted

        self.run(story)

    def test_services_whose_answers_pass_are_written_and_removed(self) -> None:
        if not self.backend.kind.capabilities.tells_answers:
            pytest.skip("this backend bans addresses wholly")

        async def story(firewall: Firewall) -> None:
            held = state([ALPHA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            for texts in (
                ["198.51.100.1 udp 53", "198.51.100.1 tcp 53", "2001:db8::1 tcp 443", "2001:db8::1 icmpv6 34816"],
                ["198.51.100.1 udp 123"],
                ["198.51.100.1 udp 124"],
                [],
            ):
                wanted = state([ALPHA], {"alpha": MIXED}, answers=services(*texts))
                assert (await firewall.verify(wanted)).structure
                assert await firewall.apply(difference(held, wanted)) == 0
                assert (await firewall.verify(wanted)).sound
                assert await firewall.apply(difference(wanted, wanted)) == 0
                held = wanted

        self.run(story)

    def test_a_thousand_services_come_with_everything_else(self) -> None:
        if not self.backend.kind.capabilities.tells_answers:
            pytest.skip("this backend bans addresses wholly")

        async def story(firewall: Firewall) -> None:
            many = services(*(f"203.0.113.9 udp {port}" for port in range(1, 2600)))
            held = state([ALPHA, BOTH], {"alpha": MIXED, "both": MIXED}, answers=many)
            await firewall.apply(difference(None, held))
            assert (await firewall.verify(held)).sound
            fewer = state([ALPHA], {"alpha": MIXED}, answers=many[:7])
            await firewall.apply(difference(held, fewer))
            assert (await firewall.verify(fewer)).sound

        self.run(story)

    def test_teardown_leaves_nothing(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = state([ALPHA], {"alpha": MIXED})
            await firewall.teardown()
            await firewall.apply(difference(None, held))
            await firewall.teardown()
            assert await firewall.markers() == ()
            assert not (await firewall.verify(held)).sound
            await firewall.apply(difference(None, held))
            assert (await firewall.verify(held)).sound

        self.run(story)

    def test_teardown_leaves_no_trace(self) -> None:
        async def story(firewall: Firewall) -> None:
            before = self.traces()
            contents = dict.fromkeys(("alpha", "beta", "logged", "counted", "both"), MIXED)
            held = state([ALPHA, BETA, LOGGED, COUNTED, BOTH], contents, allowed=["1.2.0.0/16", "2001:db8::/32"])
            await firewall.apply(difference(None, held))
            await firewall.teardown()
            await firewall.teardown()
            assert self.traces() == before

        self.run(story)

    def test_a_marker_is_written_without_any_element(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = state([ALPHA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            other = state([ALPHA], {"alpha": MIXED}, content_hash="b" * 64)
            assert await firewall.apply(difference(held, other)) == 0
            assert await firewall.markers() == other.markers
            assert (await firewall.verify(other)).sound

        self.run(story)

    def test_markers_are_in_mark_order_and_go_with_their_sources(self) -> None:
        async def story(firewall: Firewall) -> None:
            sources = [owner(mark, f"source-{mark}") for mark in (65_535, 300, 7, 1)]
            held = state(sources, {source.source_id: addresses(f"192.0.2.{at}") for at, source in enumerate(sources)})
            await firewall.apply(difference(None, held))
            assert [marker.mark for marker in await firewall.markers()] == [1, 7, 300, 65_535]
            left = state(sources[1:3], {source.source_id: addresses("2001:db8::1") for source in sources[1:3]})
            await firewall.apply(difference(held, left))
            assert [marker.mark for marker in await firewall.markers()] == [7, 300]

        self.run(story)

    def test_a_marker_needs_no_source_that_acts(self) -> None:
        """The marker of a list of action none: the firewall has nothing else of it."""

        async def story(firewall: Firewall) -> None:
            held = state([ALPHA], {"alpha": MIXED})
            kept = replace(held.markers[0], mark=Mark(9), source_id=SourceId("kept"))
            both = replace(held, markers=(*held.markers, kept))
            await firewall.apply(difference(None, both))
            assert await firewall.markers() == both.markers
            assert (await firewall.verify(both)).sound
            other = replace(both, markers=(*held.markers, replace(kept, content_hash=ContentHash("c" * 64))))
            assert await firewall.apply(difference(both, other)) == 0
            assert await firewall.markers() == other.markers
            assert (await firewall.verify(other)).sound
            await firewall.apply(difference(other, held))
            assert await firewall.markers() == held.markers

        self.run(story)

    def test_to_forget_a_source_that_is_not_there_is_fine(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = state([ALPHA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            absent = (Mark(77),)
            forgetting = Change(held.sources, reshape=False, replace=False, maps=(), allowed=None, markers=(), retired=absent)
            await firewall.apply(forgetting)
            assert await firewall.markers() == held.markers
            assert (await firewall.verify(held)).sound

        self.run(story)

    def test_ranges_that_are_no_networks_are_complete_to_the_last_address(self, spans: RangeForm) -> None:
        ends4 = [(0xC0000201, 0xC0000206), (0x05000001, 0x0AFFFFFE), (0xCB007100, 0xCB007103), (0xFE000000, 0xFFFFFFFF)]
        ends6 = [(1 << 64, (1 << 96) + 5), ((0x2001 << 112) + 1, 0x2002 << 112)]
        columns = [
            from_numbers(family, list(column))
            for family, ends in ((Family.IPV4, ends4), (Family.IPV6, ends6))
            for column in zip(*ends, strict=True)
        ]
        content = AddressSet.of(*columns)

        async def story(firewall: Firewall) -> None:
            held = state([ALPHA], {"alpha": content})
            await firewall.apply(difference(None, held))
            assert (await firewall.verify(held)).sound
            found = (await firewall.contents())[ALPHA.mark]
            assert all(found.ranges(family) == content.ranges(family) for family in FAMILIES)
            less = state([ALPHA], {"alpha": AddressSet.of(columns[0][:1], columns[1][:1] - np.uint32(1))})
            await firewall.apply(difference(held, less))
            assert (await firewall.verify(less)).sound
            assert (await firewall.contents())[ALPHA.mark].ranges(Family.IPV4).count() == 5

        assert spans in RangeForm
        self.run(story)

    def test_a_hundred_thousand_entries_of_ipv6(self) -> None:
        async def story(firewall: Firewall) -> None:
            hosts = np.frombuffer(np.random.default_rng(2).bytes(16 * 99_000), dtype="S16")
            starts = [number << 80 for number in range(2**32, 2**32 + 2000, 2)]
            first = np.concatenate([hosts, from_numbers(Family.IPV6, starts)])
            last = np.concatenate([hosts, from_numbers(Family.IPV6, [start + 2**80 - 1 for start in starts])])
            empty, held = state([ALPHA], {}), state([ALPHA], {"alpha": AddressSet.of(None, None, first, last)})
            await firewall.apply(difference(None, empty))
            assert await firewall.apply(difference(empty, held)) == len(held)
            assert (await firewall.verify(held)).sound
            fewer = state([ALPHA], {"alpha": AddressSet.of(None, None, first[1000:], last[1000:])})
            assert await firewall.apply(difference(held, fewer)) == 1000
            assert (await firewall.verify(fewer)).sound

        self.run(story)

    def test_what_is_counted(self, counters: Counting) -> None:
        async def story(firewall: Firewall) -> None:
            held = state([ALPHA, LOGGED], {"alpha": MIXED, "logged": MIXED})
            await firewall.apply(difference(None, held))
            counted = await firewall.counters()
            assert bool(counted) == self.backend.kind.capabilities.counters
            match counters:
                case Counting.BY_SOURCE:
                    assert counted == dict.fromkeys((ALPHA.mark, LOGGED.mark), Counter(0, 0))
                case Counting.NOTHING:
                    assert counted == {}
                case Counting.NOT_SAID:
                    assert counted.keys() <= {ALPHA.mark, LOGGED.mark}

        self.run(story)

    def test_markers_are_true_after_a_kill_within_a_change(self, killed: AfterKill) -> None:
        if killed is AfterKill.NOT_SAID:
            pytest.skip("nothing is said of a process that is killed")
        states = [large(turn) for turn in (0, 1)]

        async def story(firewall: Firewall) -> None:
            await firewall.apply(difference(None, states[0]))
            await look_after_kills(self._words(), _KILLS, states, unknown=killed is AfterKill.MAYBE_UNKNOWN)

        async def story_without_memory(firewall: Firewall) -> None:
            await firewall.apply(difference(None, states[0]))
            kill_while_changing(self._words())
            assert await opened(*self._words()).markers() == ()

        self.run(story_without_memory if killed is AfterKill.NOTHING else story)
