"""The daemon's hits: from samples to rows and answers, and what happens where samples cannot be had or written."""

import asyncio
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from banlistd.backends import BackendName
from banlistd.core.config.model import Config
from banlistd.core.config.sections.defaults import Defaults
from banlistd.core.config.sections.log import Hits
from banlistd.core.ruleset.evidence.packets import Flow, SampledPacket
from banlistd.core.ruleset.policy import policy_of
from banlistd.errors import FirewallError, LedgerError, NoSuchSourceError, UsageError
from banlistd.events import EventName
from banlistd.model import MANUAL, Action, Direction, Family, Mark, SourceId
from banlistd.services.evidence.hits import HitRecorder
from support.geography import DOCUMENTATION, write_mmdb
from support.sources import ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

ENTRY = "192.0.2.1"  # of the list that `support.sources` has for ONE
HERE = int(ip_address("198.51.100.1"))
CONFIG = config_of(replace(source(ONE), hits=True), source(TWO))


def sample(listed: str = ENTRY, source_id: SourceId = ONE, port: int = 22) -> SampledPacket:
    flow = Flow(Family.IPV4, int(ip_address(listed)), HERE, 6, 40_000, port)
    return SampledPacket(source_id, Direction.IN, flow)


def hits_of(world: DaemonWorld) -> HitRecorder:
    return world.parts.evidence.hits


async def take_in(world: DaemonWorld, *samples: SampledPacket) -> None:
    world.environment.packets.arrive(*samples)
    await hits_of(world).listen()


def test_a_hit_names_source_entry_run_and_connection_and_outlives_a_restart(tmp_path: Path) -> None:
    environment, answers = Environment(tmp_path), []

    async def first(world: DaemonWorld) -> None:
        await world.poll(ONE)
        await take_in(world, sample(), sample(), sample("203.0.113.9", MANUAL), sample(source_id=SourceId("gone")))
        answers.append(await world.ask("hits"))

    async def second(world: DaemonWorld) -> None:
        answers.append(await world.ask("hits"))
        assert [row["source"] for row in await world.ask("hits", of="one")] == ["one"]
        assert [row["source"] for row in await world.ask("hits", of="203.0.113.0/24")] == ["manual"]
        assert [row["address"] for row in await world.ask("hits", of=ENTRY)] == [ENTRY]
        assert await world.ask("hits", of="two") == []
        (newest,) = await world.ask("hits", limit=1)
        (older,) = await world.ask("hits", after=newest["place"])
        assert {newest["source"], older["source"]} == {"one", "manual"}

    run(environment, CONFIG, first)
    run(environment, CONFIG, second)
    assert answers[0] == answers[1]
    (row,) = (row for row in answers[0] if row["source"] == "one")
    ledger_run: Any = row["run"]
    assert ledger_run >= 1
    assert row["content_hash"]
    assert (row["address"], row["peer"], row["protocol"], row["port"]) == (ENTRY, "198.51.100.1", "tcp", 22)
    assert (row["entry"], row["samples"], row["direction"]) == (ENTRY, 2, "in")
    (manual,) = (row for row in answers[0] if row["source"] == "manual")
    assert (manual["run"], manual["entry"]) == (None, "")


@pytest.mark.parametrize(
    "fields", [{"of": "1.2.3"}, {"of": "1.2.3.0/33"}, {"after": "x"}, {"after": "1.0|"}, {"after": "nan|1"}]
)
def test_what_is_no_address_and_no_place_is_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    async def life(world: DaemonWorld) -> None:
        with pytest.raises(UsageError):
            await world.ask("hits", **fields)
        with pytest.raises(NoSuchSourceError):
            await world.ask("hits", of="nonesuch")

    run(Environment(tmp_path), CONFIG, life)


def test_a_hit_has_country_and_operator_of_the_listed_end_as_far_as_they_are_known(tmp_path: Path) -> None:
    database = write_mmdb(tmp_path / "geo.mmdb", DOCUMENTATION)

    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        await take_in(world, sample(), sample("8.8.8.8", MANUAL))
        rows = {row["address"]: row for row in await world.ask("hits")}
        assert (rows[ENTRY]["country"], rows[ENTRY]["asn"]) == ("NO", 64496)
        assert (rows["8.8.8.8"]["country"], rows["8.8.8.8"]["asn"]) == ("", None)

    run(Environment(tmp_path, geo_databases=(database,)), CONFIG, life)


