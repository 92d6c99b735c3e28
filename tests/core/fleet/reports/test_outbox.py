"""Which changes of manual bans a node reports."""

from dataclasses import replace

import pytest

from banlistd.core.fleet.reports.outbox import ends_again, is_over, reported_bans, reported_ends
from banlistd.core.manual.manual_bans import read_ban
from banlistd.model import ManualBan
from banlistd.scopes.scope import Scope
from support.reporters import lifted, reported

NOW = 1_800_000_000.0
PATTERNS = ("fail2ban/*",)


def ban(address: str, seconds: str | None = "10m", origin: str = "fail2ban/sshd") -> ManualBan:
    fields = {"address": address, "origin": origin, **({"for": seconds} if seconds else {})}
    return read_ban(fields).at(NOW)


def test_a_ban_of_a_reported_origin_is_reported() -> None:
    bans = [ban("203.0.113.7"), ban("203.0.113.8", None), ban("203.0.113.9", origin="operator")]
    found = [*reported_bans(bans, PATTERNS, NOW)]
    assert found == [reported("203.0.113.7", NOW, 600), reported("203.0.113.8", NOW, None)]


def test_without_a_pattern_nothing_is_reported() -> None:
    mine = ban("203.0.113.7")
    assert [*reported_bans([mine], (), NOW), *reported_ends([(mine, NOW)], ())] == []


@pytest.mark.parametrize("address", ["203.0.113.0/24", "2001:db8::/32", "203.0.113.0-203.0.113.1"])
def test_a_ban_wider_than_a_host_is_not_reported(address: str) -> None:
    assert [*reported_bans([ban(address)], PATTERNS, NOW)] == []


def test_an_ipv6_ban_is_reported_as_its_64() -> None:
    assert [*reported_bans([ban("2001:db8:1:2::/64")], PATTERNS, NOW)] == [reported("2001:db8:1:2::", NOW)]
    assert [*reported_bans([ban("2001:db8:1:2::77")], PATTERNS, NOW)] == [reported("2001:db8:1:2::", NOW)]


def test_a_ban_that_waits_for_its_confirmation_and_one_of_some_packets_are_not_reported() -> None:
    unsure = replace(ban("203.0.113.7"), confirm_by=NOW + 60)
    scoped = replace(ban("203.0.113.8"), scope=Scope(ports=((22, 22),)))
    assert [*reported_bans([unsure, scoped], PATTERNS, NOW)] == []


# fail2ban lifts its own bans at their end.
@pytest.mark.parametrize(("later", "is_taken_back"), [(60, True), (539, True), (540, False), (600, False)])
def test_a_ban_that_is_lifted_is_taken_back_one_that_has_run_out_is_not(later: float, *, is_taken_back: bool) -> None:
    found = [*reported_ends([(ban("203.0.113.7"), NOW + later)], PATTERNS)]
    assert found == ([lifted("203.0.113.7")] if is_taken_back else [])


def test_a_ban_is_taken_back_again_unless_a_later_one_has_run_out() -> None:
    def ended(address: str, how: str, after: float = 60, origin: str = "fail2ban/sshd") -> tuple[ManualBan, float, bool]:
        return ban(address, origin=origin), NOW + after, how == lift

    lift, run_out = "lifted", "run out"
    first = [ended("203.0.113.7", lift), ended("203.0.113.7", run_out, 600)]
    # The newest end comes first, and those of origins that are not reported do not count.
    second = [ended("203.0.113.8", run_out, 600), ended("203.0.113.8", lift)]
    third = [ended("203.0.113.9", run_out, 600, "operator"), ended("203.0.113.9", lift), ended("203.0.113.9", lift, 30)]
    assert [*ends_again([*first, *second, *third], PATTERNS)] == [lifted("203.0.113.7"), lifted("203.0.113.9")]


def test_a_ban_that_has_run_out_need_not_be_sent() -> None:
    assert is_over(reported("203.0.113.7", NOW, 600), PATTERNS, NOW + 600)
    assert not is_over(reported("203.0.113.7", NOW, 600), PATTERNS, NOW + 599)
    assert not is_over(reported("203.0.113.7", NOW, None), PATTERNS, NOW + 10**9)
    assert not is_over(lifted("203.0.113.7"), PATTERNS, NOW + 10**9)


def test_a_ban_whose_origin_is_no_longer_reported_is_not_sent_but_its_end_is() -> None:
    assert is_over(reported("203.0.113.7", NOW, 600), ("crowdsec",), NOW)
    assert not is_over(lifted("203.0.113.7"), ("crowdsec",), NOW)
