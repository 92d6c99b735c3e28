"""The verdict without packets: what the firewall lacks, what is not covered, and what is not known."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from banlistd.backends import BackendName
from banlistd.control_api import Verdict
from banlistd.core.config.model import Config
from banlistd.errors import FirewallError
from banlistd.model import Action, Marker, Remark, SourceSlot
from banlistd.scopes.names import is_by_hand
from banlistd.services.verdicts import coverage
from banlistd.services.verdicts.coverage import HostVerdict, without_content
from support.fakes import FakeFirewall
from support.sources import ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

GUESTS = Remark("bans do not cover the guests of tap0", "run banlistd there")
TABLE = Remark("table inet banlistd is missing", "it comes back")


class Kernel(FakeFirewall):
    """`missing`, `uncovered`: what it says when it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: Sequence[Remark] = ()
        self.uncovered: Sequence[Remark] = ()

    async def gaps(self) -> Sequence[Remark]:
        return self.missing

    async def remarks(self, sources: Sequence[SourceSlot] | None = None) -> Sequence[Remark]:
        return self.uncovered


async def judged(world: DaemonWorld, backend: BackendName = BackendName.NFTABLES) -> HostVerdict:
    return await world.parts.coverage.judge(backend)


def test_a_host_whose_lists_are_in_force_is_protected(tmp_path: Path) -> None:
    kernel = Kernel()

    async def life(world: DaemonWorld) -> None:
        before = await judged(world)
        assert before.verdict is Verdict.DEGRADED
        assert before.reasons[-1].message == f"1 source has no content yet: {ONE}"
        await world.poll(ONE)
        assert await judged(world) == HostVerdict(Verdict.PROTECTED, [])
        kernel.uncovered = [GUESTS]
        assert await judged(world) == HostVerdict(Verdict.DEGRADED, [GUESTS])
        kernel.missing = [TABLE]
        assert await judged(world) == HostVerdict(Verdict.OPEN, [TABLE, GUESTS])

    run(Environment(tmp_path, kernel), config_of(source(ONE)), life)


def test_a_list_whose_marker_is_gone_opens_the_host(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        await world.firewall.teardown()
        found = await judged(world)
        assert found.verdict is Verdict.OPEN
        assert found.reasons[0].message.startswith(f"the firewall lacks the bans of {ONE}:")
        await world.enforcer.reconcile()
        assert (await judged(world)).verdict is Verdict.PROTECTED

    run(Environment(tmp_path), config_of(source(ONE)), life)


def test_a_change_that_failed_degrades_and_one_under_way_does_not(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        world.firewall.fail_before = True
        await world.poll(TWO)
        assert [reason.message for reason in (await judged(world)).reasons] == [
            "the firewall did not take the last change: bans may be missing or left over",
            f"1 source has no content yet: {TWO}",
        ]
        world.firewall.fail_before = False
        await world.enforcer.reconcile()
        assert TWO in (await judged(world)).reasons[0].message

    run(Environment(tmp_path), config_of(source(ONE), source(TWO)), life)


def test_a_change_that_begins_while_the_rules_are_read_is_not_waited_for(tmp_path: Path) -> None:
    class Changing(Kernel):
        async def gaps(self) -> Sequence[Remark]:
            await begins()
            return ()

        async def markers(self) -> tuple[Marker, ...]:
            assert not under_way
            return await super().markers()

    kernel, under_way = Changing(), list[str]()

    async def begins() -> None:
        """Nothing yet."""

    async def life(world: DaemonWorld) -> None:
        async def begin() -> None:
            await world.enforcer._lock.acquire()
            under_way.append("change")

        nonlocal begins
        await world.poll(ONE)
        begins = begin
        try:
            assert await judged(world) == HostVerdict(Verdict.PROTECTED, [])
            assert under_way == ["change"]
        finally:
            world.enforcer._lock.release()
            under_way.clear()

    run(Environment(tmp_path, kernel), config_of(source(ONE)), life)


def test_a_firewall_that_cannot_be_read_is_open_and_a_backend_that_bans_nothing_as_well(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        assert (await judged(world, BackendName.MEMORY)).verdict is Verdict.OPEN
        unseen = await judged(world, BackendName.FAIL2BAN)
        assert unseen.verdict is Verdict.DEGRADED
        assert "fail2ban" in unseen.reasons[0].message
        world.firewall.blind = True
        try:
            found = await judged(world)
        except FirewallError as error:  # pragma: no cover - it never raises
            raise AssertionError from error
        assert found.reasons[0].message == "the firewall cannot be read: the kernel does not answer"

    run(Environment(tmp_path), config_of(source(ONE)), life)


def test_sources_that_block_nothing_need_no_content(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        assert (await judged(world)).verdict is Verdict.PROTECTED

    config: Config = config_of(source(ONE), source(TWO, action=Action.COUNT))
    run(Environment(tmp_path), config, life)


def test_of_many_sources_some_are_named() -> None:
    reason = without_content([f"s{number}" for number in range(5)])  # type: ignore[misc]
    assert reason is not None
    assert reason.message == "5 sources have no content yet: s0, s1, s2 and 2 others"


def test_the_command_answers_with_the_verdict_alone_or_with_all(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        short = await world.ask("status", verdict="true")
        assert sorted(short) == ["reasons", "verdict"]
        assert short["verdict"] == "OPEN"  # the backend memory
        whole = await world.ask("status")
        assert {key: whole[key] for key in short} == short

    run(Environment(tmp_path), config_of(source(ONE)), life)


def test_a_second_look_goes_through_the_sources_that_are_to_ban_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def by_hand(source_id: str) -> bool:
        asked.append(source_id)
        return is_by_hand(source_id)

    monkeypatch.setattr(coverage, "is_by_hand", by_hand)

    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        await judged(world)
        assert asked
        asked.clear()
        assert (await judged(world)).verdict is Verdict.PROTECTED
        assert asked == []

    run(Environment(tmp_path), config_of(source(ONE), source(TWO, action=Action.COUNT)), life)
