"""What does not reach the firewall, and with which words."""

import tracemalloc
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banlistd.core.addresses.everything_else import everything_else
from banlistd.core.addresses.normal_form import normal_form_fault
from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.addresses.sets import FAMILIES, AddressSet, from_numbers, to_number
from banlistd.core.config.keys import read_section
from banlistd.core.config.model import Source
from banlistd.core.config.problems import Document, Spot
from banlistd.core.config.sections.block import Only
from banlistd.core.config.sections.guards import Guards
from banlistd.core.config.sections.pages import Pages
from banlistd.core.feeds.evaluate import Reading, evaluate, fetch_key_of
from banlistd.core.feeds.extent import AcceptedSizes
from banlistd.core.feeds.judgement import MANY, judge
from banlistd.core.feeds.parsed_list import ParsedList
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.quarantine import held_back
from banlistd.core.feeds.reading.whole_list import parsed_list
from banlistd.core.feeds.samples import Sample
from banlistd.formats import Format, FormatType
from banlistd.model import Family, Refusal, SourceId
from support import guarding
from support.data import DATA, needs_data
from support.guarding import NOTHING_ALLOWED, NOTHING_KNOWN, refuse

BASE = IPv4Address("203.0.112.0")
STRICT = Source(id=SourceId("feed"), url="https://lists.example/")
LOOSE = Source(id=SourceId("feed"), url="https://lists.example/", guards=Guards(shrink=1.0))
LENIENT = Source(id=SourceId("feed"), url="https://lists.example/", allow_empty=True)


def refused(body: bytes, source: Source = STRICT) -> Refusal | None:
    return refuse(source, parsed_list(body, Format()))


@pytest.mark.parametrize(
    "body",
    [
        b"192.0.2.1\n",
        b"192.0.2.0/24\n# a remark\n\n; another\n",
        b"2001:db8::/32\n",
        b"192.0.2.1\nhello\n",  # as many good lines as bad ones
        b"192.0.2.1\n10.0.0.1\n",  # the private one is taken out by the plan
    ],
)
def test_a_list_passes(body: bytes) -> None:
    assert refused(body) is None


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html><body>Please log in. Your address: 203.0.113.9</body></html>",
        b"\n\n  <HTML><head></head></HTML>",
        b"\xef\xbb\xbf<!doctype html><p>203.0.113.9</p>",
    ],
    ids=["doctype", "upper case", "byte order mark"],
)
@pytest.mark.parametrize("source", [STRICT, LENIENT], ids=["strict", "lenient"])
def test_a_web_page_is_no_list_even_where_a_list_may_be_empty(body: bytes, source: Source) -> None:
    refusal = refused(body, source)
    assert refusal
    assert refusal.guard == "html"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>\n<head><title>404 Not Found</title></head>\n</html>\n", ": 404 Not Found"),
        (b"<html>\n<p>Please log in.\n", ": <html>"),
    ],
)
def test_a_web_page_is_refused_with_its_title_or_first_line_unless_that_may_be_a_secret(body: bytes, words: str) -> None:
    open_source, secret = refused(body), refused(body, replace(STRICT, url="https://lists.example/?key=${credential:key}"))
    assert open_source
    assert secret
    assert open_source.reason == f"the answer is a web page, not a list{words}"
    assert secret.reason == "the answer is a web page, not a list"


@pytest.mark.parametrize("body", [b"", b"\n\n", b"# nothing today\n"], ids=["no bytes", "blank", "a remark"])
def test_an_empty_list_passes_only_where_it_may(body: bytes) -> None:
    refusal = refused(body)
    assert refusal
    assert refusal.guard == "empty"
    assert "allow_empty" in refusal.reason
    assert refused(body, LENIENT) is None


@pytest.mark.parametrize("source", [STRICT, LENIENT], ids=["strict", "lenient"])
def test_a_body_of_which_most_lines_are_no_addresses_is_refused(source: Source) -> None:
    refusal = refused(b"error code: 520\nplease come again\n192.0.2.1\n", source)
    assert refusal
    assert refusal.guard == "unparseable"
    assert "line 1: error code: 520" in refusal.reason


