"""Lists whose lines say more than an address: what is read, what is left out, and what is refused."""

import pytest

from banlistd.core.addresses.sets import FAMILIES, to_text
from banlistd.core.feeds.parsers import parse
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from support.written_addresses import written

_AUTO = Format()


def _read(body: str | bytes, form: Format = _AUTO) -> str:
    """All that is banned, blanks between."""
    parsed = parse(body.encode() if isinstance(body, str) else body, form)
    words = []
    for family in FAMILIES:
        held = parsed.addresses.ranges(family)
        ends = [(to_text(family, first), to_text(family, last)) for first, last in zip(held.first, held.last, strict=True)]
        words += [first if first == last else f"{first}-{last}" for first, last in ends]
    return " ".join(words)


_NET = "198.51.100.0-198.51.100.255"

_READ = {
    # several addresses
    "198.51.100.7,203.0.113.9,192.0.2.77": "192.0.2.77 198.51.100.7 203.0.113.9",
    "198.51.100.7 203.0.113.9": "198.51.100.7 203.0.113.9",
    "198.51.100.7; 203.0.113.9; 2001:db8::7": "198.51.100.7 203.0.113.9 2001:db8::7",
    "198.51.100.7\t203.0.113.0/31 # two": "198.51.100.7 203.0.113.0-203.0.113.1",
    "198.51.100.7 | 203.0.113.5 - 203.0.113.6": "198.51.100.7 203.0.113.5-203.0.113.6",
    "2001:db8::7 2001:db8:ffff::1": "2001:db8::7 2001:db8:ffff::1",
    "2001:db8::7,fe80::1,198.51.100.7": "198.51.100.7 2001:db8::7 fe80::1",
    "Deny from 198.51.100.7 203.0.113.9": "198.51.100.7 203.0.113.9",
    '"198.51.100.7","203.0.113.9"': "198.51.100.7 203.0.113.9",
    "198.51.100.7 198.200.1.1": "198.51.100.7 198.200.1.1",
    # networks in other words
    "198.51.100.0 /24": _NET,
    "198.51.100.0 / 24": _NET,
    "198.51.100.0/ 24 # why": _NET,
    "2001:db8:: /127": "2001:db8::-2001:db8::1",
    "198.51.100.0 255.255.255.0": _NET,
    "198.51.100.0\t255.255.255.0\tname": _NET,
    "198.51.100.0,255.255.255.0": _NET,
    "198.51.100.0 netmask 255.255.255.0": _NET,
    "198.51.100.0 0.0.0.255": _NET,
    "198.51.100.7 255.255.255.255": "198.51.100.7",
    "198.51.100.7 0.0.0.0": "198.51.100.7",
    "198.51.100.0 mask 255.255.255.0": _NET,
    "198.51.100.*": _NET,
    "198.51.*": "198.51.0.0-198.51.255.255",
    "198.51.*.*": "198.51.0.0-198.51.255.255",
    "198.51.100.3-9": "198.51.100.3-198.51.100.9",
    "198.51.100.3-9 # why": "198.51.100.3-198.51.100.9",
    "198.51.100.3\u2013198.51.100.9": "198.51.100.3-198.51.100.9",
    # quotes
    '"198.51.100.7"': "198.51.100.7",
    "'198.51.100.7',": "198.51.100.7",
    '  "198.51.100.0/24"  # why': _NET,
    '"198.51.100.7" "seen twice"': "198.51.100.7",
    "`198.51.100.7`": "198.51.100.7",
    '"2001:db8::7"': "2001:db8::7",
    # signs that are not seen
    "\u00a0198.51.100.7\u00a0": "198.51.100.7",
    "198.51.100.7\u200b": "198.51.100.7",
    "\u200b198.51.100.7 why": "198.51.100.7",
    "198.51\u00ad.100.7": "198.51.100.7",
    "198.51.100.7\u00a0# why": "198.51.100.7",
    "198.51.100.7\u3000why": "198.51.100.7",
    # still one address and a remark
    "198.51.100.7 - seen twice": "198.51.100.7",
    "198.51.100.7 24": "198.51.100.7",
    "198.51.100.7,443,name": "198.51.100.7",
    "198.51.100.7 203.0.113.9 x": "198.51.100.7",
    "198.51.100.7 2026-01-01 10:00:00": "198.51.100.7",
    "198.51.100.7 2.5": "198.51.100.7",
    "198.51.100.7 norway": "198.51.100.7",
    "198.51.100.7\tAL": "198.51.100.7",
    "198.51.100.7 # 203.0.113.9": "198.51.100.7",
    "198.51.100.0/24 ; 203.0.113.9": _NET,
    "198.51.100.7 http://host.example/203.0.113.9": "198.51.100.7",
}


