"""What is protected stays free in every form, and everything else is as it would be without."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.reserved import RESERVED
from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges, from_numbers
from banlistd.core.addresses.text import span_text
from banlistd.core.config.model import Config, Source
from banlistd.core.config.sections.allow import AllowEntry
from banlistd.core.ruleset.plan import plan
from banlistd.core.ruleset.policy import Policy, policy_of
from banlistd.core.ruleset.protection import EMBEDDINGS, ProtectionExclusions, carve, forms, merge_protected, union_by_family
from banlistd.core.ruleset.state import FirewallState
from banlistd.model import (
    MANUAL,
    Action,
    AnswerPort,
    Direction,
    Family,
    Mark,
    PolicyHash,
    Protected,
    SourceId,
    SourceSlot,
    Span,
)

V4, V6 = Family.IPV4, Family.IPV6
ONE, TWO = SourceId("one"), SourceId("two")
NOTHING = {family: Ranges.none(family) for family in FAMILIES}
BASE = PolicyHash("0123456789abcdef")
ROSTER = (
    SourceSlot(Mark(1), ONE, Action.DROP, Direction.BOTH),
    SourceSlot(Mark(2), TWO, Action.LOG, Direction.IN),
)


def family_of(text: str) -> Family:
    return V4 if ip_address(text).version == 4 else V6


def protected(first: str, last: str | None = None, reason: str = "gateway") -> Protected:
    return Protected(family_of(first), int(ip_address(first)), int(ip_address(last or first)), reason)


def listed(*texts: str) -> AddressSet:
    columns = []
    for version, family in ((4, V4), (6, V6)):
        networks = [network for network in map(ip_network, texts) if network.version == version]
        columns += [from_numbers(family, [int(network[at]) for network in networks]) for at in (0, -1)]
    return AddressSet.of(*columns)


def written(span: Span) -> str:
    return span_text(span)


def is_barred(policy: Policy, text: str) -> bool:
    return bool(policy.never_banned[family_of(text)].contains(from_numbers(family_of(text), [int(ip_address(text))]))[0])


EVERYTHING = listed("0.0.0.0/0", "::/0")


def test_ipv4_address_has_five_ipv6_forms() -> None:
    assert [written(form) for form in forms((V4, 0xC0000201, 0xC0000201))] == [
        "192.0.2.1",
        "::192.0.2.1",
        "::ffff:192.0.2.1",
        "::ffff:0:c000:201",
        "64:ff9b::c000:201",
        "2002:c000:201::/48",
    ]


@pytest.mark.parametrize("text", ["::ffff:192.0.2.1", "2002:c000:201::1", "64:ff9b::c000:201"])
def test_a_form_that_also_travels_as_ipv4_protects_the_ipv4_address(text: str) -> None:
    item = protected(text)
    assert "192.0.2.1" in {written(form) for form in forms((item.family, item.first, item.last))}


@pytest.mark.parametrize("text", ["2001:db8::1", "::1", "64:ff9c::c000:201", "fe80::1"])
def test_another_ipv6_address_is_itself_only(text: str) -> None:
    assert forms((V6, int(ip_address(text)), int(ip_address(text)))) == ((V6, int(ip_address(text)), int(ip_address(text))),)


@pytest.mark.parametrize(("first", "bits"), [("64:ff9b::", 96), ("2002::", 16)])
def test_the_network_of_a_translator_protects_nothing_of_ipv4(first: str, bits: int) -> None:
    span = (V6, int(ip_address(first)), int(ip_address(first)) + 2 ** (128 - bits) - 1)
    assert forms(span) == (span,)


def test_unlisted_protected_address_changes_nothing() -> None:
    exclusions = carve(
        [protected("192.0.2.1")], {ONE: listed("192.0.2.0/32", "192.0.2.2/32", "198.51.100.0/24")}, NOTHING, NOTHING
    )
    assert exclusions.is_empty
    assert exclusions.hits == ()
    assert exclusions.policy_hash(BASE) == BASE


def test_hit_names_every_list_with_the_address() -> None:
    contents = {ONE: listed("192.0.2.1/32"), TWO: listed("2002:c000::/24")}
    (hit,) = carve([protected("198.51.100.1"), protected("192.0.2.1")], contents, NOTHING, NOTHING).hits
    assert (hit.protected.reason, hit.sources, hit.carved) == ("gateway", (ONE, TWO), True)


def test_only_listed_addresses_are_carved_out() -> None:
    exclusions = carve(
        [protected("192.0.2.0", "192.0.2.255")], {ONE: listed("192.0.2.7/32", "192.0.2.128/25")}, NOTHING, NOTHING
    )
    assert [
        written((V4, int(a), int(b))) for a, b in zip(exclusions.ranges[V4].first, exclusions.ranges[V4].last, strict=True)
    ] == [
        "192.0.2.7",
        "192.0.2.128/25",
    ]
    assert not len(exclusions.ranges[V6])


def test_address_free_for_another_reason_is_reported_but_not_carved_out() -> None:
    never_banned = {V4: listed("10.0.0.0/8").ranges(V4), V6: Ranges.none(V6)}
    exclusions = carve([protected("10.0.0.1")], {ONE: listed("10.0.0.0/8")}, never_banned, NOTHING)
    assert exclusions.is_empty
    (hit,) = exclusions.hits
    assert (hit.sources, hit.carved) == ((ONE,), False)


def listed_forms(prefix: str) -> AddressSet:
    """Of 192.0.2.1 and 192.0.2.2, with this prefix of 96 bits; Teredo inverts them."""
    above = int(ip_address(prefix))
    lows = [0xC0000201, 0xC0000202]
    return listed(*(str(ip_address(above | (low ^ 0xFFFF_FFFF if prefix.startswith("2001:0:") else low))) for low in lows))


TEREDO, ISATAP = "2001:0:102:304:0:1::", ("2001:db8:7::5efe:0:0", "2001:db8:7::200:5efe:0:0")


@pytest.mark.parametrize("prefix", [TEREDO, *ISATAP])
def test_teredo_and_isatap_addresses_of_an_allowed_address_come_out_of_a_list(prefix: str) -> None:
    content = listed_forms(prefix)
    exclusions = carve([], {ONE: content}, NOTHING, {**NOTHING, V4: listed("192.0.2.2/32").ranges(V4)})
    left = held({ONE: content}, exclusions, NOTHING)
    owned = [entries.first for entries in left.map_entries.values() if len(entries)]
    kept = content.hosts6[:1] if prefix != TEREDO else content.hosts6[1:]
    assert [column.tolist() for column in owned] == [kept.tolist()] * 2
    assert exclusions.hits == ()
    assert exclusions.policy_hash(BASE) != BASE


def test_a_teredo_address_of_a_protected_address_comes_out_and_is_a_hit() -> None:
    content = listed_forms(TEREDO)
    for text in ("192.0.2.1", "2002:c000:201::7"):
        exclusions = carve([protected(text)], {ONE: content}, NOTHING, NOTHING)
        assert exclusions.ranges[V6].first.tolist() == content.hosts6[1:].tolist()
        assert [(hit.sources, hit.carved) for hit in exclusions.hits] == [((ONE,), True)]


def test_a_manual_ban_of_a_teredo_address_overrides_learned_protection() -> None:
    content = listed_forms(TEREDO)
    assert carve([learned(protected("192.0.2.1"))], {MANUAL: content, ONE: content}, NOTHING, NOTHING).is_empty


@pytest.mark.parametrize("prefix", ISATAP)
def test_a_stranger_is_not_spared_for_a_protected_address_in_its_interface_identifier(prefix: str) -> None:
    exclusions = carve([protected("192.0.2.1")], {ONE: listed_forms(prefix)}, NOTHING, NOTHING)
    assert exclusions.is_empty
    assert exclusions.hits == ()


def test_the_hash_depends_on_what_is_carved_and_not_on_what_is_protected() -> None:
    contents = {ONE: listed("192.0.2.0/24")}
    gateway = carve([protected("192.0.2.1")], contents, NOTHING, NOTHING).policy_hash(BASE)
    assert gateway != BASE
    more = [protected("198.51.100.1"), protected("192.0.2.1", reason="resolver")]
    assert gateway == carve(more, contents, NOTHING, NOTHING).policy_hash(BASE)
    assert gateway != carve([protected("192.0.2.2")], contents, NOTHING, NOTHING).policy_hash(BASE)


@pytest.mark.parametrize("network", [text for text in RESERVED if "." in text])
def test_reserved_ipv4_space_is_barred_where_ipv6_embeds_it(network: str) -> None:
    policy = policy_of(Config(), {}, 0.0)
    first, last = ip_network(network)[0], ip_network(network)[-1]
    for address in (first, last):
        site = f"2002:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}"
        forms_of = (f"::{address}", f"::ffff:{address}", f"::ffff:0:{address}", f"64:ff9b::{address}")
        for text in (*forms_of, f"{site}::", f"{site}:ffff::1"):
            assert is_barred(policy, text), text


def test_an_allowed_network_is_barred_where_ipv6_embeds_it_and_its_neighbours_are_not() -> None:
    allow = AllowEntry(first=ip_address("192.0.2.0"), last=ip_address("192.0.2.255"))
    source = Source(id=ONE, url="https://lists.example/")
    policy = policy_of(Config(sources=(source,), allow=(allow,)), {ONE: Mark(1)}, 0.0)
    embedded = ("64:ff9b::192.0.2.7", "::ffff:192.0.2.7", "::ffff:0:192.0.2.7", "::192.0.2.7")
    for text in ("192.0.2.7", "2002:c000:207::7", *embedded):
        assert is_barred(policy, text), text
    for text in ("192.0.3.0", "2002:c000:300::", "64:ff9b::192.0.3.0", "2002:c000:1ff:ffff::", "8.8.8.8", "2001:db8::1"):
        assert not is_barred(policy, text), text


# A small world: public IPv4 addresses side by side, and everything that embeds them.
LOWEST = int(ip_address("192.0.2.0"))
PLACES = st.integers(0, 20)
FORMS: Sequence[tuple[Family, int, int]] = ((V4, 0, 0), *((V6, above, below) for above, below in EMBEDDINGS.values()))


def spanned(form: tuple[Family, int, int], first: int, more: int) -> Span:
    family, above, below = form
    return family, above | LOWEST + first << below, above | LOWEST + first + more << below | ((1 << below) - 1)


spans = st.builds(spanned, st.sampled_from(FORMS), PLACES, st.integers(0, 5))
items = spans.map(lambda span: Protected(*span, reason="gateway"))


def content_of(chosen: Sequence[Span]) -> AddressSet:
    columns = []
    for family in FAMILIES:
        ends = [(first, last) for kind, first, last in chosen if kind is family]
        columns += [from_numbers(family, [span[at] for span in ends]) for at in (0, 1)]
    return AddressSet.of(*columns)


def held(
    contents: Mapping[SourceId, AddressSet], exclusions: ProtectionExclusions, never_banned: Mapping[Family, Ranges]
) -> FirewallState:
    return plan(ROSTER, contents, NOTHING, union_by_family(never_banned, exclusions.ranges), [])


def probes() -> Iterator[tuple[Family, int]]:
    for place in range(-1, 28):
        for family, above, below in FORMS:
            first = above | LOWEST + place << below
            yield from {(family, first), (family, first | ((1 << below) - 1))}


@given(st.lists(items, max_size=4), st.lists(spans, max_size=5), st.lists(spans, max_size=5), st.lists(spans, max_size=2))
def test_nothing_protected_is_owned_and_everything_else_is_as_without(
    kept: list[Protected], one: list[Span], two: list[Span], free: list[Span]
) -> None:
    contents = {ONE: content_of(one), TWO: content_of(two)}
    never_banned = {family: content_of(free).ranges(family) for family in FAMILIES}
    exclusions = carve(kept, contents, never_banned, NOTHING)
    without, present = held(contents, ProtectionExclusions.none(), never_banned), held(contents, exclusions, never_banned)
    safe = [form for item in kept for form in forms((item.family, item.first, item.last))]
    for family, number in probes():
        needle = from_numbers(family, [number])
        is_safe = any(kind is family and first <= number <= last for kind, first, last in safe)
        for map_id in (map_id for map_id in present.map_entries if map_id.family is family):
            expected = None if is_safe else without.map_entries[map_id].owner_of(needle)
            assert present.map_entries[map_id].owner_of(needle) == expected
    assert exclusions.is_empty == (exclusions.policy_hash(BASE) == BASE)
    assert any(hit.carved for hit in exclusions.hits) != exclusions.is_empty


@given(st.lists(items, max_size=5))
def test_list_of_everything_leaves_protected_addresses_free(kept: list[Protected]) -> None:
    present = held({ONE: EVERYTHING}, carve(kept, {ONE: EVERYTHING}, NOTHING, NOTHING), NOTHING)
    for item in kept:
        for family, first, last in forms((item.family, item.first, item.last)):
            for number in (first, last, (first + last) // 2):
                needle = from_numbers(family, [number])
                assert {
                    map_entries.owner_of(needle) for key, map_entries in present.map_entries.items() if key.family is family
                } == {None}


def learned(item: Protected) -> Protected:
    return dataclasses.replace(item, learned=True)


def test_a_manual_ban_overrides_learned_protection_in_every_list() -> None:
    contents = {MANUAL: listed("192.0.2.1/32"), ONE: listed("192.0.2.0/24")}
    exclusions = carve([learned(protected("192.0.2.1")), learned(protected("192.0.2.2"))], contents, NOTHING, NOTHING)
    assert [(hit.carved, hit.overridden) for hit in exclusions.hits] == [(False, True), (True, False)]
    assert label_of_v4(exclusions) == ["192.0.2.2"]


def test_a_manual_ban_overrides_no_address_gateway_or_network_of_the_host() -> None:
    contents = {MANUAL: listed("192.0.2.0/24"), ONE: listed("192.0.2.0/24")}
    exclusions = carve([protected("192.0.2.1")], contents, NOTHING, NOTHING)
    assert label_of_v4(exclusions) == ["192.0.2.1"]
    assert [hit.overridden for hit in exclusions.hits] == [False]


def test_a_manual_ban_of_what_is_allowed_overrides_no_protection() -> None:
    contents = {MANUAL: listed("192.0.2.1/32"), ONE: listed("192.0.2.0/24")}
    allowed = {**NOTHING, V4: contents[MANUAL].ranges(V4)}
    (hit,) = carve([learned(protected("192.0.2.1"))], contents, allowed, NOTHING).hits
    assert (hit.carved, hit.overridden) == (False, False)


def test_a_manual_ban_of_a_part_overrides_that_part_of_a_learned_range() -> None:
    contents = {MANUAL: listed("192.0.2.4/30"), ONE: listed("192.0.2.0/29")}
    assert label_of_v4(carve([learned(protected("192.0.2.0", "192.0.2.7"))], contents, NOTHING, NOTHING)) == ["192.0.2.0/30"]


def resolver(text: str) -> Protected:
    return dataclasses.replace(learned(protected(text, reason="resolver")), answers=(AnswerPort("udp", 53),))


def passing(exclusions: ProtectionExclusions) -> list[str]:
    return [
        f"{written((family, number, number))} {service.protocol} {service.port}"
        for family, number, service in exclusions.answers
    ]


def test_an_address_that_is_needed_for_answers_stays_banned_and_its_answers_pass() -> None:
    exclusions = carve([resolver("192.0.2.53"), resolver("198.51.100.53")], {ONE: listed("192.0.2.0/24")}, NOTHING, NOTHING)
    assert not any(len(ranges) for ranges in exclusions.ranges.values())
    assert [line for line in passing(exclusions) if "." in line.split(" ", maxsplit=1)[0]][:1] == ["192.0.2.53 udp 53"]
    assert {line.split(" ", maxsplit=1)[1] for line in passing(exclusions)} == {"udp 53", "icmpv6 34560", "icmpv6 34816"}
    assert [(hit.protected.reason, hit.carved) for hit in exclusions.hits] == [("resolver", True)]


def test_answers_pass_in_each_form_that_is_one_address() -> None:
    (nat64,) = [form for form in forms((V4, 0xC0000235, 0xC0000235)) if written(form).startswith("64:")]
    lines = passing(carve([resolver("192.0.2.53")], {ONE: listed("64:ff9b::/96")}, NOTHING, NOTHING))
    assert {"192.0.2.53 udp 53", f"{written(nat64)} udp 53"} <= {*lines}
    assert not any(line.startswith("2002:") for line in lines)


def test_a_neighbour_that_answers_over_ipv6_can_be_found() -> None:
    lines = passing(carve([resolver("2001:db8::53")], {ONE: listed("2001:db8::/32")}, NOTHING, NOTHING))
    assert lines == ["2001:db8::53 icmpv6 34560", "2001:db8::53 icmpv6 34816", "2001:db8::53 udp 53"]


def test_answers_are_in_the_hash() -> None:
    contents = {ONE: listed("192.0.2.0/24")}
    one = carve([resolver("192.0.2.53")], contents, NOTHING, NOTHING).policy_hash(BASE)
    other = dataclasses.replace(resolver("192.0.2.53"), answers=(AnswerPort("udp", 54),))
    assert len({BASE, one, carve([other], contents, NOTHING, NOTHING).policy_hash(BASE)}) == 3


def test_answers_of_an_address_that_is_banned_manually_or_free_anyway_do_not_pass() -> None:
    contents = {MANUAL: listed("192.0.2.53/32"), ONE: listed("192.0.2.0/24")}
    assert carve([resolver("192.0.2.53")], contents, NOTHING, NOTHING).is_empty
    allowed = {V4: listed("192.0.2.0/24").ranges(V4), V6: Ranges.none(V6)}
    assert carve([resolver("192.0.2.53")], contents, allowed, NOTHING).is_empty


def test_an_address_that_is_protected_wholly_as_well_is_carved_out() -> None:
    items = merge_protected([resolver("192.0.2.1"), protected("192.0.2.1")])
    exclusions = carve(items, {ONE: listed("192.0.2.0/24")}, NOTHING, NOTHING)
    assert label_of_v4(exclusions) == ["192.0.2.1"]
    assert not exclusions.answers


def label_of_v4(exclusions: ProtectionExclusions) -> list[str]:
    ranges = exclusions.ranges[V4]
    return [written((V4, int(a), int(b))) for a, b in zip(ranges.first, ranges.last, strict=True)]


def test_two_reasons_for_a_range_ask_for_as_much_and_as_long_as_either() -> None:
    dns, ntp = AnswerPort("udp", 53), AnswerPort("udp", 123)
    host = protected("192.0.2.1")
    server = Protected(*host.span, "resolver", learned=True, answers=(dns,))
    clock = Protected(*host.span, "time server", learned=True, answers=(ntp,))
    login = Protected(*host.span, "earlier remote session", learned=True, since=1.0, until=9.0)
    (both,) = merge_protected([server, clock])
    assert both == Protected(*host.span, "resolver, time server", learned=True, answers=(dns, ntp))
    (three,) = merge_protected([login, server, clock])
    assert (three.answers, three.since, three.until, three.learned) == ((), 1.0, None, True)
    (with_host,) = merge_protected([login, host])
    assert (with_host.learned, with_host.reason) == (False, "earlier remote session, gateway")
    other = protected("192.0.2.2")
    assert merge_protected([other, host, protected("2001:db8::1")])[:2] == (host, other)