def test_sources_are_ranked_by_what_they_met(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        await take_in(world, sample(), sample(port=23), sample(port=23))
        answer = await world.ask("top", by="hits", limit=2)
        first = answer["rows"][0]
        assert (answer["by"], answer["total"]) == ("hits", 3)
        assert (first["key"], first["hits"], first["samples"], first["packets"]) == ("one", 2, 3, None)
        assert len(answer["rows"]) == 2
        assert answer["lost"] == 0
        world.environment.packets.lost = 5
        assert (await world.ask("top", by="hits"))["lost"] == 5

    run(Environment(tmp_path), CONFIG, life)


def test_where_samples_cannot_be_had_it_is_announced_once_and_remarked_and_the_bans_stay(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    environment.packets.error = FirewallError("packets cannot be sampled: no nfnetlink_log", "banlistd bans without it")

    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        listening = [asyncio.ensure_future(hits_of(world).listen()) for _ in range(2)]
        await world.announcer.until(EventName.HITS_UNAVAILABLE)
        await asyncio.sleep(0)
        for task in listening:
            task.cancel()
        (remark,) = hits_of(world).remarks()
        assert "no nfnetlink_log" in remark.message
        assert world.banned()
        environment.packets.error = None
        await take_in(world, sample())
        assert hits_of(world).remarks() == ()

    run(environment, CONFIG, life)
    assert environment.announcer.names().count(EventName.HITS_UNAVAILABLE) == 1


def test_no_source_asks_for_samples_so_nothing_is_said(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    environment.packets.error = FirewallError("no", "")

    async def life(world: DaemonWorld) -> None:
        listening = asyncio.ensure_future(hits_of(world).listen())
        await asyncio.sleep(0)
        assert hits_of(world).remarks() == ()
        listening.cancel()

    run(environment, config_of(source(ONE)), life)
    assert EventName.HITS_UNAVAILABLE not in environment.announcer.names()


def test_what_cannot_be_written_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        await take_in(world, sample())
        with monkeypatch.context() as patched:

            async def refuse(*_: object) -> None:
                raise LedgerError("the disk is full")

            patched.setattr(hits_of(world)._table, "note", refuse)
            with pytest.raises(LedgerError):
                await hits_of(world).write()
        await take_in(world, sample(port=23))
        assert sorted(row["port"] for row in await world.ask("hits")) == [22, 23]
        assert hits_of(world).lost == 0

    run(Environment(tmp_path), CONFIG, life)


def test_the_bounds_of_a_reload_are_in_force(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    environment.next_config = replace(CONFIG, hits=Hits(rows=1000))

    async def life(world: DaemonWorld) -> None:
        await world.service.reload()
        await take_in(world, *(sample(port=port) for port in range(1001)))
        assert len(await world.ask("hits", of="one", limit=1000)) == 1000
        assert (await hits_of(world).counts())[ONE].hits == 1000

    run(environment, CONFIG, life)


def test_the_service_writes_hits_when_it_stops(tmp_path: Path) -> None:
    environment = Environment(tmp_path)

    async def life(world: DaemonWorld) -> None:
        environment.packets.arrive(sample())
        await environment.packets.until_taken()

    async def after(world: DaemonWorld) -> None:
        rows = await world.database.run("SELECT samples FROM hits")
        assert [tuple(row) for row in rows] == [(1,)]

    run(environment, CONFIG, life, serve=True, after=after)


def test_the_keys_below_defaults_are_for_manual_bans_too() -> None:
    config = Config(backend=BackendName.MEMORY, defaults=Defaults(log=True, hits=True, log_group=3), sources=())
    (slot,) = policy_of(config, {MANUAL: Mark(1)}, 0.0).sources
    assert (slot.action, slot.log, slot.hits) == (Action.DROP, 3, True)