@pytest.mark.parametrize(
    "settings",
    [
        {"headers": {"Authorization": "Bearer ${credential:TOKEN}"}},
        {"headers": {"X-Api-Key": "typed in clear"}},
        {"url": "https://user:${credential:pw}@lists.example/"},
        {"url": "https://lists.example/?key=typed"},
    ],
)
def test_no_text_of_a_list_is_quoted_whose_server_may_echo_a_secret(settings: dict[str, Any]) -> None:
    refusal = refused(b"error: key S3CR3T has expired\n", replace(STRICT, **settings))
    assert refusal
    assert refusal.reason == "1 line holds no address and only 0 do, the first is line 1"


def test_reason_has_no_control_characters_of_the_list() -> None:
    refusal = refused(b"\x1b[2Jboo\r\nhoo\x00\n")
    assert refusal
    assert refusal.reason.isprintable()


# Compared with the last good list


def hosts(number: int) -> bytes:
    return b"".join(b"198.51.%d.%d\n" % divmod(index, 256) for index in range(number))


def guarded(**written: object) -> Source:
    """The source with guards as a file has them."""
    guards = read_section(Guards, written, Spot(Document("banlistd.yaml"), []))
    assert guards
    return replace(STRICT, guards=guards)


def after(before: bytes, body: bytes, source: Source = STRICT) -> str:
    """The guard that refuses `body` after `before`, or an empty string."""
    refusal = refuse(source, parsed_list(body, Format()), guarding.after(parse(before).addresses))
    return refusal.guard if refusal else ""


@pytest.mark.parametrize(
    ("before", "now", "guard"),
    [
        (100, 50, ""),
        (100, 49, "shrunk"),
        (100, 400, ""),
        (100, 401, "grown"),
        (19, 1, ""),  # a handful of entries may become what it likes
        (19, 5000, ""),
        (20, 9, "shrunk"),
        (100, 0, "empty"),
    ],
)
def test_a_list_may_lose_half_and_grow_to_four_times_unless_it_is_small(before: int, now: int, guard: str) -> None:
    assert after(hosts(before), hosts(now)) == guard


def test_a_list_whose_networks_weigh_more_is_compared_by_its_addresses_too() -> None:
    many = hosts(1000)
    assert after(many, many + b"203.0.0.0/12\n") == ""
    assert after(many, many + b"203.0.0.0/11\n") == "grown"
    assert after(many + b"203.0.0.0/11\n", many) == "shrunk"
    assert after(many + b"203.0.0.0/13\n", many) == ""


def test_the_bounds_can_be_moved_and_switched_off() -> None:
    assert after(hosts(100), hosts(89), guarded(shrink="10%")) == "shrunk"
    assert after(hosts(100), hosts(1), guarded(shrink="off")) == ""
    assert after(hosts(100), hosts(111), guarded(grow="10%")) == "grown"
    assert after(hosts(100), hosts(5000), guarded(grow="off")) == ""
    assert after(hosts(100), b"<html>192.0.2.1</html>", guarded(html="off")) == "unparseable"
    assert after(hosts(100), b"<html>\n" + hosts(60), guarded(html="off")) == ""
    assert after(hosts(10), b"a\nb\n192.0.2.1\n", guarded(unparseable="off")) == ""
    assert after(hosts(10), b"a\n" + hosts(9), guarded(unparseable="0%")) == "unparseable"


def test_a_list_that_may_be_empty_may_become_so_at_once() -> None:
    assert after(hosts(100), b"# nothing today\n", LENIENT) == ""
    assert after(hosts(100), hosts(1), LENIENT) == "shrunk"


# What would be too much


@pytest.mark.parametrize(
    ("body", "guard"),
    [
        (b"0.0.0.0/0\n", "wide"),
        (b"0.0.0.0/1\n128.0.0.0/1\n", "wide"),
        (b"::/0\n", "wide"),
        (b"2000::/3\n", "wide"),
        (b"8.0.0.0/7\n", "wide"),
        (b"8.0.0.0/9\n8.128.0.0/9\n9.0.0.0/31\n", "wide"),  # in pieces it is as wide, and one more address is too many
        (b"8.0.0.0/8\n", ""),
        (b"2a00::/19\n", ""),
        (b"2a00::/18\n", "wide"),
        (b"10.0.0.0/8\n11.0.0.0/8\n", ""),  # what may never be banned anyway does not count
        (b"224.0.0.0/3\n0.0.0.0/8\n10.0.0.0/8\n127.0.0.0/8\n192.168.0.0/16\nff00::/8\nfc00::/7\n", ""),
        (b"".join(b"%d.0.0.0/8\n" % first for first in range(12, 64, 2)), "share"),
        (b"".join(b"%d.0.0.0/8\n" % first for first in range(12, 62, 2)), ""),
        (b"".join(b"%x::/20\n" % first for first in range(0x2600, 0x2610)), ""),
    ],
)
def test_a_list_that_would_ban_too_much_is_refused(body: bytes, guard: str) -> None:
    refusal = refused(body)
    assert (refusal.guard if refusal else "") == guard


