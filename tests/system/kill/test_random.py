"""SIGKILL at random moments: 170 of them here, as many as are wanted with `tests/kill_sweep.py --count N`."""

from pathlib import Path

import pytest

from support.network_namespace import in_network_namespace, skip_without_large_buffers
from system.kill.moments import COMBINED, LARGE, SCOPED, SMALL, kill_often
from system.kill.scenes import world_in


@pytest.mark.parametrize("parser_process", [True, False])
@in_network_namespace
def test_a_daemon_killed_at_random_moments_loses_nothing_and_applies_nothing_twice(
    tmp_path: Path, parser_process: bool
) -> None:
    with world_in(tmp_path, parser_process=parser_process) as world:
        assert kill_often(world, SMALL, 40, seed=None).total() >= 40


@in_network_namespace
def test_so_does_one_whose_lists_are_combined_and_whose_entries_end(tmp_path: Path) -> None:
    with world_in(tmp_path) as world:
        assert kill_often(world, COMBINED, 30, seed=None).total() >= 30


@in_network_namespace
def test_so_does_one_whose_lists_block_packets_of_a_scope(tmp_path: Path) -> None:
    with world_in(tmp_path) as world:
        assert kill_often(world, SCOPED, 30, seed=None).total() >= 30


@in_network_namespace
def test_so_does_one_whose_lists_are_so_large_that_it_is_killed_within_a_transaction(tmp_path: Path) -> None:
    skip_without_large_buffers()
    with world_in(tmp_path) as world:
        assert kill_often(world, LARGE, 30, seed=None).total() >= 30
