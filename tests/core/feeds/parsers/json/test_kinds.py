"""JSON lists by their kinds: each has its right value, or must be refused; never more."""

import ipaddress
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.feeds.parsers import parse
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from support.written_addresses import written

REFUSED = "refused"


def _read(body: str | bytes, form: Format | None = None) -> str:
    """The addresses, in the order of their families and numbers; what is in doubt and what is empty are refused."""
    try:
        parsed = parse(body if isinstance(body, bytes) else body.encode(), form or Format())
    except ParseError:
        return REFUSED
    return " ".join(written(parsed.addresses)) or REFUSED


_NO_BANS = {
    '{"new": [{"value": "198.51.100.7"}], "deleted": [{"value": "203.0.113.9"}]}': "198.51.100.7",
    '{"blacklist": ["198.51.100.7", "203.0.113.9"], "whitelist": ["192.0.2.1"]}': "198.51.100.7 203.0.113.9",
    '{"bans": ["198.51.100.7"], "dns": {"servers": ["192.0.2.53"]}}': "198.51.100.7",
    '{"blocked": {"ips": ["198.51.100.7"]}, "exceptions": {"ips": ["192.0.2.1"]}}': "198.51.100.7",
    '{"data": [{"ip": "198.51.100.7", "isWhitelisted": false}, {"ip": "192.0.2.1", "isWhitelisted": true}]}': "198.51.100.7",
    '[{"ip": "198.51.100.7", "active": true}, {"ip": "192.0.2.1", "active": false}]': "198.51.100.7",
    '{"allowed_ips": ["192.0.2.1"], "denied_ips": ["198.51.100.7"]}': "198.51.100.7",
    '{"entries": ["198.51.100.7"], "meta": {"nameservers": ["192.0.2.53"]}}': "198.51.100.7",
    '[{"attacker": "198.51.100.7", "victim": "192.0.2.1"}]': "198.51.100.7",
    '{"list": ["198.51.100.7"], "removed_since_yesterday": ["192.0.2.1"]}': "198.51.100.7",
    '{"ips": ["198.51.100.7"], "comment": ["192.0.2.1"]}': "198.51.100.7",
    '{"whitelist": ["192.0.2.1", "192.0.2.2"]}': REFUSED,
    '{"servers": [{"ip": "192.0.2.1"}]}': REFUSED,
    '{"malicious": ["198.51.100.7"], "office": ["192.0.2.1"]}': "198.51.100.7",
    '{"today": ["198.51.100.7"], "lobby": ["192.0.2.1"]}': REFUSED,
    '[{"src_ip": "198.51.100.7", "dst_ip": "192.0.2.1"}]': REFUSED,
    '[{"a": "198.51.100.7", "b": "192.0.2.1"}]': REFUSED,
    '[{"ip": "198.51.100.7", "action": "block"}, {"ip": "192.0.2.1", "action": "allow"}]': REFUSED,
    '{"hooks": ["198.51.100.7"], "web": ["203.0.113.9"]}': REFUSED,
    '{"+": ["198.51.100.7"], "-": ["203.0.113.9"]}': REFUSED,
    '{"add": ["198.51.100.7"], "del": ["203.0.113.9"]}': "198.51.100.7",
    '{"ban": {"ip": ["198.51.100.7"]}, "unban": {"ip": ["203.0.113.9"]}}': "198.51.100.7",
    '[{"ip": "198.51.100.7", "deleted": 0}, {"ip": "192.0.2.1", "deleted": 1}]': "198.51.100.7",
    '[{"ip": "198.51.100.7", "deleted_at": null}, {"ip": "192.0.2.1", "deleted_at": "2026-01-01"}]': REFUSED,
    '[{"ip": "198.51.100.7", "deleted_at": null}]': "198.51.100.7",
    '[{"op": "+", "ip": "198.51.100.7"}, {"op": "-", "ip": "192.0.2.1"}]': REFUSED,
    '{"ips": ["198.51.100.4/30", "!198.51.100.5"]}': "198.51.100.4 198.51.100.6-198.51.100.7",
    '{"ips": ["198.51.100.4/31", "198.51.100.5 nomatch"]}': "198.51.100.4",
    '{"198.51.100.7": "203.0.113.9", "198.51.100.8": "203.0.113.10"}': REFUSED,
    '{"today": {"ips": ["198.51.100.7"]}, "yesterday": {"ips": ["192.0.2.1"]}}': REFUSED,
    '{"bans": [{"ip": "198.51.100.7", "reporter": {"ip": "192.0.2.1"}}]}': "198.51.100.7",
    '{"items": [{"source": {"ip": "198.51.100.7"}, "destination": {"ip": "192.0.2.1"}}]}': REFUSED,
}


