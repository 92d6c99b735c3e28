"""An operator's questions, over a real ledger on a real file and the memory backend."""

import asyncio
import json
import pwd
import shutil
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from banlistd.backends import BackendName
from banlistd.control.declaration import Command
from banlistd.control.lookups import is_name
from banlistd.control.table import COMMANDS
from banlistd.core.config.model import Config, Source
from banlistd.core.config.sections.allow import AllowEntry
from banlistd.core.feeds.parsers.formats.plain import NO_ADDRESS
from banlistd.errors import ChangedContentError, FetchError, GeoError, NoSuchSourceError, RefusedError, UsageError
from banlistd.events import EventName
from banlistd.model import Action, Counter, Direction, Mark, OutcomeKind, SourceId
from support.commands import fields_of
from support.fakes import FakeFetcher, FakeFirewall
from support.geography import DOCUMENTATION, write_mmdb
from support.operators import BERT, key_text
from support.sources import config_of
from worlds import DaemonWorld, Environment, run

FIRST, SECOND, WATCH, OFF = (SourceId(name) for name in ("first", "second", "watch", "off"))
BODIES: Mapping[SourceId, bytes] = {
    FIRST: b"192.0.2.1\n198.51.100.0/24\n10.9.9.9\n2001:db8::/32\n",
    SECOND: b"192.0.2.1\n192.0.2.2\n192.0.2.9\n198.51.100.7\n203.0.113.5-203.0.113.9\n2001:db8:1::7\n",
    WATCH: b"192.0.2.1\n192.0.2.3\n",
    OFF: b"192.0.2.4\n",
}


def source(source_id: SourceId, **keys: Any) -> Source:
    return Source(**{"id": source_id, "url": f"https://lists.example/{source_id}", **keys})


ALLOWED = AllowEntry(first=ip_address("192.0.2.9"), last=ip_address("192.0.2.9"))
CONFIG = Config(
    backend=BackendName.MEMORY,
    allow=(ALLOWED,),
    sources=(
        source(FIRST),
        source(SECOND, action=Action.REJECT, direction=Direction.BOTH),
        source(WATCH, action=Action.LOG),
        source(OFF, enabled=False),
    ),
)


class CountingPackets(FakeFirewall):
    async def counters(self) -> Mapping[Mark, Counter]:
        return {Mark(1): Counter(7, 420)}


def environment_on(disk: Path) -> Environment:
    """The database of networks is geo.mmdb, if it is there."""
    fetcher = FakeFetcher(dict(BODIES))
    databases = [path] if (path := disk / "geo.mmdb").exists() else []
    return Environment(disk, CountingPackets(), fetcher, geo_databases=databases)


async def check(world: DaemonWorld, address: str) -> Any:
    answer = await world.ask("check", address=address)
    assert json.loads(json.dumps(answer)) == answer
    return answer


def entries_of(answer: Any) -> dict[str, str]:
    holders = answer["sources"]
    assert isinstance(holders, list)
    return {holder["id"]: holder["entry"] for holder in holders}


async def ban(world: DaemonWorld, address: str, **words: Any) -> Any:
    return await world.ask("ban", address=address, **words)


async def unban(world: DaemonWorld, address: str) -> Any:
    return await world.ask("unban", address=address)


