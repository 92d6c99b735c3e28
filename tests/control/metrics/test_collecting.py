"""The numbers of a daemon with real services, as Prometheus' parser reads them."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from banlistd.errors import UsageError
from banlistd.model import Action, Counter, Mark
from support.fakes import FakeFirewall
from support.sources import ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run


class CountingPackets(FakeFirewall):
    async def counters(self) -> dict[Mark, Counter]:
        return {Mark(1): Counter(7, 420)}


async def values(world: DaemonWorld) -> dict[str, Any]:
    """Each sample by its name, and its labels where it has any."""
    answer = await world.ask("metrics", format="openmetrics")
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer["text"])  # type: ignore[no-untyped-call]  # it has no types
        for sample in family.samples
    }


def test_each_source_has_its_numbers(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        world.fetcher.bodies[TWO] = b""
        await world.poll(TWO)
        found, rows = await values(world), {row["id"]: row for row in await world.ask("sources")}
        assert found["banlistd_bans"] == (await world.ask("status"))["bans"] > 0
        assert found["banlistd_sources"] == 2
        assert found[f"banlistd_source_entries {ONE}"] == rows[ONE]["entries"] > 0
        assert found[f"banlistd_source_elements {ONE}"] == rows[ONE]["owned"] > 0
        assert found[f"banlistd_source_packets_total {ONE}"] == 7
        assert found[f"banlistd_source_bytes_total {ONE}"] == 420
        assert found[f"banlistd_source_last_good_timestamp_seconds {ONE}"] == world.clock.now()
        assert f"banlistd_source_last_good_timestamp_seconds {TWO}" not in found
        assert found[f"banlistd_source_next_poll_timestamp_seconds {ONE}"] == rows[ONE]["due_at"]
        assert [found[f"banlistd_source_failures {one}"] for one in (ONE, TWO)] == [0, 1]
        assert [found[f"banlistd_source_quarantined {one}"] for one in (ONE, TWO)] == [0, 1]
        assert [found[f"banlistd_source_stale {one}"] for one in (ONE, TWO)] == [0, 0]

    run(Environment(tmp_path, CountingPackets()), config_of(source(ONE), source(TWO)), life)


def test_a_later_answer_has_what_changed_since_the_first(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        before = await values(world)
        world.clock.time += 60
        world.fetcher.bodies[ONE] = b"192.0.2.7\n192.0.2.8\n192.0.2.9\n"
        await world.poll(ONE)
        await world.poll(TWO)
        found = await values(world)
        assert found[f"banlistd_source_entries {ONE}"] == 3 != before[f"banlistd_source_entries {ONE}"]
        assert found[f"banlistd_source_elements {ONE}"] == 3
        later = f"banlistd_source_last_good_timestamp_seconds {ONE}"
        assert found[later] == before[later] + 60
        assert f"banlistd_source_last_good_timestamp_seconds {TWO}" in found.keys() - before.keys()

    run(Environment(tmp_path, CountingPackets()), config_of(source(ONE), source(TWO)), life)


def test_a_source_that_is_suspended_is_not_late(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        await world.poll(TWO)
        await world.ask("pause", sources=[ONE])
        world.clock.time += 2 * 86_400
        await world.poll(TWO)
        found, due = await values(world), {row["id"]: row["due_at"] for row in await world.ask("sources")}
        assert f"banlistd_source_next_poll_timestamp_seconds {ONE}" not in found
        assert found[f"banlistd_source_next_poll_timestamp_seconds {TWO}"] == due[TWO]
        assert (await world.ask("health"))["next_poll"] == due[TWO] > world.clock.now()
        assert [(timer["id"], timer["suspended"]) for timer in await world.ask("timers")] == [(ONE, ["paused"]), (TWO, [])]
        await world.ask("pause", sources=[TWO])
        assert (await world.ask("health"))["next_poll"] is None
        assert not [name for name in await values(world) if name.startswith("banlistd_source_next_poll")]

    run(Environment(tmp_path), config_of(source(ONE), source(TWO)), life)


def test_a_list_that_is_too_old_is_stale(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        world.clock.time += 400 * 86400
        assert (await values(world))[f"banlistd_source_stale {ONE}"] == 1

    run(Environment(tmp_path), config_of(source(ONE)), life)


def test_only_enabled_sources_have_numbers(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        found = await values(world)
        assert found["banlistd_sources"] == 1
        assert not [name for name in found if name.endswith(f" {TWO}")]

    run(Environment(tmp_path), config_of(source(ONE), source(TWO, enabled=False)), life)


def test_manual_bans_have_elements_of_their_own(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.ask("ban", address="203.0.113.77")
        assert (await values(world))["banlistd_source_elements manual"] == 1

    run(Environment(tmp_path), config_of(source(ONE)), life)


def test_elements_that_only_log_are_not_bans(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        found = await values(world)
        assert (found["banlistd_bans"], found["banlistd_watched_elements"] > 0) == (0, True)

    run(Environment(tmp_path), config_of(source(ONE, action=Action.LOG)), life)


def test_transactions_are_timed_and_counted(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        before = (await values(world))["banlistd_firewall_transaction_seconds_count"]
        await world.poll(ONE)
        found = await values(world)
        assert found["banlistd_firewall_transaction_seconds_count"] == before + 1
        assert found["banlistd_firewall_transaction_seconds_bucket +Inf"] == before + 1

    run(Environment(tmp_path), config_of(source(ONE)), life)


def test_a_daemon_without_any_list_has_numbers_too(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        found = await values(world)
        assert found["banlistd_bans"] == found["banlistd_ledger_fault"] == found["banlistd_drift_recurring"] == 0
        assert found["process_resident_memory_bytes"] > 1_000_000
        assert "banlistd_last_change_timestamp_seconds" not in found
        assert "banlistd_event_loop_lag_seconds" not in found  # it is measured only where metrics are served

    run(Environment(tmp_path), config_of(source(ONE)), life, restore=False)


def test_a_format_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        with pytest.raises(UsageError, match="no format 'xml'"):
            await world.ask("metrics", format="xml")

    run(Environment(tmp_path), config_of(source(ONE)), life)


class Counts(FakeFirewall):
    """Its counter of the first source begins anew with `packets`, as after a flush."""

    packets = 7

    async def counters(self) -> dict[Mark, Counter]:
        return {Mark(1): Counter(self.packets, 60 * self.packets)}


def test_a_counter_does_not_fall_when_the_firewalls_own_counters_begin_anew(tmp_path: Path) -> None:
    firewall = Counts()

    async def life(world: DaemonWorld) -> None:
        name = f"banlistd_source_packets_total {ONE}"
        assert (await values(world))[name] == 7
        firewall.packets = 2
        found = await values(world)
        assert (found[name], found[f"banlistd_source_bytes_total {ONE}"]) == (9, 540)

    run(Environment(tmp_path, firewall), config_of(source(ONE)), life)
