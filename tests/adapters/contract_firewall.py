"""What every firewall backend promises, whatever it is made of. A test module inherits the class, says how to run a story."""

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import numpy as np

from banlistd.core.addresses import FAMILIES, AddressSet, from_numbers
from banlistd.core.change import Change, MapChange, difference
from banlistd.core.holding import Holding, Kind, Lane, MapId, Owned
from banlistd.core.planning import plan
from banlistd.interfaces import Firewall
from banlistd.model import Action, ContentHash, Direction, Family, Mark, Marker, Owner, PolicyHash, SourceId

Story = Callable[[Firewall], Awaitable[None]]

HOSTS4 = MapId(Lane.IN, Kind.HOSTS, Family.IPV4)
NETS4 = MapId(Lane.IN, Kind.NETS, Family.IPV4)


def owner(mark: int, source_id: str, action: Action = Action.DROP, direction: Direction = Direction.IN) -> Owner:
    return Owner(Mark(mark), SourceId(source_id), action, direction)


ALPHA = owner(1, "alpha")
BETA = owner(2, "beta", Action.REJECT)
DROP = owner(3, "drop")  # a word of nft's language
LOGGED = owner(4, "logged", Action.LOG)
COUNTED = owner(5, "counted", Action.COUNT, Direction.OUT)
BOTH = owner(6, "both", Action.DROP, Direction.BOTH)


def addresses(*texts: str) -> AddressSet:
    """A set of networks in the usual notation."""
    networks = [ipaddress.ip_network(text) for text in texts]
    columns = []
    for version, family in ((4, Family.IPV4), (6, Family.IPV6)):
        chosen = [network for network in networks if network.version == version]
        columns += [from_numbers(family, [int(network[at]) for network in chosen]) for at in (0, -1)]
    return AddressSet.of(*columns)


def holding(
    roster: Sequence[Owner], contents: Mapping[str, AddressSet], allowed: Iterable[str] = (), content_hash: str = "a" * 64
) -> Holding:
    passing = addresses(*allowed)
    ranges = {family: passing.ranges(family) for family in FAMILIES}
    markers = [
        Marker(owner.mark, owner.source_id, ContentHash(content_hash), PolicyHash("0123456789abcdef"))
        for owner in roster
        if owner.source_id in contents
    ]
    by_source = {SourceId(source_id): content for source_id, content in contents.items()}
    return plan(roster, by_source, ranges, ranges, markers)


def change_of(held: Holding, *maps: MapChange) -> Change:
    """A change that touches only maps."""
    return Change(held.roster, reshape=False, replace=False, maps=maps, allowed=None, markers=(), retired=())


MIXED = addresses("198.51.100.1", "203.0.113.0/24", "1.0.0.0/8", "2001:db8::1", "2001:db8:1::/48", "255.0.0.0/8", "ffff::/16")