@pytest.mark.parametrize(("body", "right"), _NO_BANS.items())
def test_what_the_keys_call_no_ban_is_not_banned(body: str, right: str) -> None:
    assert _read(body) == right


_ERRORS = [
    '{"errors": [{"detail": "daily limit reached", "status": 429, "ip": "192.0.2.55"}]}',
    '{"error": "rate limited", "clients": ["192.0.2.55"]}',
    '{"message": "Too many requests", "seen": ["192.0.2.55"]}',
    '{"status": 429, "addresses": ["192.0.2.55"]}',
    '{"status": "error", "data": [{"ip": "192.0.2.55"}]}',
    '{"success": false, "result": ["192.0.2.55"]}',
    '[{"error": "quota exceeded", "ip": "192.0.2.55"}]',
    '{"error": "limit", "ip": "192.0.2.55"}\n{"error": "limit", "ip": "192.0.2.55"}\n',
    '{"error": "limit", "ip": "192.0.2.55"}',
    '{"192.0.2.55": "limit reached"}',
    '{"response": {"errors": ["x"], "ips": ["192.0.2.55"]}}',
    '{"type": "about:blank", "title": "Too Many Requests", "seen": ["192.0.2.55"]}',
    '{"code": "RATE_LIMIT", "ips": ["192.0.2.55"]}',
    '{"status": "429", "ips": ["192.0.2.55"]}',
    '{"detail": "Request was throttled. Expected available in 10 seconds.", "ips": ["192.0.2.55"]}',
]


@pytest.mark.parametrize("body", _ERRORS)
def test_an_error_is_no_list(body: str) -> None:
    assert _read(body) == REFUSED


def test_a_reason_of_an_entry_is_no_error() -> None:
    records = [
        {"ip": "198.51.100.7", "reason": "login limit exceeded", "status": 404, "title": "an upgrade", "message": "not found"}
    ]
    assert _read(json.dumps(records)) == "198.51.100.7"


def test_an_error_that_is_none_is_no_error() -> None:
    assert _read('{"success": true, "errors": [], "error": null, "code": 200, "result": ["198.51.100.7"]}') == "198.51.100.7"