def test_the_whole_internet_passes_where_its_administrator_says_so() -> None:
    source = guarded(share="off", widest4="off", widest6="off")
    assert refused(b"0.0.0.0/0\n::/0\n", source) is None
    refusal = refused(b"0.0.0.0/0\n", guarded(share="off"))
    assert refusal
    # The widest stretch of what is left without reserved space.
    assert refusal.reason == "11.0.0.0 - 100.63.255.255 is wider than a /8 (guards: widest4)"


# What a list says of itself


def test_list_shorter_than_its_count_is_truncated() -> None:
    whole = hosts(30) + b"# END 30 entries\n"
    cut = hosts(29) + b"# END 30 entries\n"
    assert after(b"", whole) == ""
    assert after(whole, cut) == "truncated"
    assert after(whole, cut, guarded(truncated="off")) == ""


def test_the_first_page_of_several_is_truncated() -> None:
    first, all_of_it = (b'{"data": ["192.0.2.1"], "next": %s}' % place for place in (b'"/list?page=2"', b"null"))
    assert after(b"", first) == "truncated"
    assert after(b"", all_of_it) == ""
    assert after(b"", first, guarded(truncated="off")) == ""


def test_a_list_that_has_lost_its_last_line_is_cut_unless_it_is_as_long_as_before() -> None:
    before = parse(hosts(30)).addresses

    def refusing(body: bytes, source: Source = STRICT) -> str:
        refusal = refuse(source, parsed_list(body, Format()), guarding.after(before, had_end_count=True))
        return refusal.guard if refusal else ""

    assert refusing(hosts(29)) == "truncated"
    assert refusing(hosts(30)) == ""  # its publisher gave the line up
    assert refusing(hosts(29) + b"# END 29 entries\n") == ""
    assert refusing(hosts(29), guarded(truncated="off")) == ""


# Only what would be in force counts


def test_a_list_of_nothing_but_reserved_addresses_is_empty_where_there_was_something() -> None:
    private = b"".join(b"10.%d.%d.1\n" % divmod(index, 256) for index in range(1000))
    assert after(hosts(1000), private) == "empty"
    assert after(hosts(1000), private + hosts(499)) == "shrunk"
    assert after(hosts(1000), private + hosts(501)) == ""
    assert after(hosts(100), private + hosts(100)) == ""  # not grown either
    assert refused(private) is None  # a list of bogons
    assert after(hosts(1000), private, LENIENT) == "shrunk"


def test_what_is_allowed_does_not_count() -> None:
    allowed = {**reserved_ranges(), Family.IPV4: parse(b"198.51.0.0/16\n").addresses.nets4}
    known = replace(guarding.after(parse(b"203.0.113.0/24\n" + hosts(1000)).addresses), never_banned=allowed)
    refusal = refuse(STRICT, parsed_list(hosts(1000), Format()), known)
    assert refusal == Refusal("empty", "all of its 1,000 entries are reserved or allowed, so nothing would be banned")
    only = refuse(STRICT, parsed_list(b"198.51.100.7\n", Format()), known)
    assert only == Refusal("empty", "its 1 entry is reserved or allowed, so nothing would be banned")
    assert refuse(STRICT, parsed_list(b"203.0.113.0/25\n", Format()), known) is None


# All of the IPv6 Internet in eight lines

EVERYTHING6 = b"2400::/12\n2600::/12\n2800::/12\n2a00::/12\n2c00::/12\n2001::/16\n2003::/16\n2002::/16\n"


def test_eight_lines_cannot_ban_the_ipv6_internet() -> None:
    assert refused(EVERYTHING6)
    open_ = guarded(widest6="off", share="off")
    for source, guard in ((STRICT, "wide"), (guarded(widest6="off"), "share"), (open_, "grown")):
        assert after(hosts(30), EVERYTHING6 + hosts(30), source) == guard
    assert after(hosts(30) + EVERYTHING6, hosts(30), open_) == "shrunk"