@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.PLAIN])
@pytest.mark.parametrize(("line", "held"), _READ.items())
def test_a_line_is_read_for_all_that_it_says(line: str, held: str, kind: FormatType) -> None:
    body = f"{line}\n192.0.2.200\n192.0.2.202\n192.0.2.204\n"
    assert set(_read(body, Format(kind)).split()) == {*held.split(), "192.0.2.200", "192.0.2.202", "192.0.2.204"}


_DOUBTFUL = (
    "198.51.100.0 198.51.100.255",
    "198.51.100.0\t198.51.100.63\tname",
    "198.51.100.7 255.255.255.0",
    "198.51.100.7 0.0.0.255",
    "198.51.100.0 netmask 255.0.255.0",
    "198.51.100.0 /33",
    "198.51.100.3 to 198.51.100.9",
    "198.51.100.3 - 9",
    "7.100.51.198 IN A 127.0.0.2",
    "7.100.51.198 300 IN A 127.0.0.2",
    "7.100.51.198 A 127.0.0.2",
    "192.0.2.1 Example Net:198.51.100.0-198.51.100.255",
    "192.0.2.1, Example:198.51.100.0 - 198.51.100.255",
    "192.0.2.1 Example:2001:db8::-2001:db8::ff",
    "-A INPUT ! -s 198.51.100.7 -j DROP",
    "!all",
)


@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.PLAIN])
@pytest.mark.parametrize("line", _DOUBTFUL)
def test_a_line_with_two_readings_refuses_the_list(line: str, kind: FormatType) -> None:
    if kind is FormatType.AUTO and line == "198.51.100.0 /33":
        pytest.skip("a table of sizes, whose other lines are read")
    with pytest.raises(ParseError) as refusal:
        parse(f"192.0.2.200\n192.0.2.202\n192.0.2.204\n{line}\n".encode(), Format(kind))
    assert "line 4" in refusal.value.message
    assert refusal.value.hint


def test_a_length_that_no_network_has_is_skipped_where_lines_have_lengths() -> None:
    parsed = parse(b"192.0.2.200\n192.0.2.202\n203.0.113.0 /24\n198.51.100.0 /33\n")
    assert (parsed.entries, parsed.rejected) == (3, 1)


def test_one_doubtful_line_of_many_is_left_out_and_shown() -> None:
    body = "".join(f"192.0.2.{n}\n" for n in range(200)) + "198.51.100.0 198.51.100.255\n"
    parsed = parse(body.encode())
    assert (parsed.entries, parsed.rejected) == (200, 1)
    assert parsed.samples[0].reason == "two addresses that may be the ends of a range"


@pytest.mark.parametrize(
    "body",
    [
        "198.51.100.0 24\n",
        "network prefix\n198.51.100.0 24\n203.0.113.0 26\n",
        "2001:db8:: 32\n",
        "198.51.100.0 256\n203.0.113.0 64\n",
        "198.51.100.3 198.51.100.9\n203.0.113.1 203.0.113.20\n",
        "2001:db8::1 2001:db8::9\n2001:db8:1::1 2001:db8:1::2\n",
    ],
)
def test_a_list_whose_rows_may_all_be_networks_is_refused(body: str) -> None:
    with pytest.raises(ParseError):
        parse(body.encode(), Format(FormatType.PLAIN))


_MESSAGES = (
    "192.0.2.55 has exceeded its download quota, try again tomorrow",
    "192.0.2.55 is blocked",
    "192.0.2.55, too many requests",
    "192.0.2.55 429 Too Many Requests",
    "192.0.2.55 - access denied",
    "192.0.2.55\tForbidden",
    "2001:db8::55 exceeded the hourly rate limit",
    "192.0.2.55 was banned.\nContact the operator of this server.\n",
    "192.0.2.55\nYour address has sent too many requests\n",
    "2026-01-01 10:00:00 192.0.2.55 quota reached",
    "192.0.2.55 may not download this list",
    "'192.0.2.55' is not allowed here",
    "192.0.2.55|unauthorized",
)


@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.PLAIN])
@pytest.mark.parametrize("body", _MESSAGES)
def test_a_message_that_begins_with_the_readers_address_is_no_list(body: str, kind: FormatType) -> None:
    with pytest.raises(ParseError, match="reads like a message"):
        parse(body.encode(), Format(kind))


