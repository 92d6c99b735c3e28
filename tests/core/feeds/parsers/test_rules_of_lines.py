"""Rules of routers that take several lines each: who is denied is banned, and nobody else."""

import pytest

from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.commands.rules_of_lines import rules_as_lines
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Family

_VYOS = """\
set firewall ipv4 name WAN default-action 'accept'
set firewall ipv4 name WAN rule 10 action 'drop'
set firewall ipv4 name WAN rule 10 description 'scanner'
set firewall ipv4 name WAN rule 10 source address '198.51.100.7'
set firewall ipv4 name WAN rule 20 source address 203.0.113.0/24
set firewall ipv4 name WAN rule 20 action reject
"""
_JUNOS = """\
set firewall family inet filter edge term bad from source-address 198.51.100.7/32
set firewall family inet filter edge term bad from source-address 203.0.113.0/24
set firewall family inet filter edge term bad then count bad
set firewall family inet filter edge term bad then discard
"""


def _banned(body: str, kind: FormatType = FormatType.AUTO) -> list[tuple[int, int]]:
    try:
        held = parse(body.encode(), Format(kind)).addresses.ranges(Family.IPV4)
    except ParseError:
        return []
    return list(zip(held.first.tolist(), held.last.tolist(), strict=True))


_BOTH = [(0xC6336407, 0xC6336407), (0xCB007100, 0xCB0071FF)]


@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.PLAIN])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("rules", [_VYOS, _JUNOS], ids=["VyOS", "Junos"])
def test_who_is_denied_in_several_lines_is_banned(rules: str, end: str, kind: FormatType) -> None:
    assert _banned(rules.replace("\n", end), kind) == _BOTH


@pytest.mark.parametrize("rules", [_VYOS, _JUNOS], ids=["VyOS", "Junos"])
def test_rules_may_stand_among_groups_in_any_order(rules: str) -> None:
    lines = ["set firewall group address-group BLK address 192.0.2.77", *reversed(rules.splitlines())]
    assert _banned("\n".join(lines)) == [(0xC000024D, 0xC000024D), *_BOTH]


@pytest.mark.parametrize(
    "more",
    [
        "set firewall ipv4 name WAN rule 10 disable",
        "set firewall ipv4 name WAN rule 10 action 'accept'",
        "set firewall ipv4 name WAN rule 10 source address '!198.51.100.9'",
        "set firewall ipv4 name WAN rule 10 source group address-group LAN",
        "set firewall ipv4 name WAN rule 10 destination address 192.0.2.1",
    ],
)
def test_a_rule_that_is_off_or_says_more_bans_nothing(more: str) -> None:
    assert (0xC6336407, 0xC6336407) not in _banned(f"{_VYOS}{more}\n", FormatType.PLAIN)


def test_a_term_with_an_exception_bans_nothing() -> None:
    more = "set firewall family inet filter edge term bad from source-address 203.0.113.9/32 except"
    assert _banned(f"{_JUNOS}{more}\n", FormatType.PLAIN) == []


def test_who_is_allowed_without_a_condition_is_not_banned_elsewhere() -> None:
    allowed = "set firewall ipv4 name WAN rule 5 source address 203.0.113.9\nset firewall ipv4 name WAN rule 5 action accept\n"
    assert _banned(_VYOS + allowed) == [_BOTH[0], (0xCB007100, 0xCB007108), (0xCB00710A, 0xCB0071FF)]
    some = "set firewall ipv4 name WAN rule 5 destination port 443\n"
    assert _banned(_VYOS + allowed + some) == _BOTH


def test_a_line_stays_a_line() -> None:
    assert rules_as_lines(_VYOS.encode()).count(b"\n") == _VYOS.count("\n")
    assert rules_as_lines(b"set a rule 1\nx") == b"set a rule 1\nx"