def test_the_share_of_ipv6_is_that_of_allocated_space() -> None:
    narrow = guarded(widest6="off")
    for first in (0x2400, 0x2600, 0x2A00):
        assert refused(b"%x::/12\n" % first, narrow)  # one eighth
        assert refused(b"%x::/13\n" % first, narrow) is None
    assert refused(b"3000::/4\n", narrow) is None  # it is nobody's


def test_ipv6_may_grow_by_a_site_and_not_by_a_country() -> None:
    assert after(hosts(30), hosts(30) + b"2a00::/20\n") == ""
    assert after(hosts(30), hosts(30) + b"2a00::/19\n") == "grown"
    assert after(hosts(30) + b"2a00::/20\n", hosts(30)) == ""
    assert after(hosts(30) + b"2a00::/19\n", hosts(30)) == "shrunk"


# What is replaced at once


@pytest.mark.parametrize(
    ("kept", "guard"), [(2000, ""), (1001, ""), (999, "turnover"), (0, "turnover")], ids=["all", "half", "less", "none"]
)
def test_a_long_list_is_not_replaced_at_once(kept: int, guard: str) -> None:
    other = b"".join(b"203.0.%d.%d\n" % divmod(index, 256) for index in range(2000 - kept))
    assert after(hosts(2000), hosts(kept) + other) == guard
    assert after(hosts(2000), hosts(kept) + other, guarded(turnover="off")) == ""


def test_other_words_for_the_same_addresses_replace_nothing() -> None:
    assert after(hosts(4 * 256), b"".join(b"198.51.%d.0/25\n198.51.%d.128/26\n" % (n, n) for n in range(4)), LOOSE) == ""
    assert (
        after(hosts(4 * 256), b"".join(b"203.51.%d.0/25\n203.51.%d.128/26\n" % (n, n) for n in range(4)), LOOSE) == "turnover"
    )


def test_a_short_list_or_one_that_the_administrator_moved_may_be_replaced_at_once() -> None:
    def other(number: int) -> bytes:
        return b"".join(b"203.0.%d.%d\n" % divmod(index, 256) for index in range(number))

    assert after(hosts(999), other(999)) == ""
    moved = replace(guarding.after(parse(hosts(2000)).addresses), has_moved=True)
    assert refuse(STRICT, parsed_list(other(2000), Format()), moved) is None


@needs_data
@pytest.mark.parametrize("name", ["datashield", "dshield", "spamhaus_drop", "x4b_dc"])
def test_no_real_list_is_replaced_at_once(name: str) -> None:
    versions = sorted((DATA / "churn").glob(f"{name}_*"), key=lambda path: path.stem.removeprefix(name), reverse=True)
    bodies = [path.read_bytes() for path in versions]
    for before, now in [*pairwise(bodies), (bodies[0], bodies[-1])]:
        assert after(before, now) == ""


# Critical addresses


def test_critical_addresses_are_carved_out_unless_the_administrator_wants_it_otherwise() -> None:
    body = b"8.8.8.0/24\n198.41.0.4\n2620:fe::/48\n" + hosts(3)

    def reading(source: Source) -> Reading:
        return evaluate(source, parsed_list(body, Format()), None, NOTHING_KNOWN)

    carved = reading(STRICT)
    assert carved.refusal is None
    assert tuple(one.text for one in carved.critical) == ("8.8.8.8", "198.41.0.4", "2620:fe::9", "2620:fe::fe")
    kept = parse(b"8.8.8.0-8.8.8.7\n8.8.8.9-8.8.8.255\n" + hosts(3)).addresses
    assert carved.addresses.hosts4.tolist() == kept.hosts4.tolist()
    assert carved.addresses.nets4 == kept.nets4
    assert normal_form_fault(carved.addresses) == ""
    assert not carved.addresses.contains(Family.IPV6, int(ip_address("2620:fe::fe")))
    assert carved.addresses.contains(Family.IPV6, int(ip_address("2620:fe::ff")))
    refusal = reading(guarded(critical="refuse")).refusal
    assert refusal == Refusal("critical", "it holds 8.8.8.8, 198.41.0.4, 2620:fe::9, 2620:fe::fe (guards: critical)")
    off = reading(guarded(critical="off"))
    assert (off.refusal, off.critical, off.addresses) == (None, (), parse(body).addresses)