@pytest.mark.parametrize(
    "body", ["192.0.2.55", "192.0.2.55 # has exceeded its quota", "192.0.2.55 CN", "192.0.2.55 ssh", "192.0.2.55,443,Pony"]
)
def test_a_list_of_one_entry_is_no_message(body: str) -> None:
    assert _read(body) == "192.0.2.55"


def test_remarks_in_words_are_remarks_in_a_list_of_more_than_two() -> None:
    body = "192.0.2.1 has been seen often\n192.0.2.3 is blocked here\n192.0.2.5 known bad scanner\n"
    assert _read(body) == "192.0.2.1 192.0.2.3 192.0.2.5"


_REST = "198.51.100.0-198.51.100.6 198.51.100.8-198.51.100.255"


@pytest.mark.parametrize(
    "line",
    [
        "!198.51.100.7",
        "! 198.51.100.7",
        "!198.51.100.7/32 # ours",
        "198.51.100.7 nomatch",
        "add b 198.51.100.7 nomatch",
        "add b 198.51.100.7 timeout 0 nomatch",
        "add allowed 198.51.100.7",
        "198.51.100.7 OK",
        "198.51.100.7\tpermit",
        "198.51.100.7,allow",
        "198.51.100.7 DUNNO",
        "allow from 198.51.100.7",
        "allow 198.51.100.7;",
        "Require ip 198.51.100.7",
        "del b 198.51.100.7",
        "-A INPUT -s 198.51.100.7 -j ACCEPT",
        "-D INPUT -s 198.51.100.7 -j DROP",
        "add list=whitelist address=198.51.100.7",
        "ufw allow from 198.51.100.7",
        "pass in quick from 198.51.100.7 to any",
        "access-list 10 permit 198.51.100.7",
        "sshd: 198.51.100.7 : allow",
        "Connect:198.51.100.7 OK",
    ],
)
def test_an_exception_is_taken_out_of_the_list(line: str) -> None:
    assert _read(f"198.51.100.0/24\n{line}\n", Format(FormatType.PLAIN)) == _REST


_DENYING = (
    "add -exist b {}",
    "add b {} -exist",
    "ipset add b {}",
    "ipset -exist add b {} timeout 3600",
    "sudo ipset -A b {}",
    "-A b {}",
    'add b {} comment "nomatch"',
    "-A INPUT -s {} -j DROP",
    "-A INPUT -s {} -p tcp -m tcp --dport 22 -j REJECT --reject-with icmp-port-unreachable",
    "iptables -I INPUT 1 --source {} -j DROP",
    "/sbin/iptables -t raw -A PREROUTING -s {} -j DROP",
    "-A FORWARD -m iprange --src-range {} -j DROP",
    "-A f2b-sshd -s {} -j LOGDROP",
    'add list=blk address={} comment="x"',
    "add address={} list=blk timeout=1d",
    "/ip firewall address-list add list=blk address={}",
    ":do {{ add address={} list=blk }} on-error={{}}",
    "add action=drop chain=input src-address={}",
    "netsh advfirewall firewall add rule name=x dir=in action=block remoteip={}",
    "Require not ip {}",
    "Deny from {}",
    "deny {};",
    "blackhole {}",
    "ip route add blackhole {}",
    "route add -net {} reject",
    "ufw deny from {}",
    "ufw insert 1 deny from {} to any",
    "block in quick from {} to any",
    "block drop in log quick on egress inet from {} to any",
    "ipfw add 100 deny ip from {} to any",
    "pfctl -t bad -T add {}",
    "deny ip host {} any",
    "10 deny ip host {} any",
    "access-list 10 deny {}",
    "nft add element inet filter bad {{ {} }}",
    "nft add rule inet filter input ip saddr {} counter drop",
    "firewall-cmd --zone=drop --add-source={}",
    'firewall-cmd --add-rich-rule=\'rule family="ipv4" source address="{}" drop\'',
    "set firewall group address-group BLK address {}",
    "set policy-options prefix-list bad {}",
    "set routing-options static route {} discard",
    "ALL: {}",
    "sshd : {} : deny",
    "Connect:{} REJECT",
    "csf -d {} why",
)


@pytest.mark.parametrize("command", _DENYING)
@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.PLAIN])
def test_a_command_that_denies_is_an_entry(command: str, kind: FormatType) -> None:
    body = "\n".join(command.format(address) for address in ("198.51.100.7", "203.0.113.9", "192.0.2.77"))
    assert _read(body, Format(kind)) == "192.0.2.77 198.51.100.7 203.0.113.9"


