from banlistd.core.ruleset.measuring.summary import LastVerdict, summary


def line(*, failing: int = 0, fault: str = "", verdict: str = "", next_poll: str = "") -> str:
    names = [f"list{number}" for number in range(failing)]
    return summary(bans=1, sources=20, failing=names, fault=fault, seen=LastVerdict(verdict, next_poll))


def test_the_line_has_verdict_bans_and_next_poll() -> None:
    assert line() == "1 ban from 20 sources"
    assert line(verdict="DEGRADED", next_poll="14:05") == "DEGRADED: 1 ban from 20 sources, next poll 14:05"


def test_the_line_names_ten_failing_sources_and_the_fault_of_the_database() -> None:
    assert line(failing=1, fault="full") == "1 ban from 20 sources, 1 failing: list0, state in memory only: full"
    assert line(failing=11).endswith(", 11 failing: list0, list1, list2, list3, list4, list5, list6, list7, list8, list9, ...")