CUSTOMER = {"critical_addresses": ["203.0.113.0/25", "198.51.100.0-198.51.100.9", "2001:db8:5::/48"]}
ALLOWED = NOTHING_ALLOWED | {Family.IPV4: parse(b"192.0.2.0/24\n").addresses.ranges(Family.IPV4)}


def critical_reading(body: bytes, **guards: object) -> Reading:
    known = replace(NOTHING_KNOWN, allowed=ALLOWED)
    return evaluate(guarded(**guards), parsed_list(body, Format()), None, known)


def test_addresses_that_the_administrator_names_are_critical_too() -> None:
    body = b"203.0.113.0/24\n198.51.100.9\n198.51.100.10\n2001:db8:5:1::/64\n8.8.8.8\n"
    carved = critical_reading(body, **CUSTOMER)
    assert carved.refusal is None
    assert [(one.text, one.reason) for one in carved.critical] == [
        ("8.8.8.8", "resolver of Google"),
        ("198.51.100.0 - 198.51.100.9", "critical_addresses"),
        ("203.0.113.0/25", "critical_addresses"),
        ("2001:db8:5::/48", "critical_addresses"),
    ]
    assert carved.addresses == parse(b"203.0.113.128/25\n198.51.100.10\n").addresses
    refusal = critical_reading(body, critical="refuse", **CUSTOMER).refusal
    named = "8.8.8.8, 198.51.100.0 - 198.51.100.9, 203.0.113.0/25, 2001:db8:5::/48"
    assert refusal == Refusal("critical", f"it holds {named} (guards: critical)")
    off = critical_reading(body, critical="off", **CUSTOMER)
    assert (off.refusal, off.critical, off.addresses) == (None, (), parse(body).addresses)
    beside = b"203.0.113.128/25\n198.51.100.10\n2001:db8:6::/48\n"
    assert critical_reading(beside, critical="refuse", **CUSTOMER).refusal is None


def test_a_list_that_contains_what_is_allowed_is_refused_only_if_that_is_said_to_be_critical() -> None:
    body = b"192.0.2.7\n" + hosts(3)
    assert critical_reading(body, critical="refuse").refusal is None
    refusal = critical_reading(body, critical="refuse", critical_allow="yes").refusal
    assert refusal == Refusal("critical", "it holds 192.0.2.0/24 (guards: critical)")
    assert [one.reason for one in critical_reading(body, critical_allow="yes").critical] == ["allow"]


def test_other_critical_addresses_make_the_same_bytes_be_judged_anew() -> None:
    assert fetch_key_of(replace(STRICT, pages=Pages())) not in {
        fetch_key_of(STRICT),
        fetch_key_of(replace(STRICT, pages=Pages(most=2))),
    }
    keys = [fetch_key_of(guarded(**guards)) for guards in ({}, {"critical": "refuse"}, CUSTOMER)]
    assert len(set(keys)) == len(keys)


def test_a_format_without_the_keys_that_came_later_has_the_text_it_had() -> None:
    form = Format(FormatType.CSV, columns=("ip",), separator=";")
    assert repr(form) == "Format(type=<FormatType.CSV: 'csv'>, columns=('ip',), separator=';', paths=(), field='')"
    assert repr(replace(form, count="2", each=True)) == repr(form)[:-1] + ", each=True, count='2')"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60)), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60)), min_size=1, max_size=12),
)
def test_carving_bans_all_that_is_listed_but_what_is_critical(
    listed: list[tuple[int, int]], critical: list[tuple[int, int]]
) -> None:
    """Against a model of single addresses."""

    def spans(ranges: list[tuple[int, int]]) -> list[str]:
        return [f"{BASE + first}-{BASE + first + more}" for first, more in ranges]

    def singles(ranges: list[tuple[int, int]]) -> set[int]:
        return {first + step for first, more in ranges for step in range(more + 1)}

    reading = critical_reading("\n".join(spans(listed)).encode(), critical_addresses=spans(critical))
    kept = {at for at in range(461) if reading.addresses.contains(Family.IPV4, int(BASE) + at)}
    assert kept == singles(listed) - singles(critical)
    touched = [one for one in critical if singles([one]) & singles(listed)]
    assert {one.span[1:] for one in reading.critical} == {(int(BASE) + a, int(BASE) + a + more) for a, more in touched}


