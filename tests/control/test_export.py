"""An export of what real sources have in force, asked piece by piece."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from banlistd.core.addresses.exporting.files import PIECE
from banlistd.core.config.model import Source
from banlistd.core.manual.manual_bans import read_ban
from banlistd.errors import ChangedExportError, NoSuchSourceError, UsageError
from banlistd.model import Action, SourceId
from support.fakes import FakeFetcher, FakeFirewall
from support.sources import ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

FIRST, SECOND, WATCH = (SourceId(name) for name in ("first", "second", "watch"))
LONG = "".join(f"10.{n >> 7}.{(n & 127) * 2}.1\n" for n in range(PIECE + 1)).encode()
CONFIG = dataclasses.replace(
    config_of(),
    sources=(
        Source(id=FIRST, url="https://lists.example/first"),
        Source(id=SECOND, url="https://lists.example/second"),
        Source(id=WATCH, url="https://lists.example/watch", action=Action.LOG),
    ),
)


def environment_on(disk: Path) -> Environment:
    bodies = {FIRST: b"192.0.2.1\n", SECOND: LONG, WATCH: b"198.51.100.1\n"}
    return Environment(disk, FakeFirewall(), FakeFetcher({**bodies}))


async def exported(world: DaemonWorld, **fields: Any) -> list[str]:
    texts: str = ""
    place = dict[str, Any]()
    while True:
        answer = await world.ask("export", **fields, **place)
        texts += answer["text"]
        if answer["after"] is None:
            return texts.splitlines()
        place = {"after": answer["after"]}


def test_an_export_names_the_run_and_hash_of_history(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        [newest] = await world.ask("history", source=FIRST)
        assert await exported(world, ids="first") == [
            f"# exported by banlistd: 1 entry, SHA-256 of the content {newest['content_hash']}",
            f"# first: run {newest['id']}, {newest['content_hash']}",
            "192.0.2.1",
        ]

    run(environment_on(tmp_path), CONFIG, life)


def test_without_a_name_it_is_all_that_ban_and_the_manual_bans(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        await world.ask("ban", address="203.0.113.0/24")
        lines = [line for line in await exported(world) if not line.startswith("#")]
        assert lines == [*LONG.decode().split(), "192.0.2.1", "203.0.113.0/24"]
        assert [line for line in await exported(world, ids="manual") if line[0] != "#"] == ["203.0.113.0/24"]
        assert await exported(world, ids="second,first") == await exported(world, ids="first,second")

    run(environment_on(tmp_path), CONFIG, life)


def test_content_that_changes_during_the_export_ends_it(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        begun = await world.ask("export", ids="second")
        await exported(world, ids="first")  # takes its place
        again = await world.ask("export", ids="second", after=begun["after"])
        assert again["after"] is None
        begun = await world.ask("export", ids="manual,second")
        world.parts.exports.drop()
        await world.ask("ban", address="203.0.113.0/24")
        with pytest.raises(ChangedExportError):
            await world.ask("export", ids="manual,second", after=begun["after"])

    run(environment_on(tmp_path), CONFIG, life)


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        with pytest.raises(UsageError, match="first has no content yet"):
            await world.ask("export", ids="first")
        with pytest.raises(NoSuchSourceError):
            await world.ask("export", ids="frist")
        refused: list[dict[str, Any]] = [{"format": "xml"}, {"after": "0"}, {"after": f"{'a' * 64}:0"}]
        for fields in refused:
            with pytest.raises(UsageError):
                await world.ask("export", **fields)

    run(environment_on(tmp_path), CONFIG, life)


def test_what_blocks_some_packets_only_is_left_out_unless_it_is_named(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        await world.manual_bans.carry_out(read_ban({"address": "203.0.113.7", "ports": "23"}))
        await world.manual_bans.carry_out(read_ban({"address": "203.0.113.8"}))
        by_hand = world.enforcer.policy.sources[1].source_id
        text = (await world.ask("export"))["text"]
        assert addresses_in(text) == ["192.0.2.2", "203.0.113.8"]
        assert f"# {ONE}: left out, because banlistd blocks only tcp to port 22; name it" in text
        assert f"# {by_hand}: left out, because banlistd blocks only tcp/udp to port 23; name it" in text
        text = (await world.ask("export", ids=f"{by_hand},{ONE}"))["text"]
        assert addresses_in(text) == ["192.0.2.1", "203.0.113.7"]
        assert f"# {ONE}: run 1, " in text
        assert "; banlistd blocks only tcp to port 22\n" in text
        assert "left out" not in text

    run(Environment(tmp_path), config_of(source(ONE, ports=((22, 22),), protocols=("tcp",)), source(TWO)), life, serve=True)


def addresses_in(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]
