"""The verdict on a proof, from what arrived."""

from collections.abc import Sequence

import pytest

from banlistd.control_api import VERDICT_EXITS, Verdict
from banlistd.ctl.proving.verdict import Finding, PathFinding, finding_of, verdict_of


@pytest.mark.parametrize(
    ("before", "banned", "control", "finding"),
    [
        (True, False, True, Finding.STOPPED),
        (True, True, True, Finding.PASSED),
        (True, True, False, Finding.PASSED),
        (False, False, True, Finding.CLOSED),
        (True, False, False, Finding.CLOSED),
        (False, False, False, Finding.CLOSED),
    ],
)
def test_a_path_is_proven_only_if_packets_arrive_without_a_ban(
    before: bool, banned: bool, control: bool, finding: Finding
) -> None:
    assert finding_of(before=before, banned=banned, control=control) is finding


@pytest.mark.parametrize(
    ("findings", "bypasses", "verdict"),
    [
        ((Finding.STOPPED, Finding.UNUSED), 0, Verdict.PROTECTED),
        ((Finding.STOPPED,), 1, Verdict.DEGRADED),
        ((Finding.COUNTED, Finding.STOPPED), 0, Verdict.PROTECTED),
        ((Finding.COUNTED, Finding.CLOSED), 0, Verdict.DEGRADED),
        ((Finding.STOPPED, Finding.CLOSED), 0, Verdict.DEGRADED),
        ((Finding.UNUSED,), 0, Verdict.DEGRADED),
        ((), 0, Verdict.DEGRADED),
        ((Finding.STOPPED, Finding.PASSED), 1, Verdict.OPEN),
    ],
)
def test_one_open_path_is_enough_and_one_proven_path_is_needed(
    findings: Sequence[Finding], bypasses: int, verdict: Verdict
) -> None:
    assert verdict_of([PathFinding("input", "ipv4", one) for one in findings], bypasses) is verdict


def test_each_verdict_has_an_exit_code_of_its_own() -> None:
    assert [VERDICT_EXITS[verdict] for verdict in Verdict] == [0, 1, 2]