def test_a_list_that_counts_its_entries_is_counted_before_the_carving() -> None:
    body = b"8.8.8.8\n" + hosts(29) + b"# END 30 entries\n"
    reading = evaluate(STRICT, parsed_list(body, Format()), None, NOTHING_KNOWN)
    assert (reading.refusal, len(reading.addresses)) == (None, 29)


# Memory


def test_to_judge_a_million_networks_and_to_keep_them_in_quarantine_takes_little_more_than_they_are() -> None:
    first = 0x0B000000 + 4 * np.arange(1_000_000, dtype=np.uint32)
    addresses = AddressSet.of(first, first + np.uint32(1))
    parsed = ParsedList(addresses, len(addresses), data_lines=len(addresses))
    size = len(addresses.encode())
    tracemalloc.start()
    try:
        reading = evaluate(STRICT, parsed, None, NOTHING_KNOWN)
        row = held_back(None, reading, Refusal("wide", "too much"), STRICT, 0.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(row.snapshot) == size
    assert peak < 2.5 * size


# Many polls


class Life:
    """A source from poll to poll, with what the ledger remembers of it: by day, for 30 days."""

    def __init__(self, source: Source = STRICT) -> None:
        self.source = source
        self.content = AddressSet.none()
        self.accepted: list[tuple[float, AddressSet]] = []
        self._days: dict[int, AcceptedSizes] = {}
        self._good_at = 0.0
        self._samples: dict[int, Sample] = {}
        self._churn: dict[int, float] = {}

    def poll(self, addresses: AddressSet, now: float) -> str:
        """The guard that refuses; accepted content is content from now on. `now`: days."""
        parsed = ParsedList(addresses, len(addresses), data_lines=len(addresses))
        recent = None
        for day, sizes in self._days.items():
            recent = sizes.joined(recent) if int(now) - 30 <= day <= int(now) else recent
        before = self.content if self.accepted else None
        samples = [
            replace(sample, churn=sum(churn for later, churn in self._churn.items() if later >= day))
            for day, sample in self._samples.items()
            if int(now) - 30 <= day
        ]
        seed = len(self.accepted) + 1
        known = replace(NOTHING_KNOWN, before=before, recent=recent, days=now - self._good_at, samples=samples, seed=seed)
        judgement = judge(self.source, parsed, addresses, known)
        if judgement.refusal is None:
            self._days[int(now)] = judgement.sizes.joined(self._days.get(int(now)))
            self.content, self._good_at = addresses, now
            self._samples.setdefault(int(now), judgement.sample)
            self._churn[int(now)] = self._churn.get(int(now), 0.0) + judgement.sample.churn
            self.accepted.append((now, addresses))
        return judgement.refusal.guard if judgement.refusal else ""


def numbered(count: int, start: int = 0) -> AddressSet:
    first = 0xC6000000 + np.arange(start, start + count, dtype=np.uint32)
    return AddressSet.of(first, first)


def test_a_list_cannot_be_emptied_by_a_little_at_each_poll() -> None:
    life, count = Life(), 100_000
    for poll in range(12):
        life.poll(numbered(count), poll / 24)
        count = int(count * 0.505)
    assert len(life.content) == 50_500


def test_a_list_cannot_be_inflated_by_a_little_at_each_poll() -> None:
    life, count = Life(), 30
    for poll in range(9):
        life.poll(numbered(count), poll / 24)
        count *= 4
    assert len(life.content) == 120


def test_a_list_cannot_be_swapped_by_a_little_at_each_poll() -> None:
    life = Life()
    guards = [life.poll(numbered(10_000, start=4_000 * poll), poll / 24) for poll in range(4)]
    assert guards == ["", "", "turnover", "turnover"]


def test_a_list_that_replaces_a_seventh_each_week_is_not_swapped() -> None:
    """As Data-Shield does."""
    life = Life()
    assert {life.poll(numbered(10_000, start=1_500 * week), 7.0 * week) for week in range(20)} == {""}


def test_what_a_list_was_is_forgotten_after_30_days() -> None:
    life = Life()
    assert life.poll(numbered(100), 0.5) == ""
    assert life.poll(numbered(60), 1.5) == ""
    assert life.poll(numbered(40), 31.5) == "shrunk"
    assert life.poll(numbered(40), 32.5) == ""


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 12.0), st.floats(0.0, 5.0), st.floats(0.0, 1.0)), max_size=40),
    st.integers(1_000, 20_000),
)
def test_no_sequence_of_polls_opens_swaps_or_inflates_a_list_within_30_days(
    polls: list[tuple[float, float, float]], size: int
) -> None:
    life, now, start = Life(), 0.5, 0
    life.poll(numbered(size), now)
    for days, factor, moved in polls:
        now += days
        start += int(moved * size)
        life.poll(numbered(min(max(int(len(life.content) * factor), 0), 200_000), start), now)
        start = int(life.content.hosts4[0]) - 0xC6000000
    for (at, earlier), (then, later) in combinations(life.accepted, 2):
        if then - at > 29:
            continue
        assert len(earlier) * 0.5 <= len(later) <= len(earlier) * 4
    for (_, earlier), (_, later) in pairwise(life.accepted):
        if len(earlier) >= 1000:
            common = len(np.intersect1d(earlier.hosts4, later.hosts4))
            assert common >= min(len(earlier), len(later)) * 0.499


