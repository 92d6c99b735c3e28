"""Orders to ban by hand: read strictly, judged by what may never be banned, made into a content."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.addresses.text import span_text
from banlistd.core.config.model import Config
from banlistd.core.config.sections.allow import AllowEntry
from banlistd.core.manual.manual_bans import (
    OPERATOR,
    BanOrder,
    Exemption,
    UnbanOrder,
    addresses_of,
    exemptions_of,
    exemptions_of_each,
    found_in,
    read_ban,
    read_unban,
    too_wide,
)
from banlistd.core.ruleset.policy import Policy, policy_of
from banlistd.errors import UsageError
from banlistd.model import MANUAL, Family, ManualBan, Mark, Protected

NOW = 1_000_000.0
GATEWAY = Protected(Family.IPV4, int(ip_address("198.51.100.1")), int(ip_address("198.51.100.1")), "gateway")


def policy(*allowed: str) -> Policy:
    entries = tuple(AllowEntry(first=ip_address(text), last=ip_address(text)) for text in allowed)
    return policy_of(Config(allow=entries), {MANUAL: Mark(7)}, NOW)


def order(address: str, **words: str) -> BanOrder:
    return read_ban({"address": address, **words})


def ban(address: str, **words: str) -> ManualBan:
    return order(address, **words).at(NOW)


def test_an_order_says_what_by_whom_for_how_long_and_why() -> None:
    full = order("192.0.2.0/24", **{"for": "10m", "origin": "fail2ban/sshd", "comment": "5 failures"}).at(NOW)
    assert full == ManualBan(Family.IPV4, 0xC0000200, 0xC00002FF, "fail2ban/sshd", "5 failures", NOW, NOW + 600)
    assert order("2001:db8::1").at(NOW) == ManualBan(
        Family.IPV6, int(ip_address("2001:db8::1")), int(ip_address("2001:db8::1")), OPERATOR, "", NOW, None
    )
    assert read_unban({"address": "192.0.2.1-192.0.2.3"}) == UnbanOrder((Family.IPV4, 0xC0000201, 0xC0000203), None)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "address: is missing"),
        ({"address": 7}, "address: is no text"),
        ({"address": "example.net"}, 'address: "example.net" is a name'),
        ({"address": "010.0.0.1"}, "is not an address"),
        ({"address": "192.0.2.5/24"}, "does not begin there"),
        ({"address": "::ffff:192.0.2.1"}, "IPv4-mapped IPv6 address"),
        ({"address": "192.0.2.1\n"}, r'"192.0.2.1\\n" is not an address'),
        ({"address": "192.0.2.1", "for": "0s"}, "shorter than 1s"),
        ({"address": "192.0.2.1", "for": "99999d"}, "longer than 3650d"),
        ({"address": "192.0.2.1", "for": "-1s"}, "is not a duration"),
        ({"address": "192.0.2.1", "for": None}, "for: is missing"),
        ({"address": "192.0.2.1", "origin": ""}, "is not an origin"),
        ({"address": "192.0.2.1", "origin": "a\x1b"}, r'origin: "a\\x1b" is not an origin'),
        ({"address": "192.0.2.1", "origin": "a" * 61}, "is not an origin"),
        ({"address": "192.0.2.1", "comment": "a\nb"}, "comment: .* has line breaks"),
        ({"address": "192.0.2.1", "comment": "a" * 301}, "comment: has 301 characters"),
    ],
)
def test_implausible_ban_is_refused_with_a_reason(fields: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_ban(fields)


@given(st.dictionaries(st.sampled_from(["address", "for", "origin", "comment"]), st.text(max_size=20)))
def test_any_text_is_read_or_refused_in_one_line(fields: dict[str, object]) -> None:
    try:
        line = str(read_ban(fields).seconds)
    except UsageError as error:
        line = str(error)
    assert line.isprintable()


@pytest.mark.parametrize(
    ("address", "wide"),
    [("1.0.0.0/8", False), ("2.0.0.0/7", True), ("0.0.0.0/0", True), ("2000::/12", False), ("2000::/11", True)],
)
def test_half_the_internet_is_refused(address: str, *, wide: bool) -> None:
    assert too_wide(order(address)) is wide


@given(
    st.lists(
        st.one_of(
            st.integers(0xC6336400, 0xC6336403).map(lambda n: (Family.IPV4, n, n)),
            st.sampled_from([0x0A000000, 0xC6336400, 0xC0000200]).map(lambda n: (Family.IPV4, n, n + 255)),
            st.integers(0x20010000 << 96, (0x20010000 << 96) + 3).map(lambda n: (Family.IPV6, n, n)),
            st.sampled_from([0x20020000 << 96, 0x20010DB8 << 96, 0xFC00 << 112]).map(lambda n: (Family.IPV6, n, n + 2**80)),
            st.just((Family.IPV6, *[(0x20010DB8 << 96) + 0x5EFEC6336401] * 2)),
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_many_bans_are_judged_together_as_each_alone(spans: list[tuple[Family, int, int]], allows: bool) -> None:
    bans = [ManualBan(*span, "operator", "", NOW, None) for span in spans]
    rules = policy("198.51.100.1") if allows else policy()
    assert exemptions_of_each(bans, rules, [GATEWAY]) == [exemptions_of(one, rules, [GATEWAY]) for one in bans]


def test_what_is_allowed_protected_or_reserved_cannot_be_banned_and_it_is_said_why() -> None:
    for address, reason in (
        ("192.0.2.9", "allowed"),
        ("198.51.100.1", "gateway"),
        ("10.1.2.3", "private (RFC 1918)"),
        ("fe80::1", "link-local (RFC 4291)"),
    ):
        is_exempt, exemptions = exemptions_of(order(address), policy("192.0.2.9"), [GATEWAY])
        assert is_exempt
        assert [item.reason for item in exemptions] == [reason]


def test_of_a_network_only_what_may_be_banned_is_and_the_rest_is_named() -> None:
    is_exempt, exemptions = exemptions_of(order("198.51.100.0/24"), policy("198.51.100.9"), [GATEWAY])
    assert not is_exempt
    assert exemptions == (Exemption("198.51.100.9", "allowed"), Exemption("198.51.100.1", "gateway"))
    assert exemptions_of(order("203.0.113.7"), policy("192.0.2.9"), [GATEWAY]) == (False, ())


def test_a_gateway_is_free_in_every_form_in_which_it_may_be_written() -> None:
    assert exemptions_of(order("2002:c633:6401::/48"), policy(), [GATEWAY])[0]
    assert exemptions_of(order("64:ff9b::c633:6401"), policy(), [GATEWAY])[0]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("2001:0:102:304:0:1:39cc:9bf6", "allowed"),
        ("2001:db8::5efe:198.51.100.9", "allowed"),
        ("fe80::200:5efe:198.51.100.9", "allowed"),
        ("2001:0:102:304:0:1:39cc:9bfe", "gateway"),
    ],
)
def test_a_teredo_or_isatap_address_of_what_must_not_be_banned_is_exempt(address: str, reason: str) -> None:
    is_exempt, exemptions = exemptions_of(order(address), policy("198.51.100.9"), [GATEWAY])
    assert is_exempt
    assert reason in {item.reason for item in exemptions}


def test_bans_that_overlap_are_one_content() -> None:
    bans = [ban("192.0.2.0/24", origin="a"), ban("192.0.2.7", origin="b"), ban("2001:db8::1"), ban("192.0.2.0/24", origin="c")]
    first, last = from_numbers(Family.IPV4, [0xC0000200]), from_numbers(Family.IPV4, [0xC00002FF])
    six = from_numbers(Family.IPV6, [int(ip_address("2001:db8::1"))])
    assert addresses_of(bans) == AddressSet.of(first, last, six)
    assert addresses_of([]) == AddressSet.none()


@pytest.mark.parametrize("text", ["192.0.2.7", "192.0.2.0/24", "192.0.2.1 - 192.0.2.3", "2001:db8::/32"])
def test_a_ban_is_shown_as_it_would_be_written(text: str) -> None:
    assert span_text(order(text.replace(" ", "")).span) == text


def test_lost_bans_are_recovered_from_the_firewall() -> None:
    by_hand = addresses_of([ban("192.0.2.1"), ban("192.0.2.2"), ban("198.51.100.0/24"), ban("2001:db8::1")])
    listed = addresses_of([ban("198.51.100.0/25"), ban("192.0.2.2")])
    found = found_in({Mark(7): by_hand, Mark(1): listed}, Mark(7), NOW)
    assert [span_text(item.span) for item in found] == ["192.0.2.1", "198.51.100.128/25", "2001:db8::1"]
    assert {(item.origin, item.expires_at) for item in found} == {(OPERATOR, None)}
    # A firewall that knows no owners says of each that it holds all.
    assert not found_in({Mark(7): by_hand, Mark(1): by_hand}, Mark(7), NOW)
    assert not found_in({}, Mark(7), NOW)


@pytest.mark.parametrize("address", ["203.0.113.7", "203.0.113.0/24", "64:ff9b::cb00:7107", "2002:cb00:7107::/48"])
@pytest.mark.parametrize("session", ["203.0.113.7", "::ffff:203.0.113.7"])
def test_a_ban_of_the_own_session_needs_force(address: str, session: str) -> None:
    fields = {"address": address, "session": session}
    with pytest.raises(UsageError, match="your own session") as caught:
        read_ban(fields)
    assert "--force" in caught.value.hint
    assert read_ban({**fields, "force": True}).span == read_ban({"address": address}).span


def test_a_ban_of_another_address_than_that_of_the_own_session_needs_none() -> None:
    for session in ("203.0.113.7", "::ffff:203.0.113.7"):
        assert read_ban({"address": "203.0.113.8", "session": session}) == read_ban({"address": "203.0.113.8"})
    with pytest.raises(UsageError, match="session"):
        read_ban({"address": "203.0.113.8", "session": "nowhere"})
