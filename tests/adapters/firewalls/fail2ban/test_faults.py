"""A jail after a kill, a restart, a reload and a flush: it gets its desired content back, and no ban is written twice."""

import asyncio
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from adapters.firewalls.contract import ALPHA, addresses, state
from adapters.firewalls.street import BAD4, BAD6, GOOD4, Street, laid_out
from banlistd.adapters.firewalls.fail2ban.firewall import Fail2banFirewall
from banlistd.adapters.firewalls.memory import MemoryFirewall
from banlistd.core.ruleset.diff import difference
from banlistd.core.ruleset.state import FirewallState
from support.fail2ban_server import PATIENCE, Fail2ban, serving

JAIL = "banlistd"
QUIET = {"filter": JAIL, "logpath": "/dev/null", "bantime": "-1", "enabled": "true"}
EMPTY = state([ALPHA], {})


def prepared(folder: Path, *, database: bool = True, action: str = "") -> Fail2ban:
    """A fail2ban with our jail and the filter that ships."""
    fail2ban = Fail2ban(folder, database=database)
    fail2ban.install_shipped()
    fail2ban.configure(**{JAIL: QUIET | ({"action": action} if action else {})})
    return fail2ban


@pytest.fixture
def street() -> Iterator[Street]:
    """The jail bans there, and nothing of our own."""
    with laid_out(JAIL, MemoryFirewall) as street:
        yield street


@pytest.fixture
def fail2ban(tmp_path: Path) -> Iterator[Fail2ban]:
    with serving(prepared(tmp_path)) as server:
        yield server


def numbered(count: int) -> list[str]:
    return [f"20.{n // 62_500}.{n // 250 % 250}.{n % 250}" for n in range(count)]


def bring(fail2ban: Fail2ban, wanted: FirewallState) -> int:
    """What a new process does: it reads the markers, verifies, and carries out the difference."""

    async def whole() -> int:
        firewall = Fail2banFirewall(fail2ban.socket, JAIL)
        present = wanted if await firewall.markers() == wanted.markers else EMPTY
        verdict = await firewall.verify(present)
        elements = await firewall.apply(difference(present, wanted, verdict))
        assert (await firewall.verify(wanted)).sound
        assert await firewall.markers() == wanted.markers
        return elements

    return asyncio.run(whole())