def joined(*parts: AddressSet) -> AddressSet:
    """Single addresses together."""
    four, six = (np.concatenate([part.hosts(family) for part in parts]) for family in FAMILIES)
    return AddressSet.of(four, four, six, six)


def numbered6(count: int, above: int, start: int = 0) -> AddressSet:
    """Single addresses of a /64."""
    hosts = from_numbers(Family.IPV6, [above + number for number in range(start, start + count)])
    return AddressSet.of(numbered(0).hosts4, numbered(0).hosts4, hosts, hosts)


PADDING = {
    "reserved IPv4": numbered(30_000, start=0x120000),  # 198.18.0.0/15
    "reserved IPv6": numbered6(30_000, 0xFD << 120),
}


def test_a_list_cannot_be_swapped_by_way_of_both_lists_together() -> None:
    life = Life()
    first, second = numbered(10_000), numbered(29_000, start=50_000)
    polls = [first, joined(first, second), *[joined(first, second, numbered(more, start=90_000)) for more in range(3)], second]
    assert [life.poll(addresses, at / 2) for at, addresses in enumerate(polls)] == [*[""] * 5, "turnover"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 3.0)), min_size=2, max_size=8), st.integers(1_000, 4_000))
def test_no_sequence_of_large_steps_swaps_a_list(steps: list[tuple[float, float]], size: int) -> None:
    """In each step some of the oldest go, and others come. No more than half is replaced, and a tenth in each step."""
    life, start, end = Life(), 0, size
    life.poll(numbered(size), 0.0)
    for at, (gone, come) in enumerate(steps, 1):
        begin, stop = start + int((end - start) * gone), end + int((end - start) * come)
        if life.poll(numbered(stop - begin, begin), at / 24) == "":
            start, end = begin, stop
    accepted = [addresses.hosts4 for _, addresses in life.accepted]
    before = accepted[0]
    for step, now in enumerate(accepted[1:], 1):
        common = len(np.intersect1d(before, now))
        replaced = min(1 - common / len(before), 1 - common / len(now)) if len(now) else 0.0
        # Twice what chance makes of a sample.
        assert replaced <= 0.5 + 0.1 * step + 0.2


@pytest.mark.parametrize("days", [1 / 24, 1.0])
def test_a_list_that_renews_itself_in_usual_steps_is_not_swapped(days: float) -> None:
    """Some come hour by hour, and all that are old go once a day; others come and go together."""
    rhythmic, even = Life(), Life()
    start, end = 0, 10_000
    for poll in range(200):
        end += 100
        start += 1_000 if poll % 10 == 9 else 0
        assert rhythmic.poll(numbered(end - start, start), poll * days / 8) == ""
        assert even.poll(numbered(10_000, 500 * poll), poll * days) == ""


def test_a_list_that_grows_to_three_times_and_shrinks_to_what_it_was_is_not_swapped() -> None:
    life = Life()
    sizes = [10_000, 20_000, 30_000, 18_000, 15_100]
    assert {life.poll(numbered(size), at / 24) for at, size in enumerate(sizes)} == {""}


@pytest.mark.parametrize("padding", PADDING)
def test_reserved_addresses_hide_no_swap(padding: str) -> None:
    life, reserved = Life(), PADDING[padding]
    polls = [numbered(2_000), joined(numbered(2_000), reserved), joined(numbered(2_000, start=50_000), reserved)]
    assert [life.poll(addresses, at / 24) for at, addresses in enumerate(polls)] == ["", "", "turnover"]