_RANGES = {
    '[{"start": "198.51.100.0", "end": "198.51.100.63"}, {"start": "203.0.113.8", "end": "203.0.113.11"}]': (
        "198.51.100.0-198.51.100.63 203.0.113.8-203.0.113.11"
    ),
    '{"start_ip": "198.51.100.0", "end_ip": "198.51.100.63"}\n{"start_ip": "203.0.113.8", "end_ip": "203.0.113.11"}\n': (
        "198.51.100.0-198.51.100.63 203.0.113.8-203.0.113.11"
    ),
    '[{"rangeStart": "198.51.100.3", "rangeEnd": "198.51.100.9", "asn": 64496}]': "198.51.100.3-198.51.100.9",
    '{"r": [{"net": {"begin": "198.51.100.3", "end": "198.51.100.9"}}]}': "198.51.100.3-198.51.100.9",
    '[{"start": "198.51.100.7", "end": "198.51.100.7"}]': "198.51.100.7",
    '[{"start": "2001:db8::", "end": "2001:db8::ff"}]': "2001:db8::-2001:db8::ff",
    '[{"network": "198.51.100.0", "length": 25}, {"network": "203.0.113.0", "length": 26}]': (
        "198.51.100.0-198.51.100.127 203.0.113.0-203.0.113.63"
    ),
    '[{"network": "198.51.100.0", "prefixlen": "25"}]': "198.51.100.0-198.51.100.127",
    '[{"ip": "198.51.100.0", "mask": "255.255.255.128"}]': "198.51.100.0-198.51.100.127",
    '{"ip": "198.51.100.0", "cidr": 25}\n{"ip": "203.0.113.0", "cidr": 26}\n': (
        "198.51.100.0-198.51.100.127 203.0.113.0-203.0.113.63"
    ),
    '[{"prefix": "2001:db8::", "prefixLength": 32}]': "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    '[{"network": "198.51.100.0", "mask": "255.255.255.0", "mask_len": 24, "cidr": "198.51.100.0/24"}]': (
        "198.51.100.0-198.51.100.255"
    ),
    '[{"network": "2001:db8::", "mask": "ffff:ffff::", "cidr": "2001:db8::/127"}]': "2001:db8::-2001:db8::1",
    '[{"start": "198.51.100.0", "end": "198.51.100.255", "cidr": "198.51.100.0/24"}]': "198.51.100.0-198.51.100.255",
    '[{"from": "198.51.100.0", "to": "198.51.100.63"}]': "198.51.100.0-198.51.100.63",
    '[{"from": "198.51.100.7", "to": "203.0.113.9"}]': REFUSED,
    '[{"first_ip": "198.51.100.7", "last_ip": "203.0.113.9"}]': REFUSED,
    '[{"start": "198.51.100.7", "end": "192.0.2.1"}]': REFUSED,
    '[{"start": "198.51.100.0", "count": 64}]': REFUSED,
    '[{"network": "198.51.100.0", "size": 64}]': REFUSED,
    '[{"ip": "198.51.100.7", "length": 60}]': REFUSED,
    '[{"ip": "198.51.100.7", "length": 24}]': REFUSED,
    '[{"end": "198.51.100.7"}]': REFUSED,
    '{"ranges": [["198.51.100.0", "198.51.100.63"], ["203.0.113.8", "203.0.113.11"]]}': REFUSED,
    '[{"range": ["198.51.100.0", "198.51.100.63"]}]': REFUSED,
    '[{"range": "198.51.100.0,198.51.100.63"}]': REFUSED,
    '[{"range": "198.51.100.0-198.51.100.63"}]': "198.51.100.0-198.51.100.63",
    '[{"network": "198.51.100.0", "broadcast": "198.51.100.63"}]': REFUSED,
    '[{"ip": "198.51.100.0", "subnet": "255.255.255.192"}]': "198.51.100.0-198.51.100.63",
    '[{"ip": "198.51.100.0", "wildcard": "0.0.0.63"}]': REFUSED,
    '[{"ip": "198.51.100.0", "block": 26}, {"ip": "203.0.113.128", "block": 25}]': REFUSED,
    '[{"ip": "198.51.100.0", "n": 64}, {"ip": "203.0.113.128", "n": 128}]': REFUSED,
    '[{"ip": "198.51.100.0", "port": 22}, {"ip": "203.0.113.9", "port": 22}]': "198.51.100.0 203.0.113.9",
    '[{"ip": "198.51.100.7", "prefix": 32}]': "198.51.100.7",
    '[{"StartIPAddress": "198.51.100.0", "EndIPAddress": "198.51.100.63"}]': "198.51.100.0-198.51.100.63",
    '[{"ip_range_start": "198.51.100.0", "ip_range_end": "198.51.100.63"}]': "198.51.100.0-198.51.100.63",
    '[{"begin": "198.51.100.0", "finish": "198.51.100.63"}]': REFUSED,
    '[{"net": {"address": "198.51.100.0", "prefix": 26}}]': "198.51.100.0-198.51.100.63",
    '{"blocks": [{"subnet": "198.51.100.0", "cidr": "/26"}]}': "198.51.100.0-198.51.100.63",
}


