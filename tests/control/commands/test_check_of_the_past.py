"""What the lists had of an address at a moment, and ever: against the lists themselves, as they were imported."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from banlistd.control.commands.checking.check import CHECK
from banlistd.control.declaration import NOT_FOUND, PageContext
from banlistd.core.config.sections.defaults import Defaults
from banlistd.errors import UsageError
from banlistd.model import Action
from support.fakes import FakeFetcher, protected
from support.sources import ONE, TWO, allow, config_of, source
from worlds import DaemonWorld, Environment, run

CONFIG = config_of(source(ONE), source(TWO, action=Action.COUNT))
HOUR = 3600.0


def environment_on(disk: Path) -> Environment:
    return Environment(disk, fetcher=FakeFetcher({TWO: b"192.0.2.1\n"}))


async def bring(world: DaemonWorld, *bodies: bytes) -> None:
    for body in bodies:
        world.fetcher.bodies[ONE] = body
        for outcome in await world.service.refresh():
            assert not outcome.error
        world.clock.time += HOUR


def lines(answer: Any) -> list[str]:
    return [str(line) for line in CHECK.page(answer, PageContext(0.0, lambda _: None))]


def test_a_moment_has_the_lists_that_had_the_address_their_runs_and_the_owner(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        began = world.clock.time
        await bring(world, b"192.0.2.9\n", b"192.0.2.0/24\n", b"192.0.2.1\n", b"192.0.2.9\n", b"192.0.2.1\n192.0.2.2\n")
        runs = [row["run"] for row in await world.ask("versions", source=ONE)]
        answer = await world.ask("check", address="192.0.2.1", at=f"@{began + 1.5 * HOUR}")
        first, second = answer["periods"]
        assert (first["id"], first["entry"], first["run"], first["exact"]) == (ONE, "192.0.2.1", runs[3], True)
        assert (first["since"], first["until"]) == (began + HOUR, began + 3 * HOUR)
        assert (second["id"], second["until"], second["exact"], second["action"]) == (TWO, None, False, "count")
        assert (answer["listed"], answer["owner"]) == (True, ONE)
        assert "banned by one" in lines(answer)[0]
        assert CHECK.judge(answer) == 0
        gone = await world.ask("check", address="192.0.2.1", at=f"@{began + 3.5 * HOUR}")
        assert [row["id"] for row in gone["periods"]] == [TWO]
        assert gone["owner"] is None
        never = await world.ask("check", address="203.0.113.1", at=f"@{began}")
        assert (never["listed"], never["periods"], CHECK.judge(never)) == (False, [], NOT_FOUND)
        assert lines(never)[0].startswith("203.0.113.1: no version of a list that is kept had it at ")

    run(environment_on(tmp_path), CONFIG, life)


def test_the_whole_history_of_an_address_has_first_and_last_seen(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        began = world.clock.time
        await bring(world, b"192.0.2.9\n", b"192.0.2.8\n192.0.2.9\n", b"192.0.2.7\n", b"192.0.2.8\n", b"192.0.2.7\n")
        answer = await world.ask("check", address="192.0.2.8", history="true")
        assert [(row["since"], row["until"]) for row in answer["periods"]] == [
            (began + 3 * HOUR, began + 4 * HOUR),
            (began + HOUR, began + 2 * HOUR),
        ]
        assert (answer["first_seen"], answer["last_seen"]) == (began + HOUR, began + 4 * HOUR)
        assert (answer["listed"], CHECK.judge(answer)) == (False, NOT_FOUND)
        present = await world.ask("check", address="192.0.2.7", history="true")
        assert (present["last_seen"], present["listed"], len(present["periods"])) == (None, True, 2)
        assert "still listed" in lines(present)[1]

    run(environment_on(tmp_path), CONFIG, life)


def test_of_a_network_the_addresses_that_each_list_had_are_counted(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        began = world.clock.time
        await bring(world, b"192.0.2.64/26\n192.0.2.1\n", b"203.0.113.1\n")
        answer = await world.ask("check", address="192.0.2.0/24", at=f"@{began + 60}")
        assert [(row["id"], row["addresses"]) for row in answer["periods"]] == [(ONE, 65), (TWO, 1)]
        later = await world.ask("check", address="192.0.2.0-192.0.2.99", at=f"@{began + HOUR + 60}")
        assert [row["id"] for row in later["periods"]] == [TWO]
        assert "65 addresses" in lines(answer)[1]
        assert f"{TWO}: 1 address since" in lines(answer)[2]
        assert f"{ONE}: 192.0.2.64/26 since" in lines(await world.ask("check", address="192.0.2.64/26", at=f"@{began + 60}"))[1]

    run(environment_on(tmp_path), CONFIG, life)


def test_a_source_that_is_no_longer_configured_is_remembered(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def before(world: DaemonWorld) -> None:
        await bring(world, b"192.0.2.1\n")

    async def after(world: DaemonWorld) -> None:
        answer = await world.ask("check", address="192.0.2.1", history="true")
        assert [(row["id"], row["action"]) for row in answer["periods"]] == [(TWO, "count"), (ONE, "")]

    run(environment, CONFIG, before)
    run(environment, config_of(source(TWO, action=Action.COUNT)), after)


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        refused: list[tuple[dict[str, Any], str]] = [
            ({"at": "yesterday"}, "at='yesterday' is no moment"),
            ({"at": "@1", "history": "true"}, "exclude each other"),
            ({"history": "perhaps"}, "is not possible"),
            ({"address": "192.0.2.0/24", "history": "true"}, "of single addresses"),
            ({"address": "host.example", "at": "@1"}, "a host name has no history"),
        ]
        for fields, words in refused:
            with pytest.raises(UsageError, match=words):
                await world.ask("check", **{"address": "192.0.2.1", **fields})

    run(environment_on(tmp_path), CONFIG, life)


def test_the_periods_of_every_address_are_those_of_the_lists(tmp_path: Path) -> None:
    """Twelve random versions, of which some share nothing: each address is looked for in the lists themselves."""
    chance = random.Random(7)
    pool = [f"192.0.2.{number}" for number in range(12)] + ["198.51.100.0/30", "198.51.100.0/29", "2001:db8::/126"]
    bodies = ["\n".join(chance.sample(pool, chance.randint(1, 9))) for _ in range(12)]
    tried = [f"192.0.2.{number}" for number in range(12)] + ["198.51.100.2", "198.51.100.6", "2001:db8::1"]
    cover = {"198.51.100.2": {"198.51.100.0/30", "198.51.100.0/29"}, "198.51.100.6": {"198.51.100.0/29"}}
    cover["2001:db8::1"] = {"2001:db8::/126"}

    async def life(world: DaemonWorld) -> None:
        began = world.clock.time
        await bring(world, *(body.encode() + b"\n" for body in bodies))
        for address in tried:
            has = [bool(cover.get(address, {address}) & set(body.split())) for body in bodies]
            answer = await world.ask("check", address=address, history="true")
            mine = [row for row in answer["periods"] if row["id"] == ONE]
            found = [
                any(row["since"] <= began + (hour + 0.5) * HOUR < (row["until"] or float("inf")) for row in mine)
                for hour in range(len(bodies))
            ]
            assert found == has, address

    run(environment_on(tmp_path), CONFIG, life)


def test_a_moment_has_the_manual_bans_that_were_in_force_and_how_they_ended(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        began = world.clock.time
        await world.ask("ban", address="203.0.113.7", comment="first", uid=0, **{"for": "1h"})
        await world.ask("ban", address="203.0.113.0/24", origin="fail2ban/sshd")
        world.clock.time += HOUR
        await world.ask("unban", address="203.0.113.0/24")
        world.clock.time += HOUR
        await world.ask("ban", address="203.0.113.7", comment="again", confirm="60s")
        world.clock.time += 60
        await world.manual_bans.turn()
        await world.ask("ban", address="203.0.113.7", comment="now")
        world.clock.time += 60
        then = await world.ask("check", address="203.0.113.7", at=f"@{began + 60}")
        assert [(row["comment"], row["origin"], row["how"], row["ended_at"]) for row in then["bans"]] == [
            ("first", "operator", "expired", began + HOUR),
            ("", "fail2ban/sshd", "lifted", began + HOUR),
        ]
        assert (then["listed"], then["owner"], then["periods"], CHECK.judge(then)) == (True, "manual", [], 0)
        assert "was banned by hand at" in lines(then)[0]
        assert any("first" in line and "its time was over" in line and "(root)" in line for line in lines(then))
        assert (await world.ask("check", address="203.0.113.7", at=f"@{began + 1.5 * HOUR}"))["bans"] == []
        ever = await world.ask("check", address="203.0.113.7", history="true")
        assert [row["how"] for row in ever["bans"]] == ["in force", "unconfirmed", "expired", "lifted"]
        assert (ever["listed"], ever["first_seen"], ever["last_seen"]) == (True, began, None)
        within = await world.ask("check", address="203.0.113.128/25", at=f"@{began + 60}")
        assert [row["address"] for row in within["bans"]] == ["203.0.113.0/24"]

    run(environment_on(tmp_path), CONFIG, life)


def test_ended_bans_survive_a_restart_and_go_with_the_time_of_the_history(tmp_path: Path) -> None:
    environment, config = environment_on(tmp_path), config_of(defaults=Defaults(history=2 * HOUR))

    async def before(world: DaemonWorld) -> None:
        await world.ask("ban", address="203.0.113.7")
        await world.ask("unban", address="203.0.113.7")

    async def after(world: DaemonWorld) -> None:
        (row,) = (await world.ask("check", address="203.0.113.7", history="true"))["bans"]
        assert row["how"] == "lifted"
        world.clock.time += 2 * HOUR + 1
        assert (await world.ask("check", address="203.0.113.7", history="true"))["bans"] == []

    run(environment, config, before)
    run(environment, config, after)


def test_a_moment_has_what_was_allowed_then_and_bans_nothing_of_it(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def life(world: DaemonWorld) -> None:
        began = world.clock.time
        await bring(world, b"192.0.2.1\n192.0.2.2\n")
        await world.ask("allow", address="192.0.2.1", comment="audit")
        world.clock.time += HOUR
        await world.ask("disallow", address="192.0.2.1")
        world.clock.time += HOUR
        before, then, after = [
            await world.ask("check", address="192.0.2.1", at=f"@{began + (hours + 0.5) * HOUR}") for hours in range(3)
        ]
        assert [(one["owner"], len(one["exempt"])) for one in (before, then, after)] == [(ONE, 0), (None, 1), (ONE, 0)]
        (row,) = then["exempt"]
        assert (row["address"], row["reason"], row["whole"]) == ("192.0.2.1", "allowed by command", True)
        assert (row["since"], row["until"]) == (began + HOUR, began + 2 * HOUR)
        assert lines(then)[0].endswith(", but not banned")
        assert "192.0.2.1, allowed by command, since" in lines(then)[1]
        part = await world.ask("check", address="192.0.2.0/30", at=f"@{began + 1.5 * HOUR}")
        assert ([row["whole"] for row in part["exempt"]], part["owner"]) == ([False], ONE)
        ever = await world.ask("check", address="192.0.2.1", history="true")
        assert [row["until"] for row in ever["exempt"]] == [began + 2 * HOUR]
        never = await world.ask("check", address="203.0.113.9", at=f"@{began + 1.5 * HOUR}")
        assert never["exempt"] == []

    run(environment, CONFIG, life)


def test_what_the_configuration_allowed_and_what_was_protected_is_known_after_a_restart(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    learned = replace(protected("192.0.2.3"), reason="a login", learned=True)
    environment.host.now = [replace(protected("192.0.2.1"), reason="gateway"), learned]

    async def before(world: DaemonWorld) -> None:
        await bring(world, b"192.0.2.0/24\n")

    async def after(world: DaemonWorld) -> None:
        await world.ask("ban", address="192.0.2.3")
        world.clock.time += HOUR
        moment = f"@{world.clock.time - HOUR - 60}"
        found = {end: await world.ask("check", address=f"192.0.2.{end}", at=moment) for end in (1, 2, 3, 4)}
        reasons = {end: [row["reason"] for row in answer["exempt"]] for end, answer in found.items()}
        assert reasons == {1: ["gateway"], 2: ["allowed by the configuration"], 3: ["a login"], 4: []}
        assert [answer["owner"] for answer in found.values()] == [None, None, None, ONE]
        by_hand = await world.ask("check", address="192.0.2.3", at=f"@{world.clock.time - 60}")
        assert (by_hand["owner"], [row["learned"] for row in by_hand["exempt"]]) == ("manual", [True])
        ended = await world.ask("check", address="192.0.2.2", history="true")
        assert [row["until"] is None for row in ended["exempt"]] == [False]

    run(environment, config_of(source(ONE), source(TWO, action=Action.COUNT), allow=(allow("192.0.2.2"),)), before)
    run(environment, CONFIG, after)


def test_a_list_that_allows_banned_nothing_that_it_listed(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await bring(world, b"192.0.2.0/24\n")
        answer = await world.ask("check", address="192.0.2.1", at=f"@{world.clock.time - 60}")
        assert answer["owner"] is None
        assert lines(answer)[0].endswith(f", but not banned: allowed by {TWO}")
        for other in ("192.0.2.9", "192.0.2.0/30"):
            assert (await world.ask("check", address=other, at=f"@{world.clock.time - 60}"))["owner"] == ONE

    run(environment_on(tmp_path), config_of(source(ONE), source(TWO, action=Action.ALLOW)), life)
