"""Manual bans of some packets, over a real ledger on a real file."""

from pathlib import Path

import pytest

from banlistd.backends import BackendName
from banlistd.control.commands.checking.address import why_not
from banlistd.core.manual.manual_bans import BanOrder, read_ban, read_unban
from banlistd.errors import FirewallError, RefusedError, UsageError
from banlistd.events import EventName
from banlistd.services.orders.mass_orders import read_mass_ban
from support.fakes import FakeAnnouncer
from support.sources import ONE, config_of, source
from worlds import DaemonWorld, Environment, run

LISTED = config_of(source(ONE, ports=((22, 22),), protocols=("tcp",)))  # it bans 192.0.2.1
SSH = {"ports": "22", "protocols": "tcp"}


def ban(address: str, **words: str) -> BanOrder:
    return read_ban({"address": address, **words})


async def banned(world: DaemonWorld, address: str) -> tuple[bool, list[tuple[str, str]]]:
    """Whether all packets are, and which others, by which source."""
    answer = await world.ask("check", address=address)
    return answer["banned"], [(row["id"], row["packets"]) for row in answer["partly"]]


def test_a_ban_of_some_packets_is_in_force_until_it_is_lifted_and_over_a_restart(tmp_path: Path) -> None:
    environment = Environment(tmp_path)

    async def first(world: DaemonWorld) -> None:
        await world.completed(ONE)
        await world.manual_bans.carry_out(ban("203.0.113.7", **SSH))
        await world.manual_bans.carry_out(ban("203.0.113.0/28", interfaces="eth0", connections="new"))
        await world.manual_bans.carry_out(ban("203.0.113.99"))
        assert world.announcer.events[-3].message.endswith("banned by operator (tcp to port 22)")

    async def second(world: DaemonWorld) -> None:
        assert await banned(world, "203.0.113.7") == (
            False,
            [("manual", "tcp to port 22"), ("manual", "all packets at eth0 except answers")],
        )
        assert await banned(world, "203.0.113.99") == (True, [])
        rows = {row["address"]: row["packets"] for row in await world.ask("bans")}
        assert rows["203.0.113.7"] == "tcp to port 22"
        assert rows["203.0.113.99"] == ""
        transactions = world.firewall.transactions
        await world.enforcer.reconcile()
        assert world.firewall.transactions == transactions
        await world.manual_bans.carry_out(read_unban({"address": "203.0.113.7"}))
        await world.manual_bans.carry_out(read_unban({"address": "203.0.113.0/28"}))
        assert await banned(world, "203.0.113.7") == (False, [])
        assert [owner.source_id for owner in world.enforcer.policy.sources] == ["manual", ONE]

    run(environment, LISTED, first, serve=True)
    environment.announcer = FakeAnnouncer()
    run(environment, LISTED, second, serve=True)


def test_a_scope_that_a_list_has_too_shares_its_maps_and_a_ban_comes_before_the_list(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE)
        await world.manual_bans.carry_out(ban("192.0.2.1", **SSH))
        numbers = [owner.scope_number for owner in world.enforcer.policy.sources]
        assert numbers == [0, 1, 1]
        assert await banned(world, "192.0.2.1") == (False, [("manual", "tcp to port 22")])
        await world.manual_bans.carry_out(ban("192.0.2.1", ports="23"))
        assert await banned(world, "192.0.2.1") == (False, [("manual", "tcp/udp to port 23"), (ONE, "tcp to port 22")])

    run(Environment(tmp_path), LISTED, life, serve=True)


