"""Sources with a scope in the running daemon: what `check` says of their addresses, over a restart and a reload."""

from collections.abc import Mapping
from pathlib import Path

from banlistd.core.manual.manual_bans import read_ban, read_unban
from banlistd.events import EventName
from banlistd.model import Direction
from support.fakes import FakeAnnouncer, FakeFetcher, FakeFirewall
from support.sources import BODIES, ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

SCOPED = config_of(source(ONE, direction=Direction.BOTH, ports=((22, 22),), protocols=("tcp",)), source(TWO))


def environment_on(disk: Path) -> Environment:
    return Environment(disk, FakeFirewall(), FakeFetcher({**BODIES, ONE: b"192.0.2.1\n198.51.100.0/24\n"}))


def test_an_address_is_banned_in_part_until_its_scope_goes(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def first(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        for address in ("192.0.2.1", "198.51.100.9"):
            answer = await world.ask("check", address=address)
            assert (answer["banned"], answer["owner"], [row["id"] for row in answer["sources"]]) == (False, None, [ONE])
            assert [(row["id"], row["direction"], row["packets"]) for row in answer["partly"]] == [
                (ONE, "in", "tcp to port 22"),
                (ONE, "out", "tcp to port 22"),
            ]
        whole = await world.ask("check", address="192.0.2.2")
        assert (whole["banned"], whole["partly"]) == (True, [])
        network = await world.ask("check", address="192.0.2.0/30")
        assert (network["banned_addresses"], network["partly_banned"]) == (1, 1)
        assert [row["scope"] for row in await world.ask("sources")] == ["tcp to port 22", ""]

    async def second(world: DaemonWorld) -> None:
        assert EventName.IMPORT_COMPLETED not in [event.name for event in world.announcer.events]
        assert (await world.ask("check", address="192.0.2.1"))["partly"]
        environment.next_config = config_of(source(ONE), source(TWO))
        await world.service.reload()
        answer = await world.ask("check", address="192.0.2.1")
        assert (answer["banned"], answer["partly"]) == (True, [])

    run(environment, SCOPED, first, serve=True)
    environment.announcer = FakeAnnouncer()
    run(environment, SCOPED, second, serve=True)


def numbers(world: DaemonWorld) -> Mapping[str, int]:
    return {owner.source_id: owner.scope_number for owner in world.enforcer.policy.sources if owner.scope}


def test_a_scope_keeps_its_number_over_reloads_bans_by_hand_a_restart_and_a_lost_database(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    web, ssh = {"ports": ((80, 80),)}, {"ports": ((22, 22),)}
    second = config_of(source(ONE), source(TWO, **web))

    async def first(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        assert numbers(world) == {ONE: 1, TWO: 2}
        await world.manual_bans.carry_out(read_ban({"address": "203.0.113.7", "ports": "443"}))
        by_hand = numbers(world)
        assert sorted(by_hand.values()) == [1, 2, 3]
        environment.next_config = second
        await world.service.reload()
        assert numbers(world) == {name: number for name, number in by_hand.items() if name != ONE}
        await world.manual_bans.carry_out(read_unban({"address": "203.0.113.7"}))
        assert numbers(world) == {TWO: 2}

    async def again(world: DaemonWorld) -> None:
        assert numbers(world) == {TWO: 2}
        assert EventName.IMPORT_COMPLETED not in world.announcer.names()
        environment.next_config = config_of(source(ONE, **ssh), source(TWO, **web))
        await world.service.reload()
        assert numbers(world) == {ONE: 1, TWO: 2}

    run(environment, config_of(source(ONE, **ssh), source(TWO, **web)), first, serve=True)
    written = environment.firewall.transactions
    environment.announcer = FakeAnnouncer()

    async def unchanged(world: DaemonWorld) -> None:
        assert world.firewall.transactions == written
        await again(world)
        environment.next_config = second
        await world.service.reload()

    run(environment, second, unchanged, serve=True)
    for file in tmp_path.glob("db*"):
        file.unlink()

    async def lost(world: DaemonWorld) -> None:
        assert numbers(world) == {TWO: 2}

    run(environment, second, lost)
