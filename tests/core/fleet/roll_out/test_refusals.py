"""What a node says that it refuses: only what it has signed counts, and only of a canary."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.core.fleet.reports.judging import ReportMessage, ReportRefusal, WhyNot
from banlistd.core.fleet.reports.report import MOST_REPORT_OCTETS, REPORT_TYPE
from banlistd.core.fleet.roll_out.refusals import (
    CANARY_CLOCK_AHEAD,
    LONGEST_REASON,
    MOST_REFUSED_VERSIONS,
    REFUSAL_TYPE,
    NodeRefusals,
    RefusedVersion,
    judged_refusals,
    read_refusals,
    refusals_payload,
)
from support.reporters import FLEET, node, signer

NOW = 1_800_000_000.5
WIDE = RefusedVersion("drop", "b" * 64, "wide", "10.0.0.0/8 is wider than a /12")
SAID = NodeRefusals(FLEET, "node-1", int(NOW), (WIDE,))
CANARY = replace(node("node-1"), is_canary=True)


def message(said: NodeRefusals = SAID, kind: str = REFUSAL_TYPE, by: str = "node-1", **changed: object) -> bytes:
    document = {**json.loads(refusals_payload(said)), **changed}
    return signer(by).signed(json.dumps(document).encode(), kind)


def judge(octets: bytes, *, retained: bool = False, now: float = NOW) -> Sequence[RefusedVersion] | ReportRefusal:
    return judged_refusals(ReportMessage("node-1", octets, retained), CANARY, FLEET, now, is_signed_by)


def test_what_a_canary_has_signed_counts_also_when_it_comes_again() -> None:
    assert judge(message()) == (WIDE,) == judge(message())


def test_what_a_canary_refuses_counts_though_its_clock_is_hours_ahead() -> None:
    assert judge(message(replace(SAID, issued_at=int(NOW) + CANARY_CLOCK_AHEAD - 1))) == (WIDE,)


def test_what_another_node_refuses_changes_nothing() -> None:
    said = ReportMessage("node-1", message())
    assert judged_refusals(said, node("node-1"), FLEET, NOW, is_signed_by) == ()


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (message(by="node-2"), WhyNot.WRONG_KEY),
        (message(kind=REPORT_TYPE), WhyNot.MALFORMED),
        (message(replace(SAID, node="node-2")), WhyNot.WRONG_NODE),
        (message(replace(SAID, fleet="other")), WhyNot.WRONG_NODE),
        (message(replace(SAID, issued_at=int(NOW) - 7200)), WhyNot.LATE),
        (message(replace(SAID, issued_at=int(NOW) + CANARY_CLOCK_AHEAD + 2)), WhyNot.EARLY),
        (message(v=2), WhyNot.MALFORMED),
        (message(v=True), WhyNot.MALFORMED),
        (message(more=1), WhyNot.MALFORMED),
        (message(iat="1"), WhyNot.MALFORMED),
        (message(node=1), WhyNot.MALFORMED),
        (message(refused={}), WhyNot.MALFORMED),
        (message(refused=[["drop", "b" * 64, "wide"]]), WhyNot.MALFORMED),
        (message(refused=[["drop", "b" * 63, "wide", "", ""]]), WhyNot.MALFORMED),
        (message(refused=[["../drop", "b" * 64, "wide", "", ""]]), WhyNot.MALFORMED),
        (message(refused=[["drop", "b" * 64, "wide", "a\nb", ""]]), WhyNot.MALFORMED),
        (message(refused=[["drop", "b" * 64, "wide", "x" * 201, ""]]), WhyNot.MALFORMED),
        (message(refused=[["drop", "b" * 64, "wide", "", ""]] * (MOST_REFUSED_VERSIONS + 1)), WhyNot.MALFORMED),
        (message(refused=[["drop", "b" * 64, "wide", "", "b"]]), WhyNot.MALFORMED),
        (b"{}", WhyNot.UNSIGNED),
        (b"x" * (MOST_REPORT_OCTETS + 1), WhyNot.TOO_LARGE),
    ],
)
def test_anything_else_is_refused_with_its_reason(octets: bytes, why: WhyNot) -> None:
    verdict = judge(octets)
    assert isinstance(verdict, ReportRefusal)
    assert verdict.why is why


def test_a_retained_message_and_one_of_a_suspended_or_unknown_node_are_refused() -> None:
    verdicts = [
        judge(message(), retained=True),
        *(
            judged_refusals(ReportMessage("node-1", message()), one, FLEET, NOW, is_signed_by)
            for one in (None, replace(CANARY, suspended_at=1.0))
        ),
    ]
    assert [one.why for one in verdicts if isinstance(one, ReportRefusal)] == [
        WhyNot.RETAINED,
        WhyNot.UNKNOWN_NODE,
        WhyNot.SUSPENDED,
    ]


def test_many_refusals_with_long_and_foreign_reasons_fit_into_a_message() -> None:
    many = tuple(
        replace(WIDE, list="l" * 40, reason='"\\' * LONGEST_REASON, base="a" * 64) for _ in range(MOST_REFUSED_VERSIONS + 1)
    )
    octets = message(replace(SAID, refused=many))
    assert len(octets) <= MOST_REPORT_OCTETS
    verdict = judge(octets)
    assert isinstance(verdict, tuple)
    assert len(verdict) == MOST_REFUSED_VERSIONS
    (read,) = read_refusals(refusals_payload(replace(SAID, refused=(replace(WIDE, reason="a\nß"),)))).refused
    assert read.reason == "a??"