_NOT_DENYING = (
    "-A INPUT -s 198.51.100.7 -j LOG",
    "-A INPUT -s 198.51.100.7 -p tcp -j ACCEPT",
    "-A INPUT -d 198.51.100.7 -j DROP",
    "deny ip any host 198.51.100.7",
    "add action=log chain=input src-address=198.51.100.7",
    "add list=blk address=198.51.100.7 disabled=yes",
    "/ip address add address=198.51.100.7/24 interface=ether1",
    "route add 198.51.100.7 gw 192.0.2.1",
    "ip route 198.51.100.0 255.255.255.0 192.0.2.1",
    "set interfaces ethernet eth0 address 198.51.100.7/24",
    "set firewall name WAN rule 10 source address 198.51.100.7",
    "firewall-cmd --zone=trusted --add-source=198.51.100.7",
    "add action=accept chain=input src-address=198.51.100.7",
    "http://host.example/?address=198.51.100.7&list=abc",
    "blocked: 198.51.100.7",
    "Request blocked: 198.51.100.7",
    "- 198.51.100.7",
    "-198.51.100.7",
    "+198.51.100.7",
)


@pytest.mark.parametrize("line", _NOT_DENYING)
@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.PLAIN])
def test_a_command_that_denies_nothing_bans_nothing(line: str, kind: FormatType) -> None:
    try:
        banned = _read(line, Format(kind))
    except ParseError:
        assert kind is FormatType.AUTO  # it may be a table, too
    else:
        assert banned == ""


def test_networks_in_commands_have_their_masks() -> None:
    body = "access-list 10 deny 198.51.100.0 0.0.0.255\nip route 203.0.113.0 255.255.255.128 Null0\nDeny from 192.0.2\n"
    assert _read(body) == f"192.0.2.0-192.0.2.255 {_NET} 203.0.113.0-203.0.113.127"


def test_what_frames_commands_is_not_rejected() -> None:
    body = (
        "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 198.51.100.7/32 -j DROP\nCOMMIT\n"
        "<RequireAll>\nRequire all granted\nRequire not ip 198.51.100.9\n</RequireAll>\n/ip firewall address-list\n"
        "create b hash:net family inet\nflush b\n"
    )
    parsed = parse(body.encode())
    assert (parsed.entries, parsed.rejected) == (2, 0)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-16", "utf-32", "utf-8-sig"])
def test_wide_encodings_are_read_without_a_mark_too(codec: str) -> None:
    assert _read("198.51.100.7\r\n203.0.113.9\r\n".encode(codec)) == "198.51.100.7 203.0.113.9"


def test_names_of_a_p2p_list_may_begin_with_addresses() -> None:
    body = "192.0.2.1 Example Net:198.51.100.0-198.51.100.255\n192.0.2.0/28 #3 office:203.0.113.0-203.0.113.63\n"
    assert _read(body) == f"{_NET} 203.0.113.0-203.0.113.63"
    assert _read("192.0.2.9:2001:db8::-2001:db8::f\n10.0.0.0-10.0.0.9 x:2001:db8:1::-2001:db8:1::f\n") == (
        "2001:db8::-2001:db8::f 2001:db8:1::-2001:db8:1::f"
    )


_ZONE = """$ORIGIN bl.example.
$TTL 300
@ IN SOA ns.example. host.example. (
    2026010101 ; serial
    3600 600 86400 300 )
@ IN NS ns.example.
7.100.51.198 IN A 127.0.0.2
7.100.51.198 IN TXT "listed"
*.113.0.203 300 IN A 127.0.0.3
9.2.0.192.bl.example. IN A 127.0.0.2
localhost IN A 127.0.0.1
"""


def test_names_of_a_dns_zone_are_reversed_addresses() -> None:
    assert _read(_ZONE) == "192.0.2.9 198.51.100.7 203.0.113.0-203.0.113.255"
    assert parse(_ZONE.encode()).form.type is FormatType.DNS_ZONE
    assert parse(_ZONE.encode()).rejected == 0


@pytest.mark.parametrize(
    "line",
    [
        "7.100.51.198 IN A 127.0.0.2",
        "7.100.51.198\tIN\tA\t127.0.0.2",
        "7.100.51.198 300 IN A 127.0.0.2",
        "7.100.51.198 IN 300 A 127.0.0.2",
        "7.100.51.198 A 127.0.0.2",
        "7.100.51.198.bl.example. IN A 127.0.0.2",
        "7.100.51.198.bl.example. 3600 in a 127.0.0.2",
        "7.100.51.198 IN CNAME listed.example.",
        "32.7.100.51.198.rpz-client-ip CNAME .",
        "32.7.100.51.198.rpz-ip.rpz.example. 60 IN CNAME rpz-drop.",
    ],
)
def test_records_without_directives_are_a_zone(line: str) -> None:
    assert _read(f"{line}\n") == "198.51.100.7"


