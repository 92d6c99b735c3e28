"""What does not reach the firewall, and with which words."""

from dataclasses import replace
from typing import Any

import pytest

from banlistd.core.config.keys import read_section
from banlistd.core.config.model import Guards, Source
from banlistd.core.config.problems import Document, Spot
from banlistd.core.feeds.guards import refuse
from banlistd.core.feeds.parsed_list import parsed_list
from banlistd.core.feeds.parsers import parse
from banlistd.formats import Format
from banlistd.model import Refusal, SourceId

STRICT = Source(id=SourceId("feed"), url="https://lists.example/")
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
    assert refusal.reason == "1 lines hold no address and only 0 do, the first is line 1"


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
    refusal = refuse(source, parsed_list(body, Format()), parse(before).addresses)
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
        (b"2a00::/12\n", ""),
        (b"2a00::/11\n", "wide"),
        (b"10.0.0.0/8\n11.0.0.0/8\n", ""),  # what may never be banned anyway does not count
        (b"224.0.0.0/3\n0.0.0.0/8\n10.0.0.0/8\n127.0.0.0/8\n192.168.0.0/16\nff00::/8\nfc00::/7\n", ""),
        (b"".join(b"%d.0.0.0/8\n" % first for first in range(12, 64, 2)), "share"),
        (b"".join(b"%d.0.0.0/8\n" % first for first in range(12, 62, 2)), ""),
        (b"".join(b"%x::/12\n" % first for first in range(0x2000, 0x3900, 0x20)), "share"),
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


def test_a_list_that_has_lost_its_last_line_is_cut_unless_it_is_as_long_as_before() -> None:
    before = parse(hosts(30)).addresses

    def refusing(body: bytes, source: Source = STRICT) -> str:
        refusal = refuse(source, parsed_list(body, Format()), before, had_end_count=True)
        return refusal.guard if refusal else ""

    assert refusing(hosts(29)) == "truncated"
    assert refusing(hosts(30)) == ""  # its publisher gave the line up
    assert refusing(hosts(29) + b"# END 29 entries\n") == ""
    assert refusing(hosts(29), guarded(truncated="off")) == ""
