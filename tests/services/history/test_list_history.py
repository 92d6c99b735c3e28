"""The history of a list, as real imports write it into a real ledger."""

from pathlib import Path

from banlistd.adapters.storage.versions.version_table import VersionTable
from banlistd.core.addresses.comparison import sample
from banlistd.model import OutcomeKind
from banlistd.services.history.list_history import ListHistory
from support.fakes import FakeFetcher
from support.sources import ONE, config_of, source
from worlds import DaemonWorld, Environment, run

A, B, C = b"192.0.2.1\n192.0.2.2\n", b"192.0.2.2\n198.51.100.0/24\n", b"2001:db8::/48\n192.0.2.2\n"
HOUR = 3600.0


def history_of(world: DaemonWorld) -> ListHistory:
    return ListHistory(VersionTable(world.database), world.ledger)


async def contents(world: DaemonWorld, since: float = 0.0) -> list[tuple[str, ...]]:
    return [sample(addresses) async for _, addresses in history_of(world).contents(ONE, since)]


async def bring(world: DaemonWorld, body: bytes, kind: OutcomeKind = OutcomeKind.COMPLETED) -> None:
    world.fetcher.bodies[ONE] = body
    outcome = await world.poll(ONE)
    assert outcome.kind is kind, outcome
    world.clock.time += HOUR


IN_A, IN_B, IN_C = ("192.0.2.1", "192.0.2.2"), ("198.51.100.0/24", "192.0.2.2"), ("2001:db8::/48", "192.0.2.2")


def test_every_content_comes_back_newest_first_and_after_a_restart(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        for body in (A, B, C, A):
            await bring(world, body)
        assert await contents(world) == [IN_A, IN_C, IN_B, IN_A]

    async def later(world: DaemonWorld) -> None:
        assert await contents(world) == [IN_A, IN_C, IN_B, IN_A]
        history = history_of(world)
        for version in await history.versions(ONE):
            found = await history.content(version)
            assert found is not None
            assert found.content_hash() == version.content_hash
        oldest = (await history.versions(ONE))[-1]
        assert oldest.left_at is not None
        assert await contents(world, oldest.left_at + 1) == [IN_A, IN_C, IN_B]

    environment = Environment(tmp_path, fetcher=FakeFetcher({}))
    run(environment, config_of(source(ONE)), life)
    run(environment, config_of(source(ONE)), later)


def test_content_that_the_firewall_did_not_take_is_no_part_of_it(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await bring(world, A)
        world.firewall.fail_before = True
        await bring(world, B, OutcomeKind.FAILED)
        assert await contents(world) == [IN_A]
        world.firewall.fail_before = False
        await bring(world, C)
        assert await contents(world) == [IN_C, IN_A]

    run(Environment(tmp_path, fetcher=FakeFetcher({})), config_of(source(ONE)), life)


def test_without_a_history_nothing_but_the_content_in_force_is_kept(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        for body in (A, B):
            await bring(world, body)
        assert await contents(world) == []

    run(Environment(tmp_path, fetcher=FakeFetcher({})), config_of(source(ONE, history=0.0)), life)


def test_a_damaged_delta_makes_the_history_shorter_and_harms_no_import(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        for body in (A, B, C):
            await bring(world, body)
        newest, middle, oldest = await history_of(world).versions(ONE)
        await world.database.run("UPDATE versions SET delta = x'00' WHERE id = ?", (middle.id,))
        assert await contents(world) == [IN_C, IN_B]
        assert await history_of(world).content(oldest) is None
        assert await history_of(world).content(newest) is not None
        await bring(world, A)
        assert await contents(world) == [IN_A, IN_C, IN_B]

    run(Environment(tmp_path, fetcher=FakeFetcher({})), config_of(source(ONE)), life)


def test_a_version_of_other_bytes_than_its_hash_says_is_not_given_out(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        for body in (A, B):
            await bring(world, body)
        _, oldest = await history_of(world).versions(ONE)
        await world.database.run("UPDATE versions SET content_hash = ? WHERE id = ?", ("0" * 64, oldest.id))
        (_, changed) = await history_of(world).versions(ONE)
        assert await history_of(world).content(changed) is None

    run(Environment(tmp_path, fetcher=FakeFetcher({})), config_of(source(ONE)), life)