@pytest.mark.parametrize(("body", "right"), _RANGES.items())
def test_the_other_end_of_a_range_is_read_or_the_list_is_refused(body: str, right: str) -> None:
    assert _read(body) == right


@pytest.mark.parametrize(
    ("paths", "end"), [("[].a", "b"), ("[].a", "[].b"), ("[].c.a", "b"), ("[].c.a", "[].c.b"), ("[].c.a", "c.b")]
)
def test_an_end_is_named_from_the_object_or_from_the_beginning(paths: str, end: str) -> None:
    body = '[{"a": "198.51.100.1", "b": "198.51.100.3", "c": {"a": "198.51.100.1", "b": "198.51.100.3"}}]'
    assert _read(body, Format(FormatType.JSON, paths=(paths,), ends=(end,))) == "198.51.100.1-198.51.100.3"


def test_each_path_may_have_an_end_of_its_own() -> None:
    body = '{"v4": [{"a": "198.51.100.1", "b": "198.51.100.3"}], "v6": [{"c": "2001:db8::1", "d": "2001:db8::3"}]}'
    form = Format(FormatType.JSON, paths=("v4[].a", "v6[].c"), ends=("b", "d"))
    assert _read(body, form) == "198.51.100.1-198.51.100.3 2001:db8::1-2001:db8::3"


@pytest.mark.parametrize("length", ["24", "/24", 24, "255.255.255.0"])
def test_a_length_is_a_number_or_a_netmask(length: str | int) -> None:
    body = json.dumps({"a": "198.51.100.0", "n": length}) + "\n"
    assert _read(body, Format(FormatType.JSONL, field="a", lengths=("n",))) == "198.51.100.0-198.51.100.255"


@pytest.mark.parametrize(
    "record", ['{"a": "198.51.100.9"}', '{"a": "198.51.100.9", "b": "198.51.100.7"}', '{"b": "198.51.100.7"}']
)
def test_a_range_without_its_other_end_is_rejected(record: str) -> None:
    parsed = parse(f"{record}\n".encode(), Format(FormatType.JSONL, field="a", ends=("b",)))
    assert (parsed.entries, parsed.rejected) == (0, 1)


_JOINED = {
    "203.0.113.9|443": "203.0.113.9",
    "203.0.113.9:443": "203.0.113.9",
    "203.0.113.9/tcp": "203.0.113.9",
    "203.0.113.9 (tcp/22)": "203.0.113.9",
    "203.0.113.9:443/tcp": "203.0.113.9",
    "203.0.113.9|443|tcp": "203.0.113.9",
    "203.0.113.9#53": "203.0.113.9",
    "203.0.113.9 tcp/22": "203.0.113.9",
    "[2001:db8::9]:443": "2001:db8::9",
    "[2001:db8::9]|443": "2001:db8::9",
    "2001:db8::9|443": "2001:db8::9",
    "203.0.113.8/30": "203.0.113.8-203.0.113.11",
    "203.0.113.9, 203.0.113.12": "203.0.113.9 203.0.113.12",
    "203.0.113.0 24": REFUSED,
    "203.0.113.0 255.255.255.0": REFUSED,
    "203.0.113.9 is your address": REFUSED,
    "evil.example|203.0.113.9": REFUSED,
    "http://203.0.113.9/": REFUSED,
}


@pytest.mark.parametrize(("value", "right"), _JOINED.items())
def test_an_address_is_read_with_what_is_joined_to_it(value: str, right: str) -> None:
    assert _read(json.dumps({"ips": [value]})) == right