def test_a_later_order_of_the_origin_takes_the_place_of_the_ban_and_is_announced(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        for words in (SSH, {}, SSH):
            done = await world.manual_bans.carry_out(ban("203.0.113.7", **words))
            assert done.is_new
            assert await banned(world, "203.0.113.7") == ((True, []) if not words else (False, [("manual", "tcp to port 22")]))
        assert world.announcer.names().count(EventName.MANUAL_BAN_ADDED) == 3
        await world.manual_bans.carry_out(ban("203.0.113.7", origin="other"))
        assert (await banned(world, "203.0.113.7"))[0]

    run(Environment(tmp_path), config_of(), life, serve=True)


def test_a_trial_of_some_packets_does_not_take_the_place_of_a_ban_that_stands(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        (before,) = (await world.manual_bans.carry_out(ban("203.0.113.7"))).bans
        with pytest.raises(RefusedError, match="nothing to try"):
            await world.manual_bans.carry_out(ban("203.0.113.7", confirm="1m", **SSH))
        several = {"address": ["203.0.113.7"], "confirm": "1m", **SSH}
        with pytest.raises(RefusedError, match="nothing to try"):
            await world.manual_bans.carry_out(read_mass_ban(several, 0))
        kept = {"address": ["203.0.113.7 for 10m"], "keep": True, **SSH}
        done = await world.manual_bans.carry_out(read_mass_ban(kept, 0))
        assert (done.bans, done.absent) == ((), 1)
        assert world.manual_bans.bans == [before]

    run(Environment(tmp_path), LISTED, life)


def test_a_lost_database_loses_only_bans_of_some_packets(tmp_path: Path) -> None:
    environment = Environment(tmp_path)

    async def first(world: DaemonWorld) -> None:
        await world.completed(ONE)
        for address in ("203.0.113.7", "192.0.2.1"):
            await world.manual_bans.carry_out(ban(address))
            await world.manual_bans.carry_out(ban(address, origin="another", **SSH))

    async def second(world: DaemonWorld) -> None:
        assert await banned(world, "203.0.113.7") == (True, [])
        assert (await banned(world, "192.0.2.1"))[0]

    run(environment, LISTED, first, serve=True)
    for file in tmp_path.glob("db*"):
        file.unlink()
    environment.announcer = FakeAnnouncer()
    run(environment, LISTED, second, serve=True)


def test_a_ban_of_some_packets_runs_out(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.manual_bans.carry_out(ban("203.0.113.7", **SSH, **{"for": "10m"}))
        world.clock.time += 601
        await world.announcer.until(EventName.MANUAL_BAN_EXPIRED)
        assert await banned(world, "203.0.113.7") == (False, [])

    run(Environment(tmp_path), config_of(), life, serve=True)


def test_many_bans_of_one_scope_are_one_transaction(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        before = world.firewall.transactions
        await world.manual_bans.carry_out(read_mass_ban({"address": ["203.0.113.7", "203.0.113.8 for 1h why"], **SSH}, 0))
        assert world.firewall.transactions == before + 1
        for address in ("203.0.113.7", "203.0.113.8"):
            assert await banned(world, address) == (False, [("manual", "tcp to port 22")])

    run(Environment(tmp_path), config_of(), life, serve=True)


def test_the_ninth_scope_is_refused_and_a_known_one_is_not(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        for port in range(1, 9):
            await world.manual_bans.carry_out(ban("203.0.113.7", ports=str(port), origin=f"a{port}"))
        with pytest.raises(RefusedError, match="8 different scopes"):
            await world.manual_bans.carry_out(ban("203.0.113.8", ports="9"))
        await world.manual_bans.carry_out(ban("203.0.113.8", ports="8"))
        assert len((await banned(world, "203.0.113.7"))[1]) == 8

    run(Environment(tmp_path), LISTED, life, serve=True)


def test_the_mark_of_a_scope_without_a_ban_is_given_to_the_next(tmp_path: Path) -> None:
    def marks(world: DaemonWorld) -> list[int]:
        return [int(owner.mark) for owner in world.enforcer.policy.sources if owner.scope]

    async def life(world: DaemonWorld) -> None:
        await world.manual_bans.carry_out(ban("203.0.113.1", ports="1000"))
        kept = marks(world)
        for port in range(1, 30):
            await world.manual_bans.carry_out(ban("203.0.113.7", ports=str(port)))
            assert len(marks(world)) == 2
            assert {*marks(world)} <= {kept[0], kept[0] + 1, kept[0] + 2}
            assert await banned(world, "203.0.113.7") == (False, [("manual", f"tcp/udp to port {port}")])
            assert await banned(world, "203.0.113.1") == (False, [("manual", "tcp/udp to port 1000")])
        assert kept[0] in marks(world)
        world.firewall.fail_before = True
        with pytest.raises(FirewallError):
            await world.manual_bans.carry_out(ban("203.0.113.7", ports="40"))
        with pytest.raises(FirewallError):
            await world.manual_bans.carry_out(ban("203.0.113.7", ports="41"))
        world.firewall.fail_before = False
        await world.manual_bans.carry_out(ban("203.0.113.7", ports="42"))
        assert await banned(world, "203.0.113.7") == (False, [("manual", "tcp/udp to port 42")])
        assert await banned(world, "203.0.113.1") == (False, [("manual", "tcp/udp to port 1000")])

    run(Environment(tmp_path), config_of(), life, serve=True)


def test_a_backend_without_scopes_has_no_ban_of_some_packets_in_force_and_says_so(tmp_path: Path) -> None:
    environment = Environment(tmp_path)

    async def first(world: DaemonWorld) -> None:
        await world.manual_bans.carry_out(ban("203.0.113.7", **SSH))
        await world.manual_bans.carry_out(ban("203.0.113.8"))
        assert [(row["address"], row["in_force"]) for row in await world.ask("bans")] == [
            ("203.0.113.8", True),
            ("203.0.113.7", True),
        ]
        assert (await world.ask("check", address="203.0.113.7"))["waiting"] == []

    async def without_scopes(world: DaemonWorld) -> None:
        assert await banned(world, "203.0.113.7") == (False, [])
        answer = await world.ask("check", address="203.0.113.7")
        assert [(row["origin"], row["packets"]) for row in answer["waiting"]] == [("operator", "tcp to port 22")]
        assert why_not(answer) == (
            ": a manual ban (tcp to port 22 by operator) is not in force, "
            "because the backend bans all packets of an address, or none"
        )
        assert await banned(world, "203.0.113.8") == (True, [])
        assert [(row["address"], row["in_force"], row["spared"]) for row in await world.ask("bans")] == [
            ("203.0.113.8", True, ""),
            ("203.0.113.7", False, "the backend bans all packets of an address, or none"),
        ]
        messages = [remark["message"] for remark in (await world.ask("status"))["remarks"]]
        assert "1 manual ban of some packets is not in force: the backend bans all packets of an address, or none" in messages

    async def back(world: DaemonWorld) -> None:
        assert await banned(world, "203.0.113.7") == (False, [("manual", "tcp to port 22")])
        assert all(row["in_force"] for row in await world.ask("bans"))
        assert not any("not in force" in remark["message"] for remark in (await world.ask("status"))["remarks"])

    run(environment, config_of(), first, serve=True)
    environment.announcer = FakeAnnouncer()
    run(environment, config_of(backend=BackendName.IPSET), without_scopes, serve=True)
    environment.announcer = FakeAnnouncer()
    run(environment, config_of(), back, serve=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"ports": "22,x"}, 'ports: "x" is neither a port'),
        ({"ports": ""}, "ports: .*neither a port"),
        ({"protocols": "tpc"}, 'protocols: "tpc" is not a protocol'),
        ({"ports": "22", "protocols": "icmp"}, "icmp has no ports"),
        ({"interfaces": "a b"}, "not the name of an interface"),
        ({"interfaces": "a", "except_interfaces": "b"}, "exclude each other"),
        ({"connections": "old"}, "neither all nor new"),
    ],
)
def test_a_wrong_scope_is_refused(words: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ban("203.0.113.7", **words)