def test_what_is_banned_by_hand_is_explained_with_who_why_and_until_when(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        began = world.clock.time
        await ban(world, "192.0.2.1", origin="fail2ban/sshd", comment="5 failures", **{"for": "10m"})
        world.clock.time += 60
        await ban(world, "192.0.2.0/24")
        answer = await check(world, "192.0.2.1")
        assert (answer["banned"], answer["owner"], answer["action"]) == (True, "manual", "drop")
        assert list(entries_of(answer)) == ["manual", FIRST, SECOND, WATCH]
        holders = answer["sources"]
        assert isinstance(holders, list)
        assert (holders[0]["since"], holders[0]["exact"]) == (began, True)
        assert [(item["origin"], item["comment"], item["expires_at"]) for item in holders[0]["bans"]] == [
            ("fail2ban/sshd", "5 failures", began + 600),
            ("operator", "", None),
        ]
        assert "bans" not in holders[1]
        assert (await check(world, "192.0.2.9"))["allowed"]
        assert await status_of_bans(world) == [("192.0.2.0/24", True, "allowed"), ("192.0.2.1", True, "")]

    run(environment_on(tmp_path), CONFIG, life)


def test_bans_come_in_pages_the_newest_first(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        for number in range(25):
            await ban(world, f"203.0.113.{number}", origin="a" if number % 2 else "b")
            world.clock.time += number % 3
        whole = await world.ask("bans")
        assert {row["address"] for row in whole} == {f"203.0.113.{number}" for number in range(25)}
        assert [row["created_at"] for row in whole] == sorted((row["created_at"] for row in whole), reverse=True)
        pages, place = list[Any](), dict[str, Any]()
        while page := await world.ask("bans", limit=7, **place):
            assert len(page) <= 7
            pages += page
            place = {"after": f"{page[-1]['created_at']!r}|{page[-1]['address']}|{page[-1]['origin']}"}
            await unban(world, page[-1]["address"])  # a page goes on after a ban that is gone
        assert pages == whole

    run(environment_on(tmp_path), CONFIG, life)


def test_the_questions_about_all_sources_do_not_grow_with_their_number(tmp_path: Path) -> None:
    def asked(count: int) -> dict[str, int]:
        counts: dict[str, int] = {}

        async def life(world: DaemonWorld) -> None:
            for name in ("status", "sources", "timers"):
                statements: list[str] = []
                await world.database._connection.set_trace_callback(statements.append)
                assert await world.ask(name)
                counts[name] = len(statements)

        lists = [source(SourceId(f"list-{number}")) for number in range(count)]
        run(environment_on(tmp_path / str(count)), config_of(*lists), life)
        return counts

    assert asked(2) == asked(40)


async def status_of_bans(world: DaemonWorld) -> list[tuple[object, object, object]]:
    rows = await world.ask("bans")
    assert json.loads(json.dumps(rows)) == rows
    return [(row["address"], row["in_force"], row["spared"]) for row in rows]


@pytest.mark.parametrize(("name", "hint"), [("frist", "did you mean first?"), ("zebra", "banlistctl sources lists them")])
def test_a_misspelt_source_is_answered_with_the_one_that_was_meant(tmp_path: Path, name: str, hint: str) -> None:
    async def life(world: DaemonWorld) -> None:
        for command, fields in (("history", {"source": name}), ("refresh", {"sources": [name]})):
            with pytest.raises(NoSuchSourceError) as refused:
                await world.ask(command, **fields)
            assert refused.value.hint == hint

    run(environment_on(tmp_path), CONFIG, life)


def test_unban_names_the_source_that_still_bans(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        assert (await ban(world, "192.0.2.1"))["new"] is True
        assert (await ban(world, "192.0.2.1"))["new"] is False
        first = await unban(world, "192.0.2.1")
        assert json.loads(json.dumps(first)) == first
        assert (len(first["removed"]), first["still"]) == (1, FIRST)
        again = await unban(world, "192.0.2.1")
        assert (again["removed"], again["still"]) == ([], FIRST)
        assert (await unban(world, "203.0.113.99"))["still"] is None
        await ban(world, "203.0.113.96/28")
        within = (await unban(world, "203.0.113.99"))["within"]
        user = pwd.getpwuid(0).pw_name
        assert [(row["address"], row["user"]) for row in within] == [("203.0.113.96/28", user)]
        await unban(world, "203.0.113.96/28")
        assert (await unban(world, "203.0.113.0/24"))["address"] == "203.0.113.0/24"

    run(environment_on(tmp_path), CONFIG, life)


def test_owner_is_the_first_source_that_lists_an_address(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        answer = await check(world, "192.0.2.1")
        assert (answer["banned"], answer["owner"], answer["action"]) == (True, FIRST, "drop")
        assert entries_of(answer) == {FIRST: "192.0.2.1", SECOND: "192.0.2.1", WATCH: "192.0.2.1"}
        assert (answer["allowed"], answer["reserved"]) == (False, False)
        alone = await check(world, "192.0.2.2")
        assert (alone["owner"], alone["action"], entries_of(alone)) == (SECOND, "reject", {SECOND: "192.0.2.2"})

    run(environment_on(tmp_path), CONFIG, life)


def test_an_address_inside_a_network_shows_the_network_or_the_range(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        inside = await check(world, "198.51.100.7")
        assert entries_of(inside) == {FIRST: "198.51.100.0/24", SECOND: "198.51.100.7"}
        ranged = await check(world, "203.0.113.7")
        assert (ranged["banned"], entries_of(ranged)) == (True, {SECOND: "203.0.113.5 - 203.0.113.9"})
        for outside in ("203.0.113.4", "203.0.113.10", "198.51.101.0", "198.51.99.255"):
            assert entries_of(await check(world, outside)) == {}

    run(environment_on(tmp_path), CONFIG, life)


def test_an_ipv6_address_is_answered_in_its_shortest_form(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        answer = await check(world, " 2001:0DB8:0001:0000::7 ")
        assert (answer["address"], answer["banned"], answer["owner"]) == ("2001:db8:1::7", True, FIRST)
        assert entries_of(answer) == {FIRST: "2001:db8::/32", SECOND: "2001:db8:1::7"}
        assert (await check(world, "2001:db9::"))["banned"] is False

    run(environment_on(tmp_path), CONFIG, life)


def test_an_ipv4_address_in_ipv6_clothes_is_an_ipv4_address(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        answer = await check(world, "::ffff:192.0.2.1")
        assert (answer["address"], answer["banned"], answer["owner"]) == ("192.0.2.1", True, FIRST)

    run(environment_on(tmp_path), CONFIG, life)


def test_listed_address_that_is_allowed_or_reserved_is_not_banned(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        allowed = await check(world, "192.0.2.9")
        assert (allowed["banned"], allowed["allowed"], allowed["reserved"]) == (False, True, False)
        assert (allowed["owner"], entries_of(allowed)) == (None, {SECOND: "192.0.2.9"})
        reserved = await check(world, "10.9.9.9")
        assert (reserved["banned"], reserved["allowed"], reserved["reserved"]) == (False, False, True)
        assert (reserved["owner"], entries_of(reserved)) == (None, {FIRST: "10.9.9.9"})

    run(environment_on(tmp_path), CONFIG, life)


def test_an_address_that_is_only_watched_has_an_owner_and_is_not_banned(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        answer = await check(world, "192.0.2.3")
        assert (answer["banned"], answer["owner"], answer["action"]) == (False, WATCH, "log")

    run(environment_on(tmp_path), CONFIG, life)


def test_disabled_source_has_no_entries(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        answer = await check(world, "192.0.2.4")
        assert (answer["banned"], entries_of(answer)) == (False, {})
        off = next(one for one in await world.ask("sources") if one["id"] == OFF)
        assert (off["enabled"], off["state"], off["entries"], off["owned"]) == (False, "never", 0, 0)
        assert (off["due_at"], off["packets"]) == (None, None)

    run(environment_on(tmp_path), CONFIG, life)


def test_since_is_when_the_source_last_began_to_list_an_address(tmp_path: Path) -> None:
    async def since(world: DaemonWorld, address: str) -> tuple[float, bool]:
        holders = (await check(world, address))["sources"]
        assert isinstance(holders, list)
        (holder,) = holders
        return holder["since"], holder["exact"]

    async def life(world: DaemonWorld) -> None:
        began = world.clock.now()
        await world.service.refresh([])
        world.clock.time += 100
        world.fetcher.bodies[SECOND] = BODIES[SECOND] + b"192.0.2.77\n203.0.113.128/25\n"
        await world.service.refresh([SECOND])
        world.clock.time += 100
        world.fetcher.bodies[SECOND] = BODIES[SECOND].replace(b"192.0.2.2\n", b"") + b"192.0.2.77\n203.0.113.0/24\n"
        await world.service.refresh([SECOND])
        world.clock.time += 100
        world.fetcher.bodies[SECOND] = BODIES[SECOND] + b"192.0.2.77\n203.0.113.0/24\n"
        await world.service.refresh([SECOND])
        assert await since(world, "203.0.113.7") == (began, True)  # in one network or another from the beginning
        assert await since(world, "203.0.113.130") == (began + 100, True)
        assert await since(world, "203.0.113.20") == (began + 200, True)
        assert await since(world, "192.0.2.77") == (began + 100, True)
        assert await since(world, "192.0.2.2") == (began + 300, True)  # left, and came again
        world.clock.time += 100
        await world.service.refresh([SECOND])  # unchanged: nothing came
        assert await since(world, "192.0.2.2") == (began + 300, True)

    run(environment_on(tmp_path), CONFIG, life)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.org",
        "010.0.0.1",
        "1.2.3",
        "1.2.3.4/24",
        "0x7f.1",
        "192.0.2.1; drop",
        "::1::",
        "\0",
        "1" * 10_000,
        "\N{ARABIC-INDIC DIGIT ONE}.2.3.4",
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_what_is_no_address_is_a_usage_error(tmp_path: Path, text: str) -> None:
    async def life(world: DaemonWorld) -> None:
        with pytest.raises(UsageError) as refused:
            await world.ask("check", address=text)
        assert len(str(refused.value)) < 200

    run(environment_on(tmp_path), CONFIG, life)


def test_an_address_with_a_zone_is_the_address(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        answer = await check(world, "fe80::1%eth0")
        assert (answer["address"], answer["reserved"]) == ("fe80::1", True)

    run(environment_on(tmp_path), CONFIG, life)


def test_before_anything_was_polled_every_question_has_an_answer(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        assert (await check(world, "192.0.2.1"))["banned"] is False
        status = await world.ask("status")
        assert (status["sources"], status["enabled"], status["failing"], status["bans"]) == (4, 3, 0, 0)
        assert status["last_change"] is None
        assert {one["state"] for one in await world.ask("sources")} == {"never"}
        assert await world.ask("history", limit=10) == []
        assert [one["due_at"] for one in await world.ask("timers")] == [None, None, None]

    run(environment_on(tmp_path), CONFIG, life)


def test_status_counts_bans_in_force(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        since = world.clock.now()
        world.clock.time += 50
        world.fetcher.bodies[WATCH] = FetchError("connection refused")
        await world.service.refresh([])
        status = await world.ask("status")
        assert (status["since"], status["last_change"]) == (since, since + 50)
        assert (status["sources"], status["enabled"], status["failing"]) == (4, 3, 1)
        maps = status["maps"]
        assert isinstance(maps, dict)
        assert status["bans"] == (await world.ask("top", by="source", limit=20))["bans"] == 5
        # An element for both directions is in two maps.
        assert status["watched"] == sum(size for name, size in maps.items() if name.startswith("watch_in_"))
        assert maps["hosts4"] == 2  # 192.0.2.1 and .2; .9 is allowed, and a network before it holds 198.51.100.7
        assert maps["out_hosts4"] == 3
        assert status["backend"] == "memory"

    run(environment_on(tmp_path), CONFIG, life)


def test_each_source_has_its_share_and_its_last_fault(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        world.clock.time += 10
        world.fetcher.bodies[SECOND] = FetchError("server answered 500")
        await world.service.refresh([SECOND])
        first, second, watch, _ = await world.ask("sources")
        assert (first["entries"], first["owned"], first["state"]) == (4, 3, "completed")
        assert (first["packets"], first["octets"]) == (7, 420)
        assert (second["state"], second["failures"], second["entries"]) == ("failed", 1, 6)
        assert "500" in str(second["error"])
        assert (second["action"], second["direction"]) == ("reject", "both")
        assert second["owned"] == 2
        assert second["polled_at"] == world.clock.now()
        assert second["changed_at"] == world.clock.now() - 10
        assert (watch["owned"], watch["packets"]) == (1, None)

    run(environment_on(tmp_path), CONFIG, life)


def test_a_list_that_is_being_read_keeps_its_state_until_the_poll_has_ended(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        world.fetcher.bodies[FIRST] = b"192.0.2.50\n"
        world.fetcher.parser_gate.clear()
        world.fetcher.parsing.clear()
        before, (timer, *_) = (await world.ask("sources"))[0], await world.ask("timers")
        asked = asyncio.ensure_future(world.service.refresh([FIRST]))
        await world.fetcher.parsing.wait()
        during, *others = await world.ask("sources")
        assert (await world.ledger.poll(FIRST)).failures == 1  # what the next process sees, if this one is killed now
        assert during == {**before, "polling": True}
        assert not any(other["polling"] for other in others)
        status = await world.ask("status")
        assert (status["failing"], status["polling"]) == (0, 1)
        assert (await world.ask("timers"))[0] == timer
        world.fetcher.parser_gate.set()
        await asked
        after, status = (await world.ask("sources"))[0], await world.ask("status")
        assert (after["state"], after["failures"], after["polling"]) == ("completed", 0, False)
        assert (status["failing"], status["polling"]) == (0, 0)

    run(environment_on(tmp_path), CONFIG, life)


def test_a_poll_that_is_cancelled_while_its_list_is_read_is_under_way_no_longer(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        world.fetcher.parser_gate.clear()
        asked = asyncio.ensure_future(world.service.refresh([FIRST]))
        await world.fetcher.parsing.wait()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        first = (await world.ask("sources"))[0]
        assert (first["state"], first["polling"]) == ("failed", False)
        assert "did not end" in first["error"]

    run(environment_on(tmp_path), CONFIG, life)


def test_lines_that_were_skipped_are_shown_with_their_numbers_and_reasons(tmp_path: Path) -> None:
    limited = config_of(source(FIRST), source(SECOND, headers={"Authorization": "Bearer sesame"}))
    bodies = {
        FIRST: b"192.0.2.1\n<b>\x1b[2J\n192.0.2.2\n" + b"192.0.2.77\n" * 40 + b"what\n",
        SECOND: b"192.0.2.1\nsesame\n" * 20,
    }

    async def life(world: DaemonWorld) -> None:
        world.fetcher.bodies.update(bodies)
        await world.service.refresh()
        first, second = await world.ask("sources")
        assert first["skipped"] == [
            {"line": 2, "text": "<b>\\x1b[2J", "reason": NO_ADDRESS},
            {"line": 44, "text": "what", "reason": NO_ADDRESS},
        ]
        assert second["state"] == "failed"  # a guard refused it
        assert second["skipped"] == [{"line": line, "text": "", "reason": ""} for line in (2, 4, 6, 8, 10)]
        assert "sesame" not in json.dumps([first, second, [event.message for event in world.announcer.events]])
        completed = await world.announcer.until(EventName.IMPORT_COMPLETED, FIRST)
        assert completed.message.endswith(f'2 lines skipped (line 2 "<b>\\x1b[2J": {NO_ADDRESS}; line 44 "what": {NO_ADDRESS})')

        world.fetcher.bodies[FIRST] = b"192.0.2.1\n192.0.2.2\n"
        await world.service.refresh([FIRST])
        (alone,) = await world.ask("sources", source=FIRST)
        assert alone["skipped"] == []
        with pytest.raises(NoSuchSourceError):
            await world.ask("sources", source="nobody")

    run(environment_on(tmp_path), limited, life)


def test_the_timers_are_those_of_enabled_sources(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([FIRST])
        first, second, watch = await world.ask("timers")
        due_at, every = first["due_at"], first["every"]
        assert isinstance(due_at, float)
        assert isinstance(every, float)
        assert world.clock.now() + every <= due_at <= world.clock.now() + every * 1.1
        assert (second["id"], second["due_at"], watch["id"]) == (SECOND, None, WATCH)

    run(environment_on(tmp_path), CONFIG, life)


def test_history_is_newest_first_of_one_source_or_of_all(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        world.clock.time += 10
        world.fetcher.bodies[FIRST] = b"192.0.2.50\n"
        await world.service.refresh([FIRST])
        newest, oldest = await world.ask("history", source=FIRST, limit=10)
        assert (newest["added"], newest["removed"], newest["state"]) == (1, 3, "completed")
        assert oldest["entries"] == 4
        assert len(await world.ask("history", limit=3)) == 3
        assert len(await world.ask("history", source=OFF, limit=3)) == 0
        with pytest.raises(NoSuchSourceError):
            await world.ask("history", source="nobody", limit=3)

    run(environment_on(tmp_path), CONFIG, life)


def test_refresh_returns_the_outcome_of_each_source(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        world.fetcher.bodies[SECOND] = FetchError("connection refused")
        first, second, _ = await world.ask("refresh", sources=[])
        assert (first["id"], first["outcome"], first["added"], first["error"]) == (FIRST, "completed", 3, "")
        assert (second["id"], second["outcome"], second["added"]) == (SECOND, "failed", 0)
        assert "refused" in str(second["error"])
        (again,) = await world.ask("refresh", sources=[FIRST])
        assert again["outcome"] == "skipped"

    run(environment_on(tmp_path), CONFIG, life)


def test_refresh_says_of_a_source_that_it_did_not_ask_when_and_why(tmp_path: Path) -> None:
    limited = config_of(source(FIRST, minimum=3600.0))

    async def life(world: DaemonWorld) -> None:
        await world.ask("refresh")
        world.clock.time += 600
        (row,) = await world.ask("refresh", sources=[FIRST])
        assert (row["outcome"], row["error"], row["not_before"]) == ("deferred", "", world.clock.now() + 3000)
        assert row["reason"] == "the publisher allows one request in 1h"
        (row,) = await world.ask("refresh", sources=[FIRST], now=True)
        assert (row["outcome"], row["reason"], row["not_before"]) == ("skipped", "", None)
        with pytest.raises(UsageError):
            await world.ask("refresh", now="yes")

    run(environment_on(tmp_path), limited, life)


def test_reload_returns_added_removed_and_changed_sources(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        more = source(SourceId("more"))
        changed = source(SECOND, every=60.0)
        world.environment.next_config = replace(CONFIG, sources=(changed, CONFIG.sources[0], CONFIG.sources[3], more))
        answer = await world.ask("reload")
        assert answer == {"sources": 4, "lifted": 0, "added": ["more"], "removed": ["watch"], "changed": ["second"]}

    run(environment_on(tmp_path), CONFIG, life)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_is_answered_in_its_shape(tmp_path: Path, command: Command[Any, Any]) -> None:
    async def life(world: DaemonWorld) -> None:
        for body in (b"192.0.2.1\n", b"192.0.2.2\n"):
            world.fetcher.bodies[FIRST] = body
            await world.service.refresh([FIRST])
        world.fetcher.bodies[FIRST] = b"0.0.0.0/1\n"  # refused
        world.fetcher.bodies[WATCH] = FetchError("connection refused")
        await world.service.refresh([])
        await world.ask("quarantine", source=FIRST)
        fields = fields_of(command, str(FIRST))
        if command.name == "confirm":
            await world.ask("ban", address="203.0.113.7", confirm="1m")
            fields = {"address": "203.0.113.7"}
        if command.name.startswith("nodes "):
            await world.ask("nodes admit", node=str(FIRST), site="oslo", key=key_text(BERT))
        if command.name in {"fleet", "fleet root"}:  # their answers are seen in tests/system/test_fleet_trust.py
            with pytest.raises(UsageError, match="no list of a fleet is taken here"):
                await world.ask(command.name, **fields)
            return
        if command.name in {"fleet hold", "fleet release"}:  # and those in tests/system/fleet/test_staged_roll_out.py
            with pytest.raises(UsageError, match="publishes nothing for a fleet"):
                await world.ask(command.name, **fields)
            return
        await world.ask(command.name, **fields)

    run(environment_on(with_databases(tmp_path)), CONFIG, life)


def hosts(number: int) -> bytes:
    return b"".join(b"203.0.113.%d\n" % index for index in range(number))


def test_quarantined_list_is_shown_with_differences_and_applied_when_approved(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        world.fetcher.bodies[FIRST] = hosts(40)
        await world.service.refresh([FIRST])
        assert await world.ask("quarantine") == []
        world.fetcher.bodies[FIRST] = b"198.51.100.0/24\n" + hosts(10)
        await world.service.refresh([FIRST])
        (held,) = await world.ask("quarantine", source=FIRST)
        assert json.loads(json.dumps(held)) == {**held, "added_sample": ["198.51.100.0/24"], "removed_sample": list(SAMPLE)}
        assert (held["id"], held["guard"], held["refusals"], held["approved"]) == (FIRST, "shrunk", 1, False)
        assert (held["entries"], held["entries_before"], held["added"], held["removed"]) == (11, 40, 1, 30)
        assert held["settle"] == 3 * 86400
        (row,) = [row for row in await world.ask("sources") if row["id"] == FIRST]
        assert row["quarantined"] == "shrunk"
        assert (await world.ask("status"))["quarantined"] == 1
        world.fetcher.bodies[FIRST] = FetchError("no network")
        (outcome,) = await world.ask("approve", sources=[FIRST], hash=held["content_hash"][:8])
        assert (outcome["outcome"], outcome["added"], outcome["removed"]) == ("completed", 1, 30)
        assert await world.ask("quarantine") == []
        assert (await check(world, "198.51.100.77"))["banned"]

    run(environment_on(tmp_path), CONFIG, life)


SAMPLE = tuple(f"203.0.113.{index}" for index in range(10, 20))


def test_only_what_is_held_back_can_be_approved(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        world.fetcher.bodies[FIRST] = b""
        await world.service.refresh([FIRST, SECOND])
        for names, error in (([], UsageError), ([SECOND], UsageError), (["nil"], NoSuchSourceError), ([OFF], UsageError)):
            with pytest.raises(error):
                await world.ask("approve", sources=names)
        with pytest.raises(UsageError):
            await world.ask("approve", sources=[FIRST, SECOND])  # all or none
        (held,) = await world.ask("quarantine", source=FIRST)
        with pytest.raises(UsageError):
            await world.ask("approve", sources=[FIRST, SECOND], force=True)  # now only the second fails
        (held,) = await world.ask("quarantine", source=FIRST)
        assert (held["approved"], held["entries_before"], held["settle"]) == (False, None, None)
        with pytest.raises(NoSuchSourceError):
            await world.ask("quarantine", source="nil")

    run(environment_on(tmp_path), CONFIG, life)


async def shrinks(world: DaemonWorld, body: bytes) -> Any:
    """The source had 40 entries; what it has now is refused."""
    world.fetcher.bodies[FIRST] = hosts(40)
    await world.service.refresh([FIRST])
    return await changes(world, body)


async def changes(world: DaemonWorld, body: bytes) -> Any:
    world.fetcher.bodies[FIRST] = body
    (outcome,) = await world.service.refresh([FIRST])
    assert outcome.kind is OutcomeKind.REFUSED


def banned(world: DaemonWorld) -> int:
    return len(world.enforcer.state or ())


def test_content_that_was_swapped_after_the_look_is_shown_and_not_approved(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await shrinks(world, hosts(10))
        (seen,) = await world.ask("quarantine", source=FIRST)
        await changes(world, b"198.51.100.1\n198.51.100.2\n198.51.100.3\n")
        with pytest.raises(ChangedContentError) as refused:
            await world.ask("approve", sources=[FIRST])
        assert refused.value.exit_code == 65
        assert f"10 entries (shrunk, content {seen['content_hash'][:16]}) before, 3 entries" in refused.value.message
        assert "    + 198.51.100.3" in refused.value.problems
        assert banned(world) == 40
        assert not (await world.ask("quarantine"))[0]["approved"]
        # It has been shown by that.
        (outcome,) = await world.ask("approve", sources=[FIRST])
        assert (outcome["outcome"], banned(world)) == ("completed", 3)

    run(environment_on(tmp_path), CONFIG, life)


def test_a_hash_approves_that_content_and_no_other(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await shrinks(world, hosts(10))
        (old,) = await world.ask("quarantine")
        await changes(world, hosts(3))
        for digits in (old["content_hash"], old["content_hash"][:8]):
            with pytest.raises(ChangedContentError, match="the content has changed"):
                await world.ask("approve", sources=[FIRST], hash=digits, uid=7)
        (new,) = await world.ask("quarantine")
        (outcome,) = await world.ask("approve", sources=[FIRST], hash=new["content_hash"])
        assert (outcome["outcome"], banned(world)) == ("completed", 3)

    run(environment_on(tmp_path), CONFIG, life)


def test_without_a_hash_only_a_look_of_the_same_user_at_that_source_counts(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await shrinks(world, hosts(10))
        await world.ask("quarantine", uid=1000)  # a table of all, as a monitor asks for it
        await world.ask("quarantine", source=FIRST, uid=1001)
        for uid in (0, 1000):
            with pytest.raises(UsageError, match="not known which content you have seen") as refused:
                await world.ask("approve", sources=[FIRST], uid=uid)
            assert "banlistctl approve first HASH" in refused.value.hint
        assert banned(world) == 40
        await world.ask("approve", sources=[FIRST], uid=1001)
        assert banned(world) == 10

    run(environment_on(tmp_path), CONFIG, life)


NO_LISTS = {
    "html": b"<!DOCTYPE html><html>198.51.100.1</html>",
    "unparseable": b"error\n" * 9 + b"198.51.100.1\n",
    "empty": b"",
}


@pytest.mark.parametrize("guard", NO_LISTS)
def test_what_is_no_list_is_approved_by_force_only(tmp_path: Path, guard: str) -> None:
    async def life(world: DaemonWorld) -> None:
        await shrinks(world, NO_LISTS[guard])
        (held,) = await world.ask("quarantine", source=FIRST)
        assert (held["guard"], held["is_list"], held["place"]) == (guard, False, "https://lists.example/first")
        for fields in ({}, {"hash": held["content_hash"]}, {"force": False}):
            with pytest.raises(RefusedError, match=rf"this is no list \({guard}\)") as refused:
                await world.ask("approve", sources=[FIRST], **fields)
            assert refused.value.hint == "see banlistctl quarantine first, and what https://lists.example/first answers"
        assert banned(world) == 40
        (outcome,) = await world.ask("approve", sources=[FIRST], force=True)
        assert outcome["outcome"] == "completed"

    run(environment_on(tmp_path), CONFIG, life)


def test_force_does_not_replace_the_look(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await shrinks(world, b"")
        with pytest.raises(UsageError):
            await world.ask("approve", sources=[FIRST], force=True)

    run(environment_on(tmp_path), CONFIG, life)


@pytest.mark.parametrize("wrong", ["", "second", "0123456", "0123456G", "0" * 65, 12345678, None])
def test_what_is_no_content_hash_is_a_usage_error(tmp_path: Path, wrong: object) -> None:
    async def life(world: DaemonWorld) -> None:
        await shrinks(world, hosts(10))
        with pytest.raises(UsageError, match="is not a content hash"):
            await world.ask("approve", sources=[FIRST], hash=wrong)
        with pytest.raises(UsageError, match="several sources"):
            await world.ask("approve", sources=[FIRST, SECOND], hash="0" * 64)
        with pytest.raises(UsageError, match="not true or false"):
            await world.ask("approve", sources=[FIRST], force="yes")

    run(environment_on(tmp_path), CONFIG, life)


def test_a_list_that_is_no_longer_confirmed_grows_stale(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        began = world.clock.time
        world.clock.time += 6 * 86400
        await world.service.refresh([SECOND, WATCH])
        assert (await world.ask("status"))["stale"] == 0
        world.clock.time += 86400
        assert (await world.ask("status"))["stale"] == 1
        ages = {row["id"]: row["stale_since"] for row in await world.ask("sources")}
        assert ages == {FIRST: began + 7 * 86400, SECOND: None, WATCH: None, OFF: None}
        await world.service.refresh([FIRST])  # unchanged, by 304
        assert (await world.ask("status"))["stale"] == 0

    run(environment_on(tmp_path), CONFIG, life)


# Where addresses belong


def with_databases(disk: Path) -> Path:
    write_mmdb(disk / "geo.mmdb", DOCUMENTATION)
    return disk


def test_an_address_in_the_sample_database_that_ships_has_its_country_and_asn(tmp_path: Path) -> None:
    shipped = Path(__file__).resolve().parents[2] / "config" / "geo" / "documentation.mmdb"
    shutil.copy(shipped, tmp_path / "geo.mmdb")

    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        assert (await check(world, "192.0.2.1"))["origin"] == {
            "country": "NO",
            "country_name": "Norway",
            "asn": 64496,
            "organisation": "Example Network One",
        }
        assert (await check(world, "2001:db8::7"))["origin"] == {
            "country": "FI",
            "country_name": "Finland",
            "asn": 65536,
            "organisation": "Example Network Four",
        }

    run(environment_on(tmp_path), CONFIG, life)


def test_unknown_address_has_an_empty_origin(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        nothing = {"country": "", "country_name": "", "asn": None, "organisation": ""}
        assert (await check(world, "192.0.2.1"))["origin"] == nothing

    run(environment_on(tmp_path), CONFIG, life)


def test_bans_are_counted_by_country_operator_and_source(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        countries = await world.ask("top", by="country", limit=20)
        assert json.loads(json.dumps(countries)) == countries
        assert (countries["by"], countries["bans"], countries["total"]) == ("country", 5, 4)
        # The network of IPv6 belongs to two countries and is a ban of both.
        assert countries["rows"] == [
            {"key": "NO", "name": "Norway", "bans": 3, "addresses": 2},
            {"key": "SE", "name": "Sweden", "bans": 1, "addresses": 256},
            {"key": "DK", "name": "Denmark", "bans": 1, "addresses": 5},
            {"key": "FI", "name": "Finland", "bans": 1, "addresses": 0},
        ]
        operators = await world.ask("top", by="asn", limit=1)
        assert operators["rows"] == [{"key": "AS64496", "name": "Example Network One", "bans": 3, "addresses": 2}]
        assert operators["total"] == 4
        sources = await world.ask("top", by="source", limit=20)
        assert sources["rows"] == [
            {"key": FIRST, "name": "", "bans": 3, "addresses": 257},
            {"key": SECOND, "name": "", "bans": 2, "addresses": 6},
        ]

    run(environment_on(with_databases(tmp_path)), CONFIG, life)


def test_bans_by_source_need_no_database_and_bans_by_country_do(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        assert (await world.ask("top", by="source", limit=5))["by"] == "source"
        with pytest.raises(GeoError, match="tor-geoipdb"):
            await world.ask("top", by="country", limit=5)
        with pytest.raises(UsageError, match="by country, asn, source, hits"):
            await world.ask("top", by="colour", limit=5)

    run(environment_on(tmp_path), CONFIG, life)


def test_a_network_is_checked_as_a_whole(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        world.fetcher.bodies[FIRST] = b"203.0.113.0/29\n203.0.113.64\n203.0.113.80/30\n"
        world.fetcher.bodies[SECOND] = b"198.51.100.1\n"
        world.fetcher.bodies[WATCH] = b"203.0.113.128/25\n"
        await world.service.refresh([])
        await world.ask("ban", address="203.0.113.0/30")
        answer = await check(world, "203.0.113.0/24")
        assert (answer["address"], answer["banned"]) == ("203.0.113.0/24", False)
        assert (answer["addresses"], answer["banned_addresses"]) == (256, 8 + 1 + 4)
        listed = {row["id"]: row["addresses"] for row in answer["sources"]}
        assert listed["manual"] == 4
        assert listed[FIRST] == 13
        assert listed[WATCH] == 128
        part = await check(world, "203.0.113.2-203.0.113.7")
        assert (part["banned"], part["addresses"], part["banned_addresses"]) == (True, 6, 6)
        assert {row["id"] for row in part["sources"]} == {"manual", FIRST}
        nothing = await check(world, "2001:db9::/32")
        assert (nothing["addresses"], nothing["banned_addresses"], nothing["sources"]) == (1 << 96, 0, [])
        assert (await check(world, "203.0.113.64/32"))["owner"] == FIRST

    run(environment_on(tmp_path), CONFIG, life)


def test_a_network_names_what_of_it_is_never_banned(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        exempt = (await check(world, "10.0.0.0/7"))["exempt"]
        assert [item["address"] for item in exempt] == ["10.0.0.0/8"]

    run(environment_on(tmp_path), CONFIG, life)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("mail.example.org", True),
        ("localhost", True),
        ("abc.de.", True),
        ("_dmarc.example.org", True),
        ("1.2.3", False),
        ("0x7f000001", False),
        ("127.1", False),
        ("example.org/24", False),
        ("dead::1", False),
        ("", False),
        ("a" * 64, False),
        ("a." * 130, False),
    ],
)
def test_the_name_service_is_asked_for_names_only(text: str, names: bool) -> None:
    assert is_name(text) is names


def test_a_name_is_checked_by_its_addresses(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    environment.names = {"mail.example.org": ["192.0.2.1", "192.0.2.200"]}

    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        answer = await check(world, "mail.example.org")
        assert (answer["name"], answer["banned"]) == ("mail.example.org", False)
        assert [(one["address"], one["banned"]) for one in answer["addresses"]] == [("192.0.2.1", True), ("192.0.2.200", False)]

    run(environment, CONFIG, life)