_APPLYING = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from adapters.firewalls.fail2ban.test_faults import ALPHA, EMPTY, JAIL, addresses, difference, state, numbered
from banlistd.adapters.firewalls.fail2ban.firewall import Fail2banFirewall
firewall = Fail2banFirewall(Path(sys.argv[2]), JAIL)
wanted = state([ALPHA], {"alpha": addresses(*numbered(int(sys.argv[3])))})
asyncio.run(firewall.apply(difference(None, wanted)))
"""


def test_a_change_that_is_killed_is_completed_and_nothing_is_banned_twice(fail2ban: Fail2ban) -> None:
    count = 20_000
    tests = str(Path(__file__).resolve().parents[3])
    with subprocess.Popen([sys.executable, "-c", _APPLYING, tests, str(fail2ban.socket), str(count)]) as killed:
        fail2ban.until(lambda: len(fail2ban.banned(JAIL)) > 1000)
        killed.kill()
        killed.wait(PATIENCE)
    there = len(fail2ban.banned(JAIL))
    assert 1000 < there < count, "killed too late: there was nothing to complete"
    wanted = state([ALPHA], {"alpha": addresses(*numbered(count))})
    # What fail2ban had received, but not carried out, may have come on top meanwhile.
    assert 0 < bring(fail2ban, wanted) <= count - there
    assert fail2ban.banned(JAIL) == set(numbered(count))
    fail2ban.until(lambda: fail2ban.bans_in_database(JAIL).total() >= count)
    assert fail2ban.bans_in_database(JAIL) == Counter(numbered(count))


def test_a_restart_of_fail2ban_costs_nothing_where_it_remembers(fail2ban: Fail2ban) -> None:
    wanted = state([ALPHA], {"alpha": addresses(*numbered(300), "198.51.100.0/24", "2001:db8::/32")})
    assert bring(fail2ban, wanted) == 302
    fail2ban.until(lambda: fail2ban.bans_in_database(JAIL).total() == 302)
    for way in (fail2ban.stop, fail2ban.kill):
        way()
        fail2ban.start()
        fail2ban.until(lambda: len(fail2ban.banned(JAIL)) == 302)
        assert bring(fail2ban, wanted) == 0
    assert set(fail2ban.bans_in_database(JAIL).values()) == {1}


def test_everything_is_banned_again_after_fail2ban_forgets(tmp_path: Path) -> None:
    with serving(prepared(tmp_path, database=False)) as fail2ban:
        wanted = state([ALPHA], {"alpha": addresses(*numbered(300))})
        assert bring(fail2ban, wanted) == 300
        fail2ban.stop()
        fail2ban.start()
        assert fail2ban.banned(JAIL) == set()
        assert bring(fail2ban, wanted) == 300


def test_while_fail2ban_still_restores_its_bans_nothing_is_banned_twice(fail2ban: Fail2ban) -> None:
    wanted = state([ALPHA], {"alpha": addresses(*numbered(5000))})
    bring(fail2ban, wanted)
    fail2ban.until(lambda: fail2ban.bans_in_database(JAIL).total() == 5000)
    fail2ban.stop()
    fail2ban.start()
    bring(fail2ban, wanted)
    assert fail2ban.banned(JAIL) == set(numbered(5000))


def test_a_reload_takes_our_record_away_and_no_ban(fail2ban: Fail2ban) -> None:
    wanted = state([ALPHA], {"alpha": addresses(*numbered(300))})
    bring(fail2ban, wanted)
    fail2ban.client("reload")
    firewall = Fail2banFirewall(fail2ban.socket, JAIL)
    assert asyncio.run(firewall.markers()) == ()
    assert bring(fail2ban, wanted) == 0
    fail2ban.until(lambda: fail2ban.bans_in_database(JAIL).total() >= 300)
    assert set(fail2ban.bans_in_database(JAIL).values()) == {1}


def test_nothing_is_written_where_nothing_has_changed(fail2ban: Fail2ban) -> None:
    wanted = state([ALPHA], {"alpha": addresses(*numbered(300))})
    bring(fail2ban, wanted)
    before = fail2ban.log
    assert bring(fail2ban, wanted) == 0
    assert fail2ban.log == before


ACTIONS = {"nftables": f"banlistd-nftables[name={JAIL}]", "iptables": f'iptables-allports[name={JAIL}, protocol="tcp,udp"]'}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())
def test_packets_of_what_is_listed_are_refused_and_a_flush_of_the_kernel_is_noticed(
    street: Street, tmp_path: Path, action: str
) -> None:
    if action.startswith("iptables") and shutil.which("iptables") is None:
        pytest.skip("no command iptables")
    fail2ban = prepared(tmp_path, action=action)
    wanted = state([ALPHA], {"alpha": addresses("198.51.100.0/25", BAD6, "2001:db8:1::/48")})
    street.guard.run(fail2ban.start)
    try:
        assert street.arrives(BAD4)
        street.guard.run(partial(bring, fail2ban, wanted))
        for _ in range(2):
            assert not street.arrives(BAD4)
            assert not street.arrives(BAD6)
            assert street.arrives(GOOD4)
            street.guard.command("nft", "flush", "ruleset")
            assert street.arrives(BAD4)
            assert street.guard.run(partial(bring, fail2ban, wanted)) == len(wanted)
        assert not street.arrives(BAD4)
        street.guard.run(partial(bring, fail2ban, EMPTY))
        assert street.arrives(BAD4)
        assert street.arrives(BAD6)
    finally:
        street.guard.run(fail2ban.stop)