@pytest.mark.parametrize(
    "line",
    [
        '7.100.51.198 IN TXT "listed (see https://list.example; by mail"',
        r'7.100.51.198 IN TXT "a \" (" "(b"',
        "7.100.51.198 IN TXT listed ; (see there",
        '; "quoted (',
        "# listed (daily",
    ],
)
def test_a_bracket_in_a_text_or_a_remark_hides_no_record(line: str) -> None:
    assert _read(f"$TTL 300\n{line}\n9.113.0.203 IN A 127.0.0.2\n").endswith("203.0.113.9")


def test_a_zone_whose_bracket_has_no_end_is_refused() -> None:
    with pytest.raises(ParseError, match="line 2 has no end"):
        parse(b"$TTL 300\n@ IN SOA ns.example. host.example. (\n9.113.0.203 IN A 127.0.0.2\n")


def test_a_policy_that_lets_through_is_an_exception() -> None:
    body = "24.0.100.51.198.rpz-ip CNAME .\n32.7.100.51.198.rpz-ip CNAME rpz-passthru.\n"
    assert _read(body) == _REST


@pytest.mark.parametrize(
    "line", ["7.100.51.198 IN A 203.0.113.9", "7.100.51.198.in-addr.arpa. IN PTR host.example.", "host IN A 198.51.100.7"]
)
def test_addresses_that_are_answers_are_no_entries(line: str) -> None:
    assert _read(f"$TTL 300\n{line}\n9.113.0.203 IN A 127.0.0.2\n") == "203.0.113.9"


def test_a_zone_of_records_is_not_read_as_one_of_rbldnsd() -> None:
    with pytest.raises(ParseError, match="reversed"):
        parse(b":127.0.0.2:x\n7.100.51.198 IN A 127.0.0.2\n", Format(FormatType.RBLDNSD))


_DEFANGED = (
    "198[.]51[.]100[.]7",
    "198.51.100[.]7",
    "198(.)51(.)100(.)7",
    "198{.}51.100.7",
    "198[dot]51[dot]100[dot]7",
    "198(DOT)51.100.7",
    "198[.]51[.]100[.]7[:]8080",
    "198[.]51[.]100[.]7 # why",
    "198[.]51[.]100[.]7/32",
)


@pytest.mark.parametrize("line", _DEFANGED)
def test_defanged_addresses_are_read_where_the_source_says_so(line: str) -> None:
    assert _read(line, Format(FormatType.PLAIN, defanged=True)) == "198.51.100.7"
    assert _read(f"203.0.113.9\n{line}\n203.0.113.11\n", Format(FormatType.PLAIN)) == "203.0.113.9 203.0.113.11"


_URLS = (
    "http://198.51.100.7",
    "https://198.51.100.7/path?a=192.0.2.1",
    "http://198.51.100.7:8080/",
    "http://user:secret@198.51.100.7/",
    '"ftp://198.51.100.7/x"',
    "http://198.51.100.7/ , seen twice",
)


@pytest.mark.parametrize("line", _URLS)
def test_hosts_of_urls_are_entries_where_the_source_says_so(line: str) -> None:
    assert _read(line, Format(FormatType.PLAIN, urls=True)) == "198.51.100.7"
    assert _read(line, Format(FormatType.PLAIN)) == ""


@pytest.mark.parametrize("line", ["http://192.0.2.1.example/", "https://host.example/192.0.2.1", "http://host.example:80/"])
def test_names_of_hosts_are_no_entries_and_not_rejected(line: str) -> None:
    parsed = parse(f"{line}\nhttp://198.51.100.7/\n".encode(), Format(FormatType.PLAIN, urls=True))
    assert (parsed.entries, parsed.rejected) == (1, 0)


def test_defanged_urls_need_both_keys() -> None:
    body = "hxxp://198[.]51[.]100[.]7/x\nhXXps[://]203[.]0.113[.]9/\nhttp://[2001:db8::7]:80/\n"
    assert _read(body, Format(FormatType.PLAIN, defanged=True, urls=True)) == "198.51.100.7 203.0.113.9 2001:db8::7"
    assert _read(body, Format(FormatType.PLAIN, defanged=True)) == ""


@pytest.mark.parametrize("line", ["192.0.2.6,192.0.2.7,name", "192.0.2.6\t192.0.2.7", "192.0.2.6 192.0.2.7 # name"])
def test_both_addresses_of_a_network_of_two_are_read(line: str) -> None:
    assert written(parse(line.encode(), Format(FormatType.PLAIN)).addresses) == ["192.0.2.6-192.0.2.7"]
