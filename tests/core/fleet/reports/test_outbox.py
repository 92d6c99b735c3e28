"""Which changes of manual bans a node reports."""

from dataclasses import replace

import pytest

from banlistd.core.fleet.reports.outbox import ReportChange, is_over, reported_changes, without_banned
from banlistd.core.manual.manual_bans import read_ban
from banlistd.model import BanKey, ManualBan
from banlistd.scopes.scope import Scope
from support.reporters import lifted, reported

NOW = 1_800_000_000.0
PATTERNS = ("fail2ban/*",)


def none(_: BanKey) -> None:
    """No ban was there before."""


def ban(address: str, seconds: str | None = "10m", origin: str = "fail2ban/sshd") -> ManualBan:
    fields = {"address": address, "origin": origin, **({"for": seconds} if seconds else {})}
    return read_ban(fields).at(NOW)


def test_a_ban_of_a_reported_origin_is_reported() -> None:
    bans = [ban("203.0.113.7"), ban("203.0.113.8", None), ban("203.0.113.9", origin="operator")]
    found = [*reported_changes(bans, (), none, PATTERNS, NOW)]
    assert found == [reported("203.0.113.7", NOW, 600), reported("203.0.113.8", NOW, None)]


def test_without_a_pattern_nothing_is_reported() -> None:
    mine = ban("203.0.113.7")
    assert [*reported_changes([mine], [mine.key], {mine.key: mine}.get, (), NOW)] == []


@pytest.mark.parametrize("address", ["203.0.113.0/24", "2001:db8::/32", "203.0.113.0-203.0.113.1"])
def test_a_ban_wider_than_a_host_is_not_reported(address: str) -> None:
    assert [*reported_changes([ban(address)], (), none, PATTERNS, NOW)] == []


def test_an_ipv6_ban_is_reported_as_its_64() -> None:
    assert [*reported_changes([ban("2001:db8:1:2::/64")], (), none, PATTERNS, NOW)] == [reported("2001:db8:1:2::", NOW)]
    assert [*reported_changes([ban("2001:db8:1:2::77")], (), none, PATTERNS, NOW)] == [reported("2001:db8:1:2::", NOW)]


def test_a_ban_that_waits_for_its_confirmation_and_one_of_some_packets_are_not_reported() -> None:
    unsure = replace(ban("203.0.113.7"), confirm_by=NOW + 60)
    scoped = replace(ban("203.0.113.8"), scope=Scope(ports=((22, 22),)))
    assert [*reported_changes([unsure, scoped], (), none, PATTERNS, NOW)] == []


def test_a_ban_that_is_lifted_is_taken_back_one_that_has_run_out_is_not() -> None:
    mine = ban("203.0.113.7")
    known = {mine.key: mine}.get
    assert [*reported_changes((), [mine.key], known, PATTERNS, NOW + 60)] == [lifted("203.0.113.7")]
    # fail2ban lifts its own bans at their end.
    assert [*reported_changes((), [mine.key], known, PATTERNS, NOW + 570)] == []
    assert [*reported_changes((), [mine.key], known, PATTERNS, NOW + 700)] == []


def test_a_ban_that_has_run_out_need_not_be_sent() -> None:
    assert is_over(reported("203.0.113.7", NOW, 600), NOW + 600)
    assert not is_over(reported("203.0.113.7", NOW, 600), NOW + 599)
    assert not is_over(reported("203.0.113.7", NOW, None), NOW + 10**9)
    assert not is_over(lifted("203.0.113.7"), NOW + 10**9)


def test_a_lifted_ban_is_not_taken_back_while_another_origin_bans_the_address() -> None:
    first = lifted("203.0.113.7")
    others: list[ReportChange] = [lifted("203.0.113.8"), reported("203.0.113.9", NOW)]
    assert without_banned([first, *others], lambda seen: seen == first.address) == others