def test_attributes_of_misp_are_read_with_their_ports() -> None:
    one = {"type": "ip-dst", "value": "198.51.100.7"}
    other = {"type": "ip-dst|port", "value": "203.0.113.9|443"}
    body = json.dumps({"response": {"Attribute": [one, other, {"type": "domain", "value": "a.example"}]}})
    assert _read(body) == "198.51.100.7 203.0.113.9"
    form = Format(FormatType.JSON, paths=("response.Attribute[].value",))
    assert _read(body, form) == "198.51.100.7 203.0.113.9"


@pytest.mark.parametrize("pad", [10, 9_990, 10_000, 300_000, 3_000_000])
def test_json_in_one_line_of_any_length_is_recognised(pad: int) -> None:
    assert _read(json.dumps({"note": "p" * pad, "bans": ["198.51.100.7", "203.0.113.0/24"]})) == (
        "198.51.100.7 203.0.113.0-203.0.113.255"
    )


@pytest.mark.parametrize("form", [Format(), Format(FormatType.JSONL, field="ip")])
@pytest.mark.parametrize("pad", [10, 9_990, 10_000, 300_000, 1_000_000])
@pytest.mark.parametrize("first", [True, False])
def test_a_record_of_any_usual_length_is_read(form: Format, pad: int, *, first: bool) -> None:
    lines = [json.dumps({"ip": "198.51.100.7", "raw": "p" * pad}), json.dumps({"ip": "203.0.113.9"})]
    assert _read("\n".join(lines if first else lines[::-1]), form) == "198.51.100.7 203.0.113.9"


def test_a_record_of_more_than_a_mebibyte_is_rejected() -> None:
    body = json.dumps({"ip": "198.51.100.7", "raw": "p" * (1 << 20)}) + '\n{"ip": "203.0.113.9"}\n'
    parsed = parse(body.encode())
    assert (written(parsed.addresses), parsed.rejected) == (["203.0.113.9"], 1)


_KEYS = {
    '{"198.51.100.7": {"score": 90}, "203.0.113.9": {"score": 20}}': "198.51.100.7 203.0.113.9",
    '{"bans": {"198.51.100.7": 3, "203.0.113.0/24": 1}}': "198.51.100.7 203.0.113.0-203.0.113.255",
    '{"198.51.100.7": {"seen": 3}}': "198.51.100.7",
    '{"ips": {"2001:db8::7": [], "203.0.113.9": []}}': "203.0.113.9 2001:db8::7",
    '{"a": {"198.51.100.7": 1}, "whitelist": {"192.0.2.1": 1}}': "198.51.100.7",
    '{"198.51.100.7": 1, "updated": "today"}': REFUSED,
    '{"198.51.100.7": {"neighbours": ["203.0.113.9"]}, "198.51.100.8": {}}': REFUSED,
}


@pytest.mark.parametrize(("body", "right"), _KEYS.items())
def test_keys_that_are_addresses_are_read(body: str, right: str) -> None:
    assert _read(body) == right


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("bans{}", "198.51.100.7"),
        ("groups{}.ips[]", "203.0.113.9 203.0.113.12"),
        ("groups{}{}", REFUSED),
        ("groups{}.who{}", "192.0.2.4"),
    ],
)
def test_a_path_steps_into_objects(path: str, right: str) -> None:
    body = """{"bans": {"198.51.100.7": 1, "x": 2}, "groups": {
        "a": {"ips": ["203.0.113.9"]}, "b": {"ips": ["203.0.113.12"], "who": {"192.0.2.4": 0}}}}"""
    assert _read(body, Format(FormatType.JSON, paths=(path,))) == right


def test_keys_with_dots_are_found() -> None:
    body = '{"source.ip": "198.51.100.7", "n": 1}\n{"source.ip": "203.0.113.9", "n": 2}\n'
    assert _read(body) == _read(body, Format(FormatType.JSONL, field="source.ip")) == "198.51.100.7 203.0.113.9"