def test_a_list_cannot_be_swapped_for_one_of_the_other_family() -> None:
    life = Life()
    six = 0x2A01 << 112
    polls = [numbered(2_000), joined(numbered(2_000), numbered6(1_000, six)), numbered6(3_000, six)]
    assert [life.poll(addresses, at / 24) for at, addresses in enumerate(polls)] == ["", "", "turnover"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 3.0), *[st.integers(0, 4_000)] * 3, st.sampled_from(sorted(PADDING))), max_size=12),
    st.integers(1_000, 4_000),
)
def test_no_padding_and_no_change_of_family_swaps_a_list_from_one_poll_to_the_next(
    polls: list[tuple[float, int, int, int, str]], size: int
) -> None:
    """Some of the list stays, some is new in either family, and some of it is never banned."""
    life, now, seen = Life(), 0.5, 0
    life.poll(numbered(size), now)
    for days, kept, new4, new6, padding in polls:
        now, seen = now + days, seen + 10_000
        hosts = life.content.hosts4[:kept]
        old = AddressSet.of(hosts, hosts)
        life.poll(joined(old, numbered(new4, start=seen), numbered6(new6, 0x2A01 << 112, seen), PADDING[padding]), now)
    for (_, before), (_, after_) in pairwise(life.accepted):
        was, is_now = (in_force(addresses) for addresses in (before, after_))
        if len(was) >= 1_000:
            common = len(was & is_now)
            assert common >= min(len(was), len(is_now)) * 0.499


def in_force(addresses: AddressSet) -> set[int]:
    """Single addresses of a list that are not reserved."""
    spans = [reserved_ranges()[family].contains(addresses.hosts(family)) for family in FAMILIES]
    hosts = [addresses.hosts(family)[~span] for family, span in zip(FAMILIES, spans, strict=True)]
    return {to_number(host) for part in hosts for host in part}


@settings(max_examples=50, deadline=None)
# All within a day: what is replaced later may keep the pace of real lists.
@given(st.lists(st.integers(101, 1_000), min_size=1, max_size=24))
def test_sudden_replacements_add_up_to_no_more_than_the_bound_within_30_days(steps: list[int]) -> None:
    life, start = Life(), 0  # a tenth in a day is the pace of real lists
    life.poll(numbered(1_000), 0.0)
    for poll, step in enumerate(steps, 1):
        if life.poll(numbered(1_000, start + step), poll / 24) == "":
            start += step
    assert start <= 500


# Sources that ban all but some countries


def _all_but(text: str) -> AddressSet:
    return everything_else(parse(text.encode()).addresses)


@pytest.mark.parametrize(
    ("before", "now", "guard"),
    [
        ("198.51.100.0/24\n2a00::/32", "198.51.100.0/25\n2a00::/33", ""),
        ("198.51.100.0/24\n2a00::/32", "198.51.100.0/26\n2a00::/32", "narrowed"),
        ("198.51.100.0/24\n2a00::/32", "198.51.100.0/24\n2a00::/34", "narrowed"),
        ("198.51.100.0/26\n2a00::/34", "198.51.100.0/24\n2a00::/32", ""),
    ],
)
def test_those_who_are_let_through_may_become_half(before: str, now: str, guard: str) -> None:
    source = replace(STRICT, only=Only(countries=("NO",)), guards=Guards().for_countries())
    banned = _all_but(now)
    refusal = refuse(source, ParsedList(banned, len(banned)), guarding.after(_all_but(before)))
    assert (refusal.guard if refusal else "") == guard
    if refusal:
        assert "it lets through" in refusal.reason
        assert "guards: shrink" in refusal.reason


def test_all_but_a_country_is_no_reason_to_refuse_it_at_first() -> None:
    source = replace(STRICT, only=Only(countries=("NO",)), guards=Guards().for_countries())
    banned = _all_but("198.51.100.0/24\n2a00::/32")
    assert refuse(source, ParsedList(banned, len(banned))) is None


def test_addresses_are_remembered_of_a_list_that_is_long_enough_to_be_compared_with_them() -> None:
    for count in (MANY - 1, MANY):
        sample = judge(STRICT, ParsedList(numbered(count), count, data_lines=count), numbered(count), NOTHING_KNOWN).sample
        assert sample.entries == count
        assert bool(sample.addresses) is (count == MANY)
