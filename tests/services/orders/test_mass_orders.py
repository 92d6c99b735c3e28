"""Orders about many addresses: every line is read, or none."""

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from banlistd.errors import UsageError
from banlistd.model import Family
from banlistd.services.orders.mass_orders import read_mass_ban, read_mass_confirm, read_mass_unban


def test_a_line_has_an_address_and_may_have_a_time_and_a_comment() -> None:
    lines = ["# bans", "", "192.0.2.7", "198.51.100.0/24 for 10m seen twice # noted", "203.0.113.1-203.0.113.3 only a comment"]
    read = read_mass_ban({"address": lines, "for": "1h", "origin": "night", "comment": "all"}, 7)
    assert [(one.first, one.last, one.seconds, one.comment, one.origin, one.uid) for one in read.orders] == [
        (0xC0000207, 0xC0000207, 3600, "all", "night", 7),
        (0xC6336400, 0xC63364FF, 600, "seen twice", "night", 7),
        (0xCB007101, 0xCB007103, 3600, "only a comment", "night", 7),
    ]


def test_wrong_lines_are_named_with_their_numbers() -> None:
    lines = ["192.0.2.7", "192.0.2.300", "", "10.0.0.0/4", "192.0.2.1 for 9y", "0.0.0.0/0", *["x"] * 4]
    with pytest.raises(
        UsageError, match=r"^8 lines are wrong, and nothing was changed: line 2: .*line 4: .*; and 3 more"
    ) as found:
        read_mass_ban({"address": lines}, 0)
    assert "line 6:" in found.value.message


def test_the_address_of_the_own_session_is_refused_in_a_network_too() -> None:
    with pytest.raises(UsageError, match=r"line 2: 198.51.100.9 is where your own session comes from") as found:
        read_mass_ban({"address": ["192.0.2.7", "198.51.100.0/24"], "session": "198.51.100.9"}, 0)
    assert found.value.hint == "--force bans it nevertheless"
    assert len(read_mass_ban({"address": ["198.51.100.0/24"], "session": "198.51.100.9", "force": True}, 0).orders) == 1
    several = {"session": "192.0.2.1 2001:db8::1"}
    with pytest.raises(UsageError, match=r"line 1: 2001:db8::1 is where your own session comes from"):
        read_mass_ban({"address": ["2001:db8::/64"], **several}, 0)
    assert len(read_mass_ban({"address": ["2001:db9::/64", "192.0.2.2"], **several}, 0).orders) == 2
    with pytest.raises(UsageError, match="session: "):
        read_mass_ban({"address": ["192.0.2.2"], "session": "192.0.2.1 admin"}, 0)


@pytest.mark.parametrize(
    "line",
    [
        "192.0.2.1 - 192.0.2.9",
        "192.0.2.1 -192.0.2.9",
        "192.0.2.0 /24",
        "192.0.2.0 255.255.255.0",
        "192.0.2.1 192.0.2.2",
        "192.0.2.1 198.51.100.0/24, 203.0.113.0/24",
        "192.0.2.1 for 1h 2001:db8::1",
    ],
)
@pytest.mark.parametrize("read", [read_mass_ban, read_mass_unban, read_mass_confirm])
def test_a_range_with_blanks_or_a_second_address_is_not_taken_for_a_comment(line: str, read: Callable[..., object]) -> None:
    fields = {"address": ["203.0.113.7", line]}
    with pytest.raises(UsageError, match=r"1 line is wrong, and nothing was changed: line 2: .* is no comment"):
        read(fields, 0) if read is read_mass_ban else read(fields)


@pytest.mark.parametrize(
    "comment",
    ["- spam", "-", "5 failures", "a.example asked for it", "/etc/passwd was asked for", "10.000 tries", "3:2", "/24h"],
)
def test_a_comment_may_begin_with_a_number_or_a_sign(comment: str) -> None:
    assert read_mass_ban({"address": [f"192.0.2.1 {comment}"]}, 0).orders[0].comment == comment


@pytest.mark.parametrize("lines", [[], ["", "# nothing"]])
def test_an_order_about_nothing_is_refused(lines: list[str]) -> None:
    with pytest.raises(UsageError, match="no address is given"):
        read_mass_unban({"address": lines})


def test_the_network_of_an_ipv6_address_is_banned_and_found_again() -> None:
    network = int(ip_address("2001:db8:1:2::"))
    span = (Family.IPV6, network, network + (1 << 64) - 1)
    (ban, host) = read_mass_ban({"address": ["2001:db8:1:2::7", "192.0.2.7"], "prefix6": "64"}, 0).orders
    assert ban.span == span
    assert host.first == host.last
    assert read_mass_unban({"address": ["2001:db8:1:2::9"], "prefix6": "64"}).orders[0].span == span
    with pytest.raises(UsageError, match="prefix length"):
        read_mass_ban({"address": ["2001:db8::1"], "prefix6": "12"}, 0)


@pytest.mark.parametrize("comment", ["a\nb", "a\x1b[31mb", "a\rb"])
def test_a_comment_with_control_characters_is_named_by_its_line(comment: str) -> None:
    with pytest.raises(UsageError, match=r"line 2: comment: .* has line breaks or control characters"):
        read_mass_ban({"address": ["192.0.2.1", f"192.0.2.2 for 1h {comment}"]}, 0)