def test_keys_that_are_numbers_are_data() -> None:
    body = json.dumps({str(number): [{"ioc": f"198.51.100.{number}:80"}] for number in (1, 3, 5)})
    assert _read(body) == "198.51.100.1 198.51.100.3 198.51.100.5"


_STREAMS = {
    '{\n "ip_prefix": "198.51.100.0/31"\n}\n{\n "ip_prefix": "203.0.113.9"\n}\n': "198.51.100.0-198.51.100.1 203.0.113.9",
    '# a comment\n{"bans": ["198.51.100.7"]}\n': "198.51.100.7",
    '// a comment\n; another\n[\n "198.51.100.7"\n]\n': "198.51.100.7",
    '["198.51.100.7"]["203.0.113.9"]': "198.51.100.7 203.0.113.9",
    '{"ips": ["198.51.100.7"]}\n# END\n': "198.51.100.7",
    '{\n "ip": "198.51.100.7"\n},\n{\n "ip": "203.0.113.9"\n}': "198.51.100.7 203.0.113.9",
    '\x1e{"ip": "198.51.100.7"}\n\x1e{"ip": "203.0.113.9"}\n': "198.51.100.7 203.0.113.9",
    '{"ip": "198.51.100.7"}{"ip": "203.0.113.9"}': "198.51.100.7 203.0.113.9",
    '{\n "ip": "198.51.100.7"\n}\n{\n "ip": "203.0.113': REFUSED,
    '{\n "ip": "198.51.100.7"\n}\n<html>': REFUSED,
    '[\n "198.51.100.7",\n "203.0.113.9",\n': REFUSED,
}


@pytest.mark.parametrize(("body", "right"), _STREAMS.items())
def test_documents_one_behind_the_other_are_read_whole_or_refused(body: str, right: str) -> None:
    assert _read(body) == right


def test_paths_begin_in_each_of_several_documents() -> None:
    body = '{\n "a": "198.51.100.7"\n}\n{\n "a": "203.0.113.9"\n}\n'
    assert _read(body, Format(FormatType.JSON, paths=("a",))) == "198.51.100.7 203.0.113.9"


_FAMILIES = {
    '{"ipv4": ["198.51.100.7"], "ipv6": ["2001:db8::7"]}': "198.51.100.7 2001:db8::7",
    '{"prefixes": [{"ip_prefix": "198.51.100.7"}], "ipv6_prefixes": [{"ipv6_prefix": "2001:db8::7"}]}': (
        "198.51.100.7 2001:db8::7"
    ),
    '{"prefixes": [{"ipv4Prefix": "198.51.100.7"}, {"ipv6Prefix": "2001:db8::7"}]}': "198.51.100.7 2001:db8::7",
    '[{"ipv4": "198.51.100.7", "ipv6": "2001:db8::7"}, {"ipv4": "203.0.113.9", "ipv6": null}]': (
        "198.51.100.7 203.0.113.9 2001:db8::7"
    ),
    '{"v4": "198.51.100.7", "v6": "2001:db8::7"}\n{"v4": "", "v6": "2001:db8::9"}\n': "198.51.100.7 2001:db8::7 2001:db8::9",
    '{"result": {"ipv4_cidrs": ["198.51.100.0/31"], "ipv6_cidrs": ["2001:db8::7"]}, "success": true}': (
        "198.51.100.0-198.51.100.1 2001:db8::7"
    ),
}


def test_the_networks_of_github_are_read() -> None:
    keys = ("hooks", "web", "api", "git", "pages", "actions")
    meta = {
        "verifiable_password_authentication": False,
        "ssh_keys": ["ssh-ed25519 AAAA"],
        "domains": {"website": ["*.github.com"]},
    }
    body = json.dumps({**meta, **{key: [f"198.51.100.{2 * at}", "2001:db8::/64"] for at, key in enumerate(keys)}})
    assert _read(body).split()[:-1] == [f"198.51.100.{2 * at}" for at in range(6)]


