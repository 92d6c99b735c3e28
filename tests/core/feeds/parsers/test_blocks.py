"""Lists whose entries are in blocks of several lines, or in parts of which some are allowed: read right, or refused."""

import pytest

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.formats.dns_zones import parse_zone
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType

_BODIES = [f"198.51.100.{octet}" for octet in range(1, 81)]


def _of(*entries: str) -> AddressSet:
    return parse("".join(f"{entry}\n" for entry in entries).encode(), Format(FormatType.PLAIN)).addresses


def _set(name: str, elements: str) -> str:
    return f"\tset {name} {{\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = {{ {elements} }}\n\t}}\n"


def _zone(*records: str) -> str:
    return "\n".join(["$ORIGIN rpz.example.", "@ IN SOA a. b. 1 1h 15m 30d 2h", *records, ""])


_TWO = ("198.51.100.7", "203.0.113.0/24")

_READ: dict[str, tuple[str, tuple[str, ...]]] = {
    "the set that nft lists, two elements in each line": (
        "table inet filter {\n" + _set("bad", "198.51.100.7, 203.0.113.0/24,\n\t\t\t     192.0.2.1-192.0.2.9") + "}\n",
        (*_TWO, "192.0.2.1-192.0.2.9"),
    ),
    "elements with times and counters": (
        _set("bad", "198.51.100.7 timeout 1h expires 3m,\n 203.0.113.0/24 counter packets 5 bytes 300"),
        _TWO,
    ),
    "a set from which a rule lets packets pass": (
        (
            f"table ip f {{\n{_set('mine', '192.0.2.1')}{_set('bad', ', '.join(_TWO))}"
            "\tchain in {\n\t\tip saddr @mine accept\n\t}\n}\n"
        ),
        _TWO,
    ),
    "a set that is called so": (_set("allowlist", "192.0.2.1") + _set("bad", ", ".join(_TWO)), _TWO),
    "a map to verdicts": (
        _set("bad", "198.51.100.7 : drop, 192.0.2.1 : accept, 203.0.113.0/24 : drop").replace("set", "map"),
        _TWO,
    ),
    "a define": ("define bad = {\n  198.51.100.7, # a\n  203.0.113.0/24,\n}\n", _TWO),
    "a define of bird": ("define BAD = [\n  198.51.100.7/32,\n  203.0.113.0/24\n];\n", _TWO),
    "a table of pf": (
        "table <bad> persist { 198.51.100.7, 203.0.113.0/24 !203.0.113.5 }\n",
        ("198.51.100.7", "203.0.113.0-203.0.113.4", "203.0.113.6-203.0.113.255"),
    ),
    "geo of nginx": ('geo $bad {\n  default 0;\n  198.51.100.7 1;\n  203.0.113.0/24 "1";\n  192.0.2.1 0;\n}\n', _TWO),
    "geo of nginx for another address": ("geo $remote_addr $bad { 198.51.100.7 1; 203.0.113.0/24 1; }\n", _TWO),
    "routes of bird": (
        "route 198.51.100.7/32 blackhole;\nroute 203.0.113.0/24 unreachable;\n",
        _TWO,
    ),
    "comments of several lines": ("/*\n192.0.2.1\n*/\n198.51.100.7\n<!-- 192.0.2.2\n192.0.2.3\n-->\n203.0.113.0/24\n", _TWO),
    "items of YAML": ("---\nbad:\n  # one\n  - 198.51.100.7\n  - '203.0.113.0/24'\n", _TWO),
    "items with stars": ("* 198.51.100.7\n* 203.0.113.0/24\n", _TWO),
    "what ipset lists": (
        "Name: bad\nType: hash:net\nNumber of entries: 2\nMembers:\n198.51.100.7\n203.0.113.0/24 timeout 9\n",
        _TWO,
    ),
    "one line between commas": (",".join(_BODIES) + "\n", tuple(_BODIES)),
    "one line between commas and quotes": (",".join(f'"{one}"' for one in _BODIES) + "\n", tuple(_BODIES)),
    "one line longer than a line may be": (",".join(_BODIES * 20), tuple(_BODIES)),
    "addresses in brackets": ("[198.51.100.7]\n[203.0.113.0]:25\n", ("198.51.100.7", "203.0.113.0")),
    "routes that lead somewhere": ("192.0.2.0/24 dev eth0 scope link\n" + "".join(f"blackhole {one}\n" for one in _TWO), _TWO),
    "an address and a port behind a bar": (
        "id,value\n1,198.51.100.7|80\n2,203.0.113.0/24\n3,192.0.2.9\n",
        (*_TWO, "192.0.2.9"),
    ),
    "a dash of Windows": ("192.0.2.1 \x96 192.0.2.9\n198.51.100.7\n", ("192.0.2.1-192.0.2.9", "198.51.100.7")),
    "a policy zone with IPv6": (
        _zone(
            "32.7.100.51.198.rpz-ip CNAME .", "128.7.zz.db8.2001.rpz-ip CNAME .", "48.zz.1.db8.2001.rpz-ip IN CNAME rpz-drop."
        ),
        ("198.51.100.7", "2001:db8::7", "2001:db8:1::/48"),
    ),
    "whitelisted": ("ip,whitelisted\n198.51.100.7,false\n192.0.2.1,true\n203.0.113.0/24,false\n", _TWO),
    "not active": ("seen,ip,is_active\na,198.51.100.7,1\nb,192.0.2.1,0\nc,203.0.113.0/24,1\n", _TWO),
}


