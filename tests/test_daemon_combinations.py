"""Sources that are made of others, in the running daemon: imported once their parts change, and never without one of them."""

from pathlib import Path
from typing import Any

import pytest

from banlistd.core.config.model import Config
from banlistd.core.config.sections.guards import Guards
from banlistd.errors import FetchError
from banlistd.events import EventName
from banlistd.model import Action, OutcomeKind, SourceId
from banlistd.services.imports.parts_under_way import PartsUnderWay
from support.fakes import FakeAnnouncer, FakeFetcher, protected
from support.sources import ONE, THREE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

BOTH, TOP = SourceId("both"), SourceId("top")
# Small lists change in steps that would be large for a real one.
LOOSE = Guards(shrink=1.0, grow=1e9, turnover=1.0)


def combined(source_id: SourceId = BOTH, **keys: Any) -> Config:
    """The combination first, so that it owns what it has and the firewall shows it."""
    lists = [source(one, guards=LOOSE) for one in (ONE, TWO, THREE)]
    return config_of(source(source_id, guards=LOOSE, **keys), *lists)


def environment_on(disk: Path, **bodies: str) -> Environment:
    bytes_of = {SourceId(name): (text.replace(" ", "\n") + "\n").encode() for name, text in bodies.items()}
    return Environment(disk, fetcher=FakeFetcher({**dict.fromkeys((ONE, TWO, THREE), b"203.0.113.9\n"), **bytes_of}))


def owned_by(world: DaemonWorld, source_id: SourceId = BOTH) -> set[str]:
    content = world.enforcer.content(source_id)
    assert content is not None
    return {".".join(map(str, int(host).to_bytes(4, "big"))) for host in content.addresses.hosts4}


LISTS = {"one": "192.0.2.1 192.0.2.2", "two": "192.0.2.2 192.0.2.3", "three": "192.0.2.3 192.0.2.4"}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"merge": (ONE, TWO)}, {1, 2, 3}),
        ({"intersect": (ONE, TWO)}, {2}),
        ({"merge": (ONE, TWO, THREE), "at_least": 2}, {2, 3}),
        ({"merge": (ONE, TWO), "exclude": (THREE,)}, {1, 2}),
        ({"merge": (ONE,), "exclude": (TWO, THREE)}, {1}),
    ],
)
def test_a_combination_is_banned_as_soon_as_its_parts_are_there(tmp_path: Path, keys: Any, expected: set[int]) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(BOTH)
        assert owned_by(world) == {f"192.0.2.{number}" for number in expected}
        assert EventName.IMPORT_FAILED not in world.announcer.names()

    run(environment_on(tmp_path, **LISTS), combined(**keys), life, serve=True)