@pytest.mark.parametrize(("body", "right"), _FAMILIES.items())
def test_both_families_are_read(body: str, right: str) -> None:
    assert _read(body) == right


@pytest.mark.parametrize("kind", [FormatType.JSON, FormatType.JSONL])
def test_what_is_in_doubt_is_refused_with_what_to_write(kind: FormatType) -> None:
    body = b'{"a": "198.51.100.7", "b": "192.0.2.1"}\n' * 2
    with pytest.raises(ParseError) as refusal:
        parse(body, Format(kind))
    assert "a, b" in refusal.value.message
    assert f"type: {kind}" in refusal.value.hint


_addresses = st.ip_addresses().map(str)
_keys = st.text("abcxyz_ipENDstart", min_size=1, max_size=8)


@st.composite
def _tables(draw: st.DrawFn) -> tuple[str, list[dict[str, str]]]:
    """A key, and records in which it has an address; there are other keys, some of which have addresses as well."""
    key, others = draw(_keys), draw(st.lists(_keys, max_size=3))
    values = st.one_of(_addresses, st.text(max_size=6), st.just("allow"))
    one = st.fixed_dictionaries({key: _addresses}, optional={other: values for other in others if other != key})
    return key, draw(st.lists(one, min_size=1, max_size=6))


def _addresses_of(records: list[dict[str, str]], key: str) -> str:
    return _read("\n".join(record[key] for record in records), Format(FormatType.PLAIN))


@given(_tables())
def test_a_table_is_read_back_by_its_key(table: tuple[str, list[dict[str, str]]]) -> None:
    key, records = table
    right = _addresses_of(records, key)
    lines = "\n".join(map(json.dumps, records))
    assert _read(json.dumps({"data": records}), Format(FormatType.JSON, paths=(f"data[].{key}",))) == right
    assert _read(lines, Format(FormatType.JSONL, field=key)) == right
    assert _read(lines, Format(FormatType.JSON, paths=(key,))) == right


@given(st.lists(st.tuples(st.ip_addresses(v=4), st.integers(0, 300)), min_size=1, max_size=6), st.booleans())
def test_a_table_of_ranges_is_read_back_by_its_keys(rows: list[tuple[ipaddress.IPv4Address, int]], lines: bool) -> None:
    ends = [(low, ipaddress.IPv4Address(min(int(low) + more, 2**32 - 1))) for low, more in rows]
    right = _read("\n".join(f"{low} - {high}" for low, high in ends), Format(FormatType.PLAIN))
    records = [{"a": str(low), "z": str(high)} for low, high in ends]
    if lines:
        form = Format(FormatType.JSONL, field="a", ends=("z",))
        assert _read("\n".join(map(json.dumps, records)), form) == right
    else:
        assert _read(json.dumps(records), Format(FormatType.JSON, paths=("[].a",), ends=("z",))) == right


@given(_tables(), st.booleans())
def test_a_table_is_found_exactly_or_refused(table: tuple[str, list[dict[str, str]]], lines: bool) -> None:
    """One key alone has addresses, as in a list without surprises; with two of them there is no right value."""
    key, records = table
    alone = [{name: value for name, value in record.items() if name == key or _read(value) == REFUSED} for record in records]
    body = "\n".join(map(json.dumps, alone)) if lines else json.dumps(alone)
    assert _read(body) in (_addresses_of(alone, key), REFUSED)


