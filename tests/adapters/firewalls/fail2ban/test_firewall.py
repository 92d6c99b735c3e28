"""A jail of a real fail2ban-server as a firewall: the contract, and what happens instead where a jail cannot keep it."""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from adapters.firewalls.contract import (
    ALPHA,
    BETA,
    HOSTS4,
    NETS4,
    AfterKill,
    Counting,
    FirewallContract,
    Promises,
    RangeForm,
    Story,
    addresses,
    state,
)
from banlistd.adapters.firewalls.fail2ban.firewall import Fail2banFirewall
from banlistd.backends import BackendName
from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.ruleset.diff import difference
from banlistd.core.ruleset.state import FirewallState, MapId
from banlistd.errors import FirewallError
from banlistd.model import Family
from banlistd.ports import Firewall
from support.fail2ban_server import Fail2ban, serving

_NUMBERS = count()


@pytest.fixture(scope="module")
def fail2ban(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fail2ban]:
    with serving(Fail2ban(tmp_path_factory.mktemp("fail2ban"), database=False, level="ERROR")) as server:
        yield server


@pytest.fixture
def jail(fail2ban: Fail2ban) -> str:
    return fail2ban.new_jail(f"jail{next(_NUMBERS)}")


@pytest.fixture
def firewall(fail2ban: Fail2ban, jail: str) -> Fail2banFirewall:
    return Fail2banFirewall(fail2ban.socket, jail)


class TestFail2banFirewall(FirewallContract):
    # What a kill leaves is asked of a daemon in test_fail2ban_mishaps: a jail takes its time for 60,000.
    backend = BackendName.FAIL2BAN
    promises = Promises(AfterKill.NOT_SAID, Counting.NOTHING, RangeForm.NETWORKS)

    @pytest.fixture(autouse=True)
    def _told(self, fail2ban: Fail2ban) -> None:
        self._fail2ban = fail2ban

    def run(self, story: Story) -> None:
        jail = self._fail2ban.new_jail(f"jail{next(_NUMBERS)}")

        async def whole() -> None:
            firewall = Fail2banFirewall(self._fail2ban.socket, jail)
            await story(firewall)
            await firewall.close()

        asyncio.run(whole())

    def test_every_source_is_read_back_with_all_bans(self) -> None:
        async def story(firewall: Firewall) -> None:
            alpha, beta = ("203.0.113.0/24", "2001:db8::1"), ("240.0.0.0/4", "192.0.2.7", "203.0.113.9")
            held = state([ALPHA, BETA], {"alpha": addresses(*alpha), "beta": addresses(*beta)})
            await firewall.apply(difference(None, held))
            assert await firewall.contents() == dict.fromkeys((ALPHA.mark, BETA.mark), addresses(*alpha, *beta))

        self.run(story)

    # A range is as many entries as it takes networks.
    test_a_hundred_thousand_entries = None  # type: ignore[assignment]

    def test_a_hundred_thousand_addresses(self) -> None:
        async def story(firewall: Firewall) -> None:
            hosts = np.random.default_rng(1).permutation(np.arange(2**24, 2**24 + 200_000, 2, dtype=np.uint32))
            empty, held = state([ALPHA], {}), state([ALPHA], {"alpha": AddressSet.of(hosts)})
            await firewall.apply(difference(None, empty))
            assert await firewall.apply(difference(empty, held)) == len(held)
            assert (await firewall.verify(held)).sound
            fewer = state([ALPHA], {"alpha": AddressSet.of(hosts[1000:])})
            assert await firewall.apply(difference(held, fewer)) == 1000
            assert (await firewall.verify(fewer)).sound

        self.run(story)


def apply(firewall: Fail2banFirewall, present: FirewallState | None, wanted: FirewallState) -> int:
    return asyncio.run(firewall.apply(difference(present, wanted)))


def state_with(*texts: str) -> FirewallState:
    return state([ALPHA], {"alpha": addresses(*texts)})


def test_a_range_is_listed_as_networks_and_an_address_within_one_is_not_listed(
    fail2ban: Fail2ban, jail: str, firewall: Fail2banFirewall
) -> None:
    span = AddressSet.of(from_numbers(Family.IPV4, [0xC0000201]), from_numbers(Family.IPV4, [0xC0000206]))
    held = state([ALPHA, BETA], {"alpha": addresses("192.0.2.3", "192.0.2.9", "2001:db8::7"), "beta": span})
    apply(firewall, None, held)
    assert fail2ban.banned(jail) == {"192.0.2.1", "192.0.2.2/31", "192.0.2.4/31", "192.0.2.6", "192.0.2.9", "2001:db8::7"}
    without = state([ALPHA, BETA], {"alpha": addresses("192.0.2.3", "192.0.2.9", "2001:db8::7")})
    apply(firewall, held, without)
    assert fail2ban.banned(jail) == {"192.0.2.3", "192.0.2.9", "2001:db8::7"}


def test_everything_there_is_can_be_banned(fail2ban: Fail2ban, jail: str, firewall: Fail2banFirewall) -> None:
    held = state_with("0.0.0.0/0", "::/0")
    apply(firewall, None, held)
    assert fail2ban.banned(jail) == {"0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"}
    assert asyncio.run(firewall.verify(held)).sound


