"""The decision table, row by row."""

import dataclasses
import itertools
from unittest.mock import Mock

import pytest

from banlistd.core.ruleset.recovery import DECISIONS, decide, same_markers
from banlistd.model import ContentHash, Decision, ImportRun, Mark, Marker, PolicyHash, RunState, SourceId

A, B = ContentHash("a" * 64), ContentHash("b" * 64)
NOW, BEFORE = PolicyHash("1" * 16), PolicyHash("0" * 16)
SOURCE = SourceId("s")


def run(state: RunState, content: ContentHash = A) -> ImportRun:
    return ImportRun(1, SOURCE, content, state, 1, 1, 0, 0, 0, 0, "", NOW, 0.0, None)


def marker(content: ContentHash, policy: PolicyHash = NOW) -> Marker:
    return Marker(Mark(1), SOURCE, content, policy)


@pytest.mark.parametrize(
    ("newest", "held", "decision"),
    [
        (run(RunState.COMPLETED), marker(A), Decision.SKIP),
        (run(RunState.COMPLETED), marker(B), Decision.REAPPLY),
        (run(RunState.COMPLETED), None, Decision.REAPPLY),
        (run(RunState.COMPLETED), marker(A, BEFORE), Decision.REAPPLY),
        (run(RunState.PENDING), marker(A), Decision.FINISH),
        (run(RunState.PENDING), marker(B), Decision.IMPORT),
        (run(RunState.PENDING), None, Decision.IMPORT),
        (run(RunState.FAILED), marker(A), Decision.IMPORT),
        (run(RunState.FAILED), None, Decision.IMPORT),
        (None, marker(A), Decision.IMPORT),
        (None, None, Decision.IMPORT),
        (run(RunState.COMPLETED, B), marker(B), Decision.IMPORT),
    ],
)
def test_a_restart_decides_by_ledger_and_marker(newest: ImportRun | None, held: Marker | None, decision: Decision) -> None:
    assert decide(newest, A, held, NOW) is decision


def test_the_table_has_a_row_for_everything() -> None:
    assert DECISIONS.keys() == set(itertools.product([*RunState, None], [True, False]))


def test_markers_are_the_same_in_any_order_and_as_other_objects() -> None:
    several = [Marker(Mark(number), SourceId(f"s{number}"), A, NOW) for number in range(1, 9)]
    assert same_markers(several, several[::-1])
    assert same_markers(several, [dataclasses.replace(one) for one in several])
    assert not same_markers(several, several[1:])
    assert not same_markers(several, [*several[1:], dataclasses.replace(several[0], content_hash=B)])


def test_of_the_very_same_markers_no_hash_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    several = [Marker(Mark(number), SourceId(f"s{number}"), A, NOW) for number in range(1, 9)]
    hashed = Mock(side_effect=hash)
    monkeypatch.setattr(Marker, "__hash__", lambda self: hashed(self.source_id))
    assert same_markers(several, [dataclasses.replace(one) for one in several])
    assert hashed.called
    hashed.reset_mock()
    assert same_markers(several, several[::-1])
    assert not hashed.called
