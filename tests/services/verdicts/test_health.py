import pytest

from banlistd.control_api import Verdict
from banlistd.model import Remark, SourceId
from banlistd.services.verdicts.health import ListHealth, health_of

A, B, C, D, E = (SourceId(name) for name in "abcde")
HOST = (Remark("guests on a bridge", "prove"),)
WELL = ListHealth()


def judged(
    host: Verdict = Verdict.PROTECTED, lists: ListHealth = WELL, *, ledger_fault: str = "", drift_recurs: bool = False
) -> tuple[Verdict, list[str]]:
    reasons = () if host is Verdict.PROTECTED else HOST
    verdict, found = health_of(host, reasons, lists, ledger_fault=ledger_fault, drift_recurs=drift_recurs)
    return verdict, [reason.message for reason in found]


@pytest.mark.parametrize("host", Verdict)
def test_the_verdict_is_that_of_the_host_while_lists_and_database_are_well(host: Verdict) -> None:
    assert judged(host) == (host, [] if host is Verdict.PROTECTED else ["guests on a bridge"])


@pytest.mark.parametrize(
    ("lists", "reason"),
    [
        (ListHealth(failing=[A]), "a fails"),
        (ListHealth(failing=[A, B]), "a, b fail"),
        (ListHealth(failing=[A, B, C, D]), "a, b, c and 1 other fail"),
        (ListHealth(failing=[A, B, C, D, E]), "a, b, c and 2 others fail"),
        (ListHealth(stale=[A]), "a has no good list for too long"),
        (ListHealth(refused=[A, B]), "a, b have lists in quarantine"),
    ],
)
def test_a_source_with_a_fault_degrades(lists: ListHealth, reason: str) -> None:
    assert judged(lists=lists) == (Verdict.DEGRADED, [reason])


def test_a_database_in_memory_degrades() -> None:
    assert judged(ledger_fault="disk full") == (Verdict.DEGRADED, ["the database is in memory only: disk full"])


def test_recurring_drift_degrades() -> None:
    assert judged(drift_recurs=True)[0] is Verdict.DEGRADED


def test_a_host_whose_bans_take_no_effect_stays_open_whatever_else_is_wrong() -> None:
    verdict, reasons = judged(Verdict.OPEN, ListHealth(failing=[A]), ledger_fault="x")
    assert (verdict, len(reasons)) == (Verdict.OPEN, 3)