def test_a_new_process_finds_what_the_old_one_left_without_reading_the_list(
    fail2ban: Fail2ban, jail: str, firewall: Fail2banFirewall
) -> None:
    held = state_with("192.0.2.1", "198.51.100.0/24")
    apply(firewall, None, held)
    later = Fail2banFirewall(fail2ban.socket, jail)
    assert asyncio.run(later.markers()) == held.markers
    assert asyncio.run(later.verify(held)).sound
    more = state_with("192.0.2.1", "198.51.100.0/24", "192.0.2.2")
    assert apply(later, held, more) == 1


def test_a_change_of_what_is_not_known_is_refused_and_nothing_happens(
    fail2ban: Fail2ban, jail: str, firewall: Fail2banFirewall
) -> None:
    held = state_with("192.0.2.1", "198.51.100.0/24")
    apply(firewall, None, held)
    with pytest.raises(FirewallError, match="verified first"):
        apply(Fail2banFirewall(fail2ban.socket, jail), held, state_with("198.51.100.0/24"))
    assert fail2ban.banned(jail) == {"192.0.2.1", "198.51.100.0/24"}


@pytest.mark.parametrize(
    ("verb", "entry", "wrong"),
    [
        ("banip", "203.0.113.9", HOSTS4),
        ("banip", "203.0.113.0/24", NETS4),
        ("unbanip", "192.0.2.1", HOSTS4),
        ("unbanip", "198.51.100.0/24", NETS4),
        ("banip", "no-address", HOSTS4),
    ],
)
def test_foreign_bans_and_unbans_in_the_jail_are_repaired(
    fail2ban: Fail2ban, jail: str, firewall: Fail2banFirewall, verb: str, entry: str, wrong: MapId
) -> None:
    held = state_with("192.0.2.1", "198.51.100.0/24")
    apply(firewall, None, held)
    fail2ban.ask("set", jail, verb, entry)
    assert asyncio.run(firewall.markers()) == ()
    verdict = asyncio.run(firewall.verify(held))
    assert verdict.maps == {wrong}
    assert asyncio.run(firewall.apply(difference(held, held, verdict))) == 1
    assert asyncio.run(firewall.verify(held)).sound
    assert asyncio.run(firewall.markers()) == held.markers
    assert fail2ban.banned(jail) == {"192.0.2.1", "198.51.100.0/24"}


def test_as_many_bans_as_before_are_not_taken_for_the_same_bans(
    fail2ban: Fail2ban, jail: str, firewall: Fail2banFirewall
) -> None:
    held = state_with("192.0.2.1", "192.0.2.2")
    apply(firewall, None, held)
    fail2ban.ask("set", jail, "unbanip", "192.0.2.2")
    fail2ban.ask("set", jail, "banip", "203.0.113.9")
    assert asyncio.run(firewall.markers()) == ()
    assert asyncio.run(firewall.verify(held)).maps == {HOSTS4}


def test_what_comes_is_banned_before_what_goes_is_lifted_but_for_what_is_in_each_others_way(
    fail2ban: Fail2ban, jail: str, firewall: Fail2banFirewall, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    fail2ban.ask("set", jail, "addaction", "writes")
    fail2ban.ask("set", jail, "action", "writes", "actionban", f"echo +'<ip>' >>{record}")
    fail2ban.ask("set", jail, "action", "writes", "actionunban", f"echo -'<ip>' >>{record}")
    before, after = state_with("192.0.2.0/24", "198.51.100.7"), state_with("192.0.2.9", "198.51.100.8")
    apply(firewall, None, before)
    record.unlink()
    apply(firewall, before, after)
    lines = record.read_text(encoding="ascii").split()
    assert lines[0] == "-192.0.2.0/24"
    assert set(lines[1:3]) == {"+192.0.2.9", "+198.51.100.8"}
    assert lines[3:] == ["-198.51.100.7"]


def test_a_jail_that_lifts_bans_of_itself_is_not_used(fail2ban: Fail2ban, jail: str, firewall: Fail2banFirewall) -> None:
    fail2ban.ask("set", jail, "bantime", "600")
    with pytest.raises(FirewallError, match=r"lifts its bans after 600 s .it needs bantime = -1"):
        apply(firewall, None, state_with("192.0.2.1"))
    with pytest.raises(FirewallError, match="lifts its bans"):
        asyncio.run(firewall.verify(state_with()))
    assert fail2ban.banned(jail) == set()


def test_missing_jail_and_missing_server_are_different_errors(fail2ban: Fail2ban, tmp_path: Path) -> None:
    with pytest.raises(FirewallError, match=r"fail2ban refused .*UnknownJailException: nowhere"):
        asyncio.run(Fail2banFirewall(fail2ban.socket, "nowhere").markers())
    with pytest.raises(FirewallError, match=r"does not answer on .*systemctl start fail2ban"):
        asyncio.run(Fail2banFirewall(tmp_path / "socket", "nowhere").markers())


def test_an_entry_that_fail2ban_would_take_for_another_is_said_to_be_missing(firewall: Fail2banFirewall) -> None:
    with pytest.raises(FirewallError, match="lists 1 ban where there should be 2"):
        apply(firewall, None, state_with("192.0.2.1", "::ffff:192.0.2.1"))
    assert asyncio.run(firewall.markers()) == ()