@pytest.mark.parametrize(("body", "entries"), _READ.values(), ids=_READ)
def test_blocks_are_read_entry_by_entry(body: str, entries: tuple[str, ...]) -> None:
    parsed = parse(body.encode("latin-1"), Format())
    assert parsed.addresses == _of(*entries)


_REFUSED = {
    "a part of an INI file": "[allow]\n192.0.2.1\n[deny]\n198.51.100.7\n",
    "a part of YAML": "allowlist:\n  - 192.0.2.1\nbad:\n  - 198.51.100.7\n",
    "a set of ipset": "Name: whitelist\nMembers:\n192.0.2.1\n\nName: bad\nMembers:\n198.51.100.7\n",
    "geo of nginx with a default": "geo $good {\n default 1;\n 198.51.100.7 0;\n}\n",
    "a word in a table": "ip,status\n198.51.100.7,active\n192.0.2.1,removed\n",
    "two addresses joined by dots": "198.51.100.7\n203.0.113.1 .. 203.0.113.9\n",
    "an address and a network of one record": '[{"ip": "198.51.100.7", "cidr": ["198.51.100.0/24"]}, {"ip": "203.0.113.9"}]',
}


@pytest.mark.parametrize("body", _REFUSED.values(), ids=_REFUSED)
def test_what_may_be_allowed_is_refused(body: str) -> None:
    with pytest.raises(ParseError):
        parse(body.encode(), Format())


_NOTHING = {
    "items that may be taken away": "- 198.51.100.7\n- 203.0.113.9\n",
    "items taken away and added": "list:\n- 198.51.100.7\n+ 203.0.113.9\n",
    "a variable of Suricata with an exception": 'BAD: "[198.51.100.7,203.0.113.0/24,!203.0.113.5]"\n',
    "the length of an embedded address": "::ffff:203.0.113.0/24\n64:ff9b::203.0.113.0/24\n",
}


@pytest.mark.parametrize("body", _NOTHING.values(), ids=_NOTHING)
def test_what_is_in_doubt_is_rejected(body: str) -> None:
    parsed = parse(body.encode(), Format())
    assert (parsed.addresses, parsed.rejected > 0) == (_of(), True)


def test_a_name_with_two_gaps_is_no_address() -> None:
    harvest = Harvest()
    parse_zone(b"128.7.zz.1.zz.2001.rpz-ip CNAME .\n", Format(FormatType.DNS_ZONE), harvest)
    assert harvest.rejected == 1


def test_comments_without_an_end_are_no_comments() -> None:
    assert parse(b"/* 198.51.100.7\n203.0.113.9\n", Format()).addresses == _of("203.0.113.9")