class FirewallContract:
    def run(self, story: Story) -> None:
        """Tell a fresh, empty firewall a story, and close it."""
        raise NotImplementedError

    def test_it_is_empty_at_first(self) -> None:
        async def story(firewall: Firewall) -> None:
            assert await firewall.markers() == ()
            assert not (await firewall.verify(holding([ALPHA], {"alpha": MIXED}))).sound
            assert await firewall.counters() == {}

        self.run(story)

    def test_what_was_applied_is_found(self) -> None:
        async def story(firewall: Firewall) -> None:
            contents = {"alpha": MIXED, "drop": addresses("192.0.2.7")}
            held = holding([ALPHA, DROP], contents, allowed=["203.0.113.128/25", "::/64"])
            assert await firewall.apply(difference(None, held)) == len(held)
            assert await firewall.markers() == held.markers
            assert (await firewall.verify(held)).sound

        self.run(story)

    def test_something_else_is_not_taken_for_it(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = holding([ALPHA, BETA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            other_mark = holding([ALPHA, BETA], {"beta": MIXED})
            assert HOSTS4 in (await firewall.verify(other_mark)).maps
            assert NETS4 in (await firewall.verify(other_mark)).maps
            assert (await firewall.verify(holding([ALPHA, BETA, DROP], {"alpha": MIXED}))).structure
            assert (await firewall.verify(holding([ALPHA, BETA], {"alpha": MIXED}, allowed=["9.0.0.0/8"]))).structure

        self.run(story)

    def test_what_it_holds_can_be_read_back_and_planned_again(self) -> None:
        async def story(firewall: Firewall) -> None:
            top = addresses("240.0.0.0/4", "ff00::/8", "1.0.0.0/25")
            contents = {"alpha": MIXED, "beta": top, "drop": addresses("1.0.0.128/25", "192.0.2.7")}
            roster = [ALPHA, BETA, DROP]
            held = holding(roster, contents)
            await firewall.apply(difference(None, held))
            found = await firewall.contents()
            read = {str(owner.source_id): found[owner.mark] for owner in roster}
            assert difference(held, holding(roster, read)).is_empty

        self.run(story)

    def test_an_empty_change_writes_nothing(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = holding([ALPHA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            assert await firewall.apply(difference(held, held)) == 0
            assert (await firewall.verify(held)).sound

        self.run(story)

    def test_twice_is_once(self) -> None:
        async def story(firewall: Firewall) -> None:
            first = holding([ALPHA], {"alpha": MIXED})
            then = holding([ALPHA, BETA], {"alpha": addresses("1.0.0.0/9", "198.51.100.1"), "beta": addresses("2001:db8::2")})
            for change in (difference(None, first), difference(first, then)):
                await firewall.apply(change)
                await firewall.apply(change)
            assert (await firewall.verify(then)).sound
            assert await firewall.markers() == then.markers

        self.run(story)

    def test_to_remove_what_is_absent_is_fine(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = holding([ALPHA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            for map_id, absent in ((HOSTS4, from_numbers(Family.IPV4, [7])), (NETS4, from_numbers(Family.IPV4, [1024]))):
                last = absent if map_id is HOSTS4 else absent + np.uint32(255)
                gone = Owned(Family.IPV4, absent, last, np.array([1], dtype=np.uint16))
                nothing = Owned.none(Family.IPV4)
                await firewall.apply(change_of(held, MapChange(map_id, held.owned[map_id], nothing, gone, replace=False)))
            assert (await firewall.verify(held)).sound

        self.run(story)

    def test_entries_come_and_go(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = holding([ALPHA], {})
            await firewall.apply(difference(None, held))
            steps = ("192.0.2.1", "192.0.2.1 2001:db8::/64", "192.0.2.0/30 2001:db8::1", "0.0.0.0/0 ::/0", "")
            for number, texts in enumerate(steps):
                wanted = holding([ALPHA], {"alpha": addresses(*texts.split())}, content_hash=f"{number:064x}")
                await firewall.apply(difference(held, wanted))
                assert (await firewall.verify(wanted)).sound
                assert await firewall.markers() == wanted.markers
                held = wanted

        self.run(story)

    def test_an_address_changes_its_owner(self) -> None:
        async def story(firewall: Firewall) -> None:
            first = holding([ALPHA, BETA], {"alpha": MIXED, "beta": MIXED})
            then = holding([ALPHA, BETA], {"alpha": AddressSet.none(), "beta": MIXED})
            await firewall.apply(difference(None, first))
            await firewall.apply(difference(first, then))
            assert (await firewall.verify(then)).sound
            assert not (await firewall.verify(first)).sound

        self.run(story)

    def test_networks_that_touch_keep_their_owners(self) -> None:
        async def story(firewall: Firewall) -> None:
            even = addresses(*(f"{n}.0.0.0/8" for n in range(0, 256, 2)), "8000::/1")
            odd = addresses(*(f"{n}.0.0.0/8" for n in range(1, 256, 2)), "::/1")
            first = holding([ALPHA, BETA], {"alpha": even, "beta": odd})
            then = holding([ALPHA, BETA], {"alpha": odd, "beta": even})
            await firewall.apply(difference(None, first))
            assert (await firewall.verify(first)).sound
            await firewall.apply(difference(first, then))
            assert (await firewall.verify(then)).sound

        self.run(story)

    def test_a_hundred_thousand_entries(self) -> None:
        async def story(firewall: Firewall) -> None:
            chance = np.random.default_rng(1)
            hosts = chance.integers(0, 2**32, 100_000, dtype=np.uint32)
            starts = (np.arange(2_000, dtype=np.uint32) * np.uint32(1 << 21)) + np.uint32(5)
            content = AddressSet.of(np.concatenate([hosts, starts]), np.concatenate([hosts, starts + np.uint32(1 << 18)]))
            empty, held = holding([ALPHA], {}), holding([ALPHA], {"alpha": content})
            await firewall.apply(difference(None, empty))
            assert await firewall.apply(difference(empty, held)) == len(held)
            assert (await firewall.verify(held)).sound
            fewer = holding([ALPHA], {"alpha": AddressSet.of(content.hosts4[1000:])})
            await firewall.apply(difference(held, fewer))
            assert (await firewall.verify(fewer)).sound

        self.run(story)

    def test_a_replacement_forgets_all_that_stood(self) -> None:
        async def story(firewall: Firewall) -> None:
            contents = dict.fromkeys(("alpha", "logged", "counted"), MIXED)
            await firewall.apply(difference(None, holding([ALPHA, LOGGED, COUNTED], contents)))
            held = holding([BETA], {"beta": addresses("192.0.2.9")})
            await firewall.apply(difference(None, held))
            assert (await firewall.verify(held)).sound
            assert await firewall.markers() == held.markers

        self.run(story)

    def test_lanes_come_and_go_with_their_sources(self) -> None:
        async def story(firewall: Firewall) -> None:
            contents = dict.fromkeys(("alpha", "logged", "counted", "both"), MIXED)
            held = holding([ALPHA], contents)
            await firewall.apply(difference(None, held))
            for roster in ([ALPHA, LOGGED], [ALPHA, LOGGED, COUNTED, BOTH], [BOTH], [COUNTED], [ALPHA]):
                wanted = holding(roster, contents)
                await firewall.apply(difference(held, wanted))
                assert (await firewall.verify(wanted)).sound
                assert await firewall.markers() == wanted.markers
                held = wanted

        self.run(story)

    def test_a_source_changes_its_action(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = holding([ALPHA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            for action in (Action.LOG, Action.REJECT, Action.COUNT, Action.DROP):
                wanted = holding([owner(1, "alpha", action)], {"alpha": MIXED})
                await firewall.apply(difference(held, wanted))
                assert (await firewall.verify(wanted)).sound
                held = wanted

        self.run(story)

    def test_allowed_networks_are_written_and_removed(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = holding([ALPHA], {"alpha": MIXED})
            await firewall.apply(difference(None, held))
            for allowed in (["1.2.0.0/16", "2001:db8::/32"], ["1.2.0.0/17"], ["0.0.0.0/0"], []):
                wanted = holding([ALPHA], {"alpha": MIXED}, allowed=allowed)
                await firewall.apply(difference(held, wanted))
                assert (await firewall.verify(wanted)).sound
                held = wanted

        self.run(story)

    def test_teardown_leaves_nothing(self) -> None:
        async def story(firewall: Firewall) -> None:
            held = holding([ALPHA], {"alpha": MIXED})
            await firewall.teardown()
            await firewall.apply(difference(None, held))
            await firewall.teardown()
            assert await firewall.markers() == ()
            assert not (await firewall.verify(held)).sound
            await firewall.apply(difference(None, held))
            assert (await firewall.verify(held)).sound

        self.run(story)
