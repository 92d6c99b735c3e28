"""Sources with a scope in the running daemon: what `check` says of their addresses, over a restart and a reload."""

from pathlib import Path

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
