"""Which reports are refused, and why, and which of their entries count."""

import ipaddress
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.addresses.sets import Ranges, from_numbers
from banlistd.core.fleet.reports.addresses import Exempt, address_text, as_set, reported_address, written
from banlistd.core.fleet.reports.judging import (
    ReportMessage,
    ReportRefusal,
    SortedOut,
    WhyNot,
    judged_report,
    sorted_out,
)
from banlistd.core.fleet.reports.quota import MOST_NEW, Quota
from banlistd.core.fleet.reports.report import (
    MOST_ENTRIES,
    MOST_REPORT_OCTETS,
    REPORT_TYPE,
    NodeReport,
    most_that_fit,
    read_report,
    report_payload,
)
from banlistd.core.mqtt.orders.envelope import ORDER_TYPE
from banlistd.model import Family
from support.reporters import FLEET, lifted, message_of, node, report, reported, signer

NOW = 1_800_000_000.5
PUBLIC = Exempt(reserved_ranges())
BAN = reported("203.0.113.7", NOW)


def judge(octets: bytes, known: Any = None, *, now: float = NOW, name: str = "node-1", retained: bool = False) -> Any:
    return judged_report(ReportMessage(name, octets, retained), node() if known is None else known, FLEET, now, is_signed_by)


def why(octets: bytes, known: Any = None, **settings: Any) -> WhyNot:
    refusal = judge(octets, known, **settings)
    assert isinstance(refusal, ReportRefusal), refusal
    return refusal.why


def signed(**changed: object) -> bytes:
    """A report with some of its keys changed."""
    document = json.loads(report_payload(report(NOW, BAN)))
    return signer("node-1").signed(json.dumps({**document, **changed}).encode(), REPORT_TYPE)


def test_a_signed_report_of_an_admitted_node_is_taken() -> None:
    made = report(NOW, BAN, lifted("2001:db8::1"))
    assert judge(message_of(made)) == made


@pytest.mark.parametrize(
    ("octets", "wanted"),
    [
        (b"PRESS", WhyNot.MALFORMED),
        (b"{}", WhyNot.UNSIGNED),
        (b" " * (MOST_REPORT_OCTETS + 1), WhyNot.TOO_LARGE),
        (message_of(report(NOW, BAN), signer("node-2")), WhyNot.WRONG_KEY),
        (signer("node-1").signed(report_payload(report(NOW, BAN)), ORDER_TYPE), WhyNot.MALFORMED),
        (signed(v=2), WhyNot.MALFORMED),
        (signed(v=True), WhyNot.MALFORMED),
        (signed(more=1), WhyNot.MALFORMED),
        (signed(fleet="other"), WhyNot.WRONG_NODE),
        (signed(node="node-2"), WhyNot.WRONG_NODE),
        (signed(boot=-1), WhyNot.MALFORMED),
        (signed(seq=1.0), WhyNot.MALFORMED),
        (signed(iat=10**20), WhyNot.MALFORMED),
        (signed(iat=int(NOW) + 302), WhyNot.EARLY),
        (signed(iat=int(NOW) - 3901), WhyNot.LATE),
        (signed(bans=[["203.0.113.0/24", 1, 1, "a"]]), WhyNot.MALFORMED),
        (signed(bans=[["203.0.113.1-203.0.113.9", 1, 1, "a"]]), WhyNot.MALFORMED),
        (signed(bans=[["010.0.0.1", 1, 1, "a"]]), WhyNot.MALFORMED),
        (signed(bans=[["fe80::1%eth0", 1, 1, "a"]]), WhyNot.MALFORMED),
        (signed(bans=[[3405803783, 1, 1, "a"]]), WhyNot.MALFORMED),
        (signed(bans=[["203.0.113.1", 1, -1, "a"]]), WhyNot.MALFORMED),
        (signed(bans=[["203.0.113.1", 1, 1, "a\nb"]]), WhyNot.MALFORMED),
        (signed(bans=[["203.0.113.1", 1, 1]]), WhyNot.MALFORMED),
        (signed(lifted=["203.0.113.1"]), WhyNot.MALFORMED),
        (signed(lifted={}), WhyNot.MALFORMED),
        (signed(bans=[["203.0.113.1", 1, 1, "a"]] * (MOST_ENTRIES + 1)), WhyNot.MALFORMED),
    ],
)
def test_what_is_no_report_of_this_node_is_refused(octets: bytes, wanted: WhyNot) -> None:
    assert why(octets) is wanted


def test_a_node_that_is_not_admitted_or_suspended_is_refused_before_its_signature_is_checked() -> None:
    message = ReportMessage("node-9", b"x")
    refusal = judged_report(message, None, FLEET, NOW, lambda *_: pytest.fail("checked"))
    assert isinstance(refusal, ReportRefusal)
    assert refusal.why is WhyNot.UNKNOWN_NODE
    assert why(message_of(report(NOW, BAN)), replace(node(), suspended_at=1.0)) is WhyNot.SUSPENDED


def test_a_retained_report_is_refused() -> None:
    assert why(message_of(report(NOW, BAN)), retained=True) is WhyNot.RETAINED