_BAN_KEYS = ("ip", "ipAddress", "address", "value", "indicator", "cidr", "attacker_ip", "ioc", "whatever", "source.ip")
_NO_BAN_KEYS = ("reported_by", "sensor_ip", "victim", "whitelisted_ip", "dns", "gateway", "comment", "client_ip", "targets")
_ENDS_KEYS = (("start", "end"), ("startIp", "endIp"), ("range_start", "range_end"), ("ip_start", "ip_end"), ("begin", "stop"))
_LENGTH_KEYS = ("prefix", "prefixlen", "length", "mask_bits", "cidr", "netmask")
_OTHER_VALUES: dict[str, st.SearchStrategy[object]] = {
    "score": st.sampled_from([0, 33, 90, 100]),
    "port": st.sampled_from([443, 3389]),
    "seen": st.sampled_from(["2026-01-01", "2026-01-01T10:00:00Z"]),
    "name": st.sampled_from(["a", "a.example", "1.2", "x:y"]),
    "active": st.just(True),
    "tags": st.lists(st.sampled_from(["ssh", "web"]), max_size=2),
    "geo": st.fixed_dictionaries({"lat": st.floats(-90, 90), "city": st.just("Oslo")}),
}


@st.composite
def _lists_of_records(draw: st.DrawFn) -> tuple[list[dict[str, object]], str]:
    """Records as publishers write them, and the plain list that they say."""
    shape = draw(st.sampled_from(["address", "ends", "length"]))
    key, ends, length = draw(st.sampled_from(_BAN_KEYS)), draw(st.sampled_from(_ENDS_KEYS)), draw(st.sampled_from(_LENGTH_KEYS))
    aside = draw(st.lists(st.sampled_from(_NO_BAN_KEYS), max_size=2))
    records: list[dict[str, object]] = []
    right: list[str] = []
    for _ in range(draw(st.integers(1, 5))):
        # Addresses that may be masks are another matter.
        address = draw(st.ip_addresses(v=4).filter(lambda one: 1 << 24 <= int(one) < 224 << 24))
        record: dict[str, object] = {name: str(draw(st.ip_addresses(v=4))) for name in aside}
        if shape == "address":
            record[key] = str(address)
            right.append(str(address))
        elif shape == "ends":
            last = ipaddress.IPv4Address(min(int(address) + draw(st.integers(0, 1000)), 2**32 - 1))
            record |= {ends[0]: str(address), ends[1]: str(last)}
            right.append(f"{address} - {last}")
        else:
            network = ipaddress.IPv4Network((address, draw(st.integers(8, 32))), strict=False)
            record |= {"network": str(network[0]), length: str(network.netmask) if length == "netmask" else network.prefixlen}
            right.append(str(network))
        for name in draw(st.lists(st.sampled_from(sorted(_OTHER_VALUES)), max_size=3, unique=True)):
            record[name] = draw(_OTHER_VALUES[name])
        records.append(record)
    return records, _read("\n".join(right), Format(FormatType.PLAIN))


_WRITTEN: dict[str, Callable[[list[dict[str, object]]], str]] = {
    "array": json.dumps,
    "minified": lambda records: json.dumps(records, separators=(",", ":")),
    "indented": lambda records: json.dumps({"meta": {"n": len(records)}, "data": records}, indent=2),
    "lines": lambda records: "\n".join(map(json.dumps, records)) + "\n",
    "stream": lambda records: "\n".join(json.dumps(record, indent=1) for record in records),
    "keyed": lambda records: json.dumps({str(at): record for at, record in enumerate(records)}),
}


@pytest.mark.parametrize("kind", _WRITTEN)
@given(_lists_of_records())
def test_a_list_as_publishers_write_it_is_read_exactly_or_refused(kind: str, made: tuple[list[dict[str, object]], str]) -> None:
    records, right = made
    assert _read(_WRITTEN[kind](records)) in (right, REFUSED)


@given(_lists_of_records())
def test_most_lists_of_one_address_a_record_are_read(made: tuple[list[dict[str, object]], str]) -> None:
    records, right = made
    if not any(key in record for record in records for pair in _ENDS_KEYS for key in (*pair, "network")):
        assert _read(json.dumps(records)) == right