def test_a_part_that_changes_is_followed_at_once_and_two_that_change_together_cost_one_import(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(BOTH)
        world.fetcher.bodies |= {ONE: b"192.0.2.7\n", TWO: b"192.0.2.8\n"}
        await world.service.refresh([ONE, TWO])
        await world.announcer.until(EventName.IMPORT_COMPLETED, BOTH, times=2)
        assert owned_by(world) == {"192.0.2.7", "192.0.2.8"}
        world.fetcher.bodies |= {ONE: b"192.0.2.9\n"}
        await world.service.refresh([ONE])
        await world.announcer.until(EventName.IMPORT_COMPLETED, BOTH, times=3)
        assert owned_by(world) == {"192.0.2.9", "192.0.2.8"}
        runs = await world.ledger.history(BOTH, 10)
        assert [run.attempts for run in runs] == [1, 1, 1]

    run(environment_on(tmp_path, **LISTS), combined(merge=(ONE, TWO)), life, serve=True)


def test_a_refresh_of_all_combines_what_it_has_just_fetched(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        outcomes = await world.service.refresh()
        assert {outcome.source_id: outcome.kind for outcome in outcomes} == dict.fromkeys(
            (ONE, TWO, THREE, BOTH), OutcomeKind.COMPLETED
        )
        (again,) = await world.service.refresh([BOTH])
        assert again.kind is OutcomeKind.SKIPPED

    run(environment_on(tmp_path, **LISTS), combined(merge=(ONE, TWO)), life)


def test_combinations_of_combinations_follow_in_turn(tmp_path: Path) -> None:
    lists = combined(merge=(ONE, TWO)).sources
    config = config_of(source(TOP, merge=(BOTH,), exclude=(THREE,), guards=LOOSE), *lists)

    async def life(world: DaemonWorld) -> None:
        await world.completed(BOTH, TOP)
        assert owned_by(world, TOP) == {"192.0.2.1", "192.0.2.2"}
        world.fetcher.bodies |= {ONE: b"192.0.2.77\n"}
        await world.service.refresh([ONE])
        await world.announcer.until(EventName.IMPORT_COMPLETED, TOP, times=2)
        assert owned_by(world, TOP) == {"192.0.2.77", "192.0.2.2"}

    run(environment_on(tmp_path, **LISTS), config, life, serve=True)


def test_a_part_without_a_good_list_fails_the_combination_by_its_name(tmp_path: Path) -> None:
    environment = environment_on(tmp_path, **LISTS)
    environment.fetcher.bodies[TWO] = FetchError("the server is down")

    async def life(world: DaemonWorld) -> None:
        failed = await world.announcer.until(EventName.IMPORT_FAILED, BOTH)
        assert failed.fields["REASON"] == "two, a part of it, has no good list yet"
        assert world.enforcer.content(BOTH) is None
        world.fetcher.bodies[TWO] = b"192.0.2.2\n"
        await world.service.refresh([TWO])
        await world.completed(BOTH)
        assert owned_by(world) == {"192.0.2.1"}

    run(environment, combined(merge=(ONE,), exclude=(TWO,)), life, serve=True)


def test_the_last_good_list_of_a_part_that_fails_or_is_refused_now_counts(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(BOTH)
        world.fetcher.bodies |= {ONE: FetchError("the server is down"), TWO: b"", THREE: b"192.0.2.44\n"}
        kinds = {outcome.source_id: outcome.kind for outcome in await world.service.refresh([ONE, TWO, THREE])}
        assert kinds == {ONE: OutcomeKind.FAILED, TWO: OutcomeKind.REFUSED, THREE: OutcomeKind.COMPLETED}
        await world.announcer.until(EventName.IMPORT_COMPLETED, BOTH, times=2)
        assert owned_by(world) == {f"192.0.2.{number}" for number in (1, 2, 3, 44)}

    run(environment_on(tmp_path, **LISTS), combined(merge=(ONE, TWO, THREE)), life, serve=True)


def test_a_change_that_a_crash_cut_short_is_followed_at_the_next_start(tmp_path: Path) -> None:
    environment, config = environment_on(tmp_path, **LISTS), combined(merge=(ONE, TWO))

    async def first(world: DaemonWorld) -> None:
        await world.service.refresh()

    async def only_the_part(world: DaemonWorld) -> None:
        world.fetcher.bodies |= {ONE: b"192.0.2.50\n"}
        await world.poll(ONE)

    async def after_the_crash(world: DaemonWorld) -> None:
        await world.completed(BOTH)
        assert owned_by(world) == {"192.0.2.50", "192.0.2.2", "192.0.2.3"}

    async def nothing_new(world: DaemonWorld) -> None:
        await world.ask("timers")
        assert EventName.IMPORT_STARTED not in world.announcer.names()

    run(environment, config, first)
    run(environment, config, only_the_part)
    environment.announcer = FakeAnnouncer()
    run(environment, config, after_the_crash, serve=True)
    environment.announcer = FakeAnnouncer()
    run(environment, config, nothing_new, serve=True)


def test_a_result_without_an_address_is_refused_unless_it_may_be_empty(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(BOTH)
        world.fetcher.bodies |= {TWO: b"192.0.2.1\n192.0.2.2\n"}
        await world.service.refresh([TWO])
        refused = await world.announcer.until(EventName.IMPORT_REFUSED, BOTH)
        assert refused.fields["GUARD"] == "empty"
        assert owned_by(world) == {"192.0.2.1"}

    run(environment_on(tmp_path, **LISTS), combined(merge=(ONE,), exclude=(TWO,)), life, serve=True)


def test_a_part_that_may_be_empty_takes_its_bans_from_the_combination(tmp_path: Path) -> None:
    config = config_of(source(BOTH, merge=(ONE,), allow_empty=True, guards=LOOSE), source(ONE, allow_empty=True, guards=LOOSE))

    async def life(world: DaemonWorld) -> None:
        await world.completed(BOTH)
        world.fetcher.bodies |= {ONE: b""}
        await world.service.refresh([ONE])
        await world.announcer.until(EventName.IMPORT_COMPLETED, BOTH, times=2)
        assert owned_by(world) == set()
        assert world.banned() == set()

    run(environment_on(tmp_path, **LISTS), config, life, serve=True)


def test_guards_judge_the_result(tmp_path: Path) -> None:
    many = " ".join(f"198.51.100.{number}" for number in range(200))
    config = config_of(source(BOTH, merge=(ONE,), exclude=(TWO,)), source(ONE), source(TWO, guards=LOOSE))

    async def life(world: DaemonWorld) -> None:
        await world.completed(BOTH)
        world.fetcher.bodies |= {TWO: b"198.51.100.0/25\n"}
        await world.service.refresh([TWO])
        refused = await world.announcer.until(EventName.IMPORT_REFUSED, BOTH)
        assert refused.fields["GUARD"] == "shrunk"
        assert len(owned_by(world)) == 200

    run(environment_on(tmp_path, one=many, two="192.0.2.1"), config, life, serve=True)


def test_a_reload_that_combines_otherwise_is_followed_at_once(tmp_path: Path) -> None:
    environment = environment_on(tmp_path, **LISTS)

    async def life(world: DaemonWorld) -> None:
        await world.completed(BOTH)
        environment.next_config = combined(intersect=(ONE, TWO))
        await world.service.reload()
        await world.announcer.until(EventName.IMPORT_COMPLETED, BOTH, times=2)
        assert owned_by(world) == {"192.0.2.2"}

    run(environment, combined(merge=(ONE, TWO)), life, serve=True)


def test_a_part_whose_stored_list_is_damaged_fails_the_combination(tmp_path: Path) -> None:
    environment, config = environment_on(tmp_path, **LISTS), combined(merge=(ONE, TWO))

    async def first(world: DaemonWorld) -> None:
        await world.service.refresh()

    async def damaged(world: DaemonWorld) -> None:
        outcome = await world.poll(BOTH)
        assert outcome.kind is OutcomeKind.FAILED
        assert "one, a part of it, has lost its stored list" in outcome.error
        assert owned_by(world) == {"192.0.2.1", "192.0.2.2", "192.0.2.3"}
        assert (await world.poll(ONE)).kind is OutcomeKind.COMPLETED
        assert (await world.poll(BOTH)).kind is OutcomeKind.SKIPPED

    async def damage(world: DaemonWorld) -> None:
        async def work(connection: Any) -> None:
            await connection.execute("UPDATE snapshots SET body = x'00' WHERE source_id = 'one'")

        await world.database.write(work)

    run(environment, config, first)
    run(environment, config, damage, restore=False)
    run(environment, config, damaged)


def test_a_slow_part_does_not_keep_the_others_from_being_combined(tmp_path: Path) -> None:
    both = combined(merge=(ONE, TWO)).sources[0]

    async def life(world: DaemonWorld) -> None:
        parts = PartsUnderWay(world.enforcer.content, world.ledger, rest_within=0.001)
        parts.expect([TWO])
        await parts.until_at_rest(both)
        assert [*parts.leave(ONE)] == [*parts.leave(TWO)] == [BOTH]
        assert [*parts.leave(THREE)] == []

    run(environment_on(tmp_path), config_of(source(ONE)), life)


KEPT = config_of(
    source(BOTH, merge=(ONE,), exclude=(TWO,), guards=LOOSE),
    source(ONE, action=Action.NONE, guards=LOOSE),
    source(TWO, action=Action.NONE, guards=LOOSE),
)


def test_a_list_of_action_none_has_runs_and_a_marker_and_bans_nothing(tmp_path: Path) -> None:
    environment = environment_on(tmp_path, **LISTS)
    environment.host.now = [protected("192.0.2.3")]

    async def life(world: DaemonWorld) -> None:
        await world.service.refresh()
        assert world.banned() == {"192.0.2.1"}
        assert {marker.source_id for marker in await world.firewall.markers()} == {BOTH, ONE, TWO}
        assert {run.source_id for run in await world.ledger.history(None, 10)} == {BOTH, ONE, TWO}
        assert {outcome.kind for outcome in await world.service.refresh()} == {OutcomeKind.SKIPPED}
        skipped = [event.message for event in world.announcer.events if event.name is EventName.IMPORT_SKIPPED]
        assert "one: unchanged, and nothing of it belongs in the firewall" in skipped
        assert "both: unchanged, and the firewall holds it" in skipped
        assert EventName.PROTECTED_CARVED not in world.announcer.names()
        assert (await world.ask("status"))["kept"] == 2
        assert {row["key"] for row in (await world.ask("top", by="source"))["rows"]} == {BOTH}

    async def restarted(world: DaemonWorld) -> None:
        assert world.banned() == {"192.0.2.1"}
        world.fetcher.bodies[ONE] = b"192.0.2.1\n192.0.2.8\n"
        assert (await world.poll(ONE)).kind is OutcomeKind.COMPLETED
        assert world.banned() == {"192.0.2.1"}
        assert (await world.poll(BOTH)).kind is OutcomeKind.COMPLETED
        assert world.banned() == {"192.0.2.1", "192.0.2.8"}

    run(environment, KEPT, life)
    run(environment, KEPT, restarted)


def test_an_action_that_becomes_none_lifts_the_bans_of_the_list(tmp_path: Path) -> None:
    environment = environment_on(tmp_path, **LISTS)

    async def life(world: DaemonWorld) -> None:
        await world.service.refresh()
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}
        environment.next_config = config_of(source(ONE, action=Action.NONE, guards=LOOSE))
        reloaded = await world.service.reload()
        assert (reloaded.lift.lifted, world.banned()) == (2, set())
        environment.next_config = config_of(source(ONE, guards=LOOSE))
        await world.service.reload()
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}

    run(environment, config_of(source(ONE, guards=LOOSE)), life)


def test_what_ends_in_a_part_without_a_poll_ends_in_the_combination(tmp_path: Path) -> None:
    part = source(ONE, ttl=3600.0, every=365 * 86400.0, guards=LOOSE, allow_empty=True)
    config = config_of(source(BOTH, merge=(ONE,), every=365 * 86400.0, guards=LOOSE, allow_empty=True), part)

    async def life(world: DaemonWorld) -> None:
        await world.completed(BOTH)
        world.fetcher.bodies[ONE] = b"192.0.2.2\n192.0.2.5\n"
        await world.service.refresh([ONE])
        await world.announcer.until(EventName.IMPORT_COMPLETED, BOTH, times=2)
        assert owned_by(world) == {"192.0.2.1", "192.0.2.2", "192.0.2.5"}
        world.clock.time += 3601.0
        await world.announcer.until(EventName.IMPORT_COMPLETED, BOTH, times=3)
        assert owned_by(world) == {"192.0.2.2", "192.0.2.5"}

    run(environment_on(tmp_path, **LISTS), config, life, serve=True)


def test_a_result_that_a_guard_refused_is_taken_once_it_is_approved(tmp_path: Path) -> None:
    many = " ".join(f"198.51.100.{number}" for number in range(200))
    config = config_of(source(BOTH, merge=(ONE,), exclude=(TWO,)), source(ONE), source(TWO, guards=LOOSE))

    async def life(world: DaemonWorld) -> None:
        await world.completed(BOTH)
        world.fetcher.bodies |= {TWO: b"198.51.100.0/25\n"}
        await world.service.refresh([TWO])
        await world.announcer.until(EventName.IMPORT_REFUSED, BOTH)
        quarantined = await world.quarantine.quarantined(BOTH)
        assert quarantined is not None
        (row,) = await world.ask("approve", sources=[BOTH], hash=quarantined.content_hash)
        assert row["outcome"] == "completed"
        assert len(owned_by(world)) == 72
        (again,) = await world.service.refresh([BOTH])
        assert again.kind is OutcomeKind.SKIPPED

    run(environment_on(tmp_path, one=many, two="192.0.2.1"), config, life, serve=True)