@given(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_a_report_counts_only_after_the_newest_one(before: tuple[int, int], then: tuple[int, int]) -> None:
    known = replace(node(), boot=before[0], seq=before[1])
    made = report(NOW, BAN, boot=then[0], seq=then[1])
    found = judge(message_of(made), known)
    assert (found == made) == (then > before)
    if then <= before:
        assert found.why is WhyNot.REPLAYED


def sort(made: NodeReport, **changed: Any) -> SortedOut:
    return sorted_out(made, **{"key": b"k" * 32, "exempt": PUBLIC, "of_nodes": (), "now": NOW, **changed})


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "127.0.0.1", "192.168.1.1", "224.0.0.1", "fe80::1", "fc00::1", "::1", "::ffff:203.0.113.7", "4000::1"],
)
def test_an_address_that_is_not_public_does_not_count(address: str) -> None:
    found = sort(report(NOW, reported(address, NOW), BAN))
    assert found.bans == (BAN,)
    assert found.left_out == {WhyNot.EXEMPT: 1}


@pytest.mark.parametrize(("allowed", "address"), [("203.0.113.7", "203.0.113.7"), ("2001:db8:1:2::5", "2001:db8:1:2::9")])
def test_what_is_allowed_at_the_hub_does_not_count_nor_a_64_around_it(allowed: str, address: str) -> None:
    ranges = dict(reserved_ranges())
    number = ipaddress.ip_address(allowed)
    family = Family.IPV4 if number.version == 4 else Family.IPV6
    single = from_numbers(family, [int(number)])
    ranges[family] = Ranges(family, single, single)
    assert sort(report(NOW, reported(address, NOW)), exempt=Exempt(ranges)).left_out == {WhyNot.EXEMPT: 1}


def test_own_addresses_of_nodes_and_bans_that_are_over_do_not_count() -> None:
    made = report(NOW, BAN, reported("203.0.113.8", NOW - 700, 600), reported("203.0.113.9", NOW, None))
    found = sort(made, of_nodes={reported_address("203.0.113.7")})
    assert [address_text(ban.address) for ban in found.bans] == ["203.0.113.9"]
    assert found.left_out == {WhyNot.OF_A_NODE: 1, WhyNot.OVER: 1}


def test_a_ban_that_matters_no_more_does_not_count_however_long_it_lasts() -> None:
    old, young = reported("203.0.113.8", NOW - 102, None), reported("203.0.113.9", NOW - 99, None)
    found = sort(report(NOW, old, young), kept=100.0)
    assert (found.bans, found.left_out) == ((young,), {WhyNot.OVER: 1})


def test_a_moment_ahead_counts_as_now() -> None:
    (ban,) = sort(report(NOW, reported("203.0.113.7", NOW + 250))).bans
    assert ban.at == int(NOW)


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 700)), max_size=80))
def test_never_more_new_addresses_than_the_quota_within_any_hour(wants: list[tuple[int, int]]) -> None:
    quota, now, taken = Quota(), 1_800_000_000, []
    for later, want in wants:
        now += later
        got = min(want, quota.left(now))
        quota = Quota.of_text(quota.with_new(got, now).text)
        taken.append((now, got))
    for moment, _ in taken:
        assert sum(count for at, count in taken if moment - 3600 < at <= moment) <= MOST_NEW
    assert quota.left(now + 3661) == MOST_NEW


def test_what_was_spent_while_the_clock_was_hours_ahead_is_forgiven_and_no_sooner() -> None:
    now = 1_800_000_000.0
    spent = Quota().with_new(MOST_NEW, now)
    assert [spent.left(now - back) for back in (0, 3000, 3700, 10 * 365 * 86_400)] == [0, 0, MOST_NEW, MOST_NEW]
    assert spent.with_new(1, now - 4000).left(now - 4000) == MOST_NEW - 1


ORIGINS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60)
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
ENTRIES = st.lists(
    st.one_of(
        st.builds(reported, ADDRESSES, st.integers(0, 2**35), st.one_of(st.none(), st.integers(0, 2**33)), ORIGINS),
        st.builds(lifted, ADDRESSES, ORIGINS),
    ),
    max_size=20,
)


@given(ENTRIES)
def test_a_report_is_read_as_it_was_written(entries: list[Any]) -> None:
    made = report(NOW, *entries)
    assert read_report(report_payload(made)) == made


@given(ENTRIES)
def test_as_many_changes_go_into_a_message_as_fit(entries: list[Any]) -> None:
    changes = (entries * 700)[:700]
    fits = most_that_fit(changes)
    assert list(fits) == changes[: len(fits)]
    assert len(fits) > 200 or not entries
    made = report(NOW, *fits)
    assert len(message_of(made)) <= MOST_REPORT_OCTETS
    assert read_report(report_payload(made)) == made


@given(st.binary(max_size=300))
def test_any_octets_are_a_report_or_a_refusal(octets: bytes) -> None:
    assert isinstance(judge(octets), ReportRefusal)
    assert isinstance(judge(signer("node-1").signed(octets, REPORT_TYPE)), ReportRefusal)


@given(st.lists(ADDRESSES, max_size=20))
def test_addresses_become_a_list_of_hosts_and_of_64s(texts: list[str]) -> None:
    seen = {reported_address(text) for text in texts}
    content = as_set(seen)
    assert all(reported_address(written(one)) == one for one in seen)
    assert len(content.hosts4) == sum(len(one) == 4 for one in seen)
    assert content.ranges(content.nets6.family).count() == sum(len(one) == 8 for one in seen) << 64
