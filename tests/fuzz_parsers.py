"""Hostile bytes for every reader of lists: a million with `python tests/fuzz_parsers.py --count 1000000`.

Each input is a seed (a piece of every format, windows of the real lists where they are) after some mutations. Nothing but
ParseError (of a compressed body: FetchError) may be raised, the quick way of reading must be the slow one, and none of them may
take out of proportion long for its length. The same number and seed give the same inputs again.
"""

import argparse
import bz2
import gzip
import lzma
import random
import statistics
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

from banlistd.core.addresses.canonical import hash_of
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.model import Source
from banlistd.core.download.decompression import unpack
from banlistd.core.feeds.content import Content
from banlistd.core.feeds.evaluate import evaluate
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.commands.blocks import blocks_as_lines
from banlistd.core.feeds.parsers.formats.plain import parse_plain, read_line
from banlistd.core.feeds.parsers.parsed import Harvest, Parsed
from banlistd.core.feeds.parsers.text import LONGEST_LINE, lines_of, normalised
from banlistd.core.feeds.reading.whole_list import parsed_list
from banlistd.errors import FetchError, ParseError
from banlistd.formats import Condition, Format, FormatType, Operator
from banlistd.model import SourceId
from support.data import DATA
from support.guarding import after

SEEDS = (
    b"192.0.2.1\n198.51.100.0/24 # office\n203.0.113.5-203.0.113.9\n2001:db8::/32\n::ffff:192.0.2.1\n",
    b"# comment\n; comment\n// comment\n1.2.3.4:80\n[2001:db8::1]:443\n10.0.0.0/255.0.0.0\n001.002.003.004\n",
    b"2024-01-01 10:00:00 192.0.2.1\nExitAddress 192.0.2.7 2024-01-01 00:00:00\ndeny from 192.0.2.8;\nadd blocked 192.0.2.9\n",
    b'when,address,note\n2024-01-01,192.0.2.1,"a, b"\n2024-01-02,192.0.2.2,""\n2024-01-03,2001:db8::7,x\n',
    b"Start\tEnd\tNetblock\tAttacks\n192.0.2.0\t192.0.2.255\t24\t4711\n198.51.100.0\t198.51.100.255\t24\t99\n",
    b'id,address,log\n1,192.0.2.1,"GET /\n9,192.0.2.66,""x"""\n2,192.0.2.2,x\n#3,192.0.2.3,"y"\n',
    b"apnic|*|ipv4|*|1|summary\napnic|NO|ipv4|192.0.2.0|96|20110414|allocated\napnic|NO|ipv6|2001:db8::|32|20110414|assigned\n",
    b"192.0.2.0 255.255.255.0\n198.51.100.0 0.0.0.63\n203.0.113.0 /24\n192.0.2.1 192.0.2.9\n",
    b"name;ipv4;ipv6;first;last;size\na;192.0.2.1;2001:db8::7;192.0.2.0;192.0.2.7;29\n;192.0.2.2;;3221225984;3221225991;8\n",
    b'{"prefixes": [{"ip_prefix": "192.0.2.0/24", "region": "x"}, {"ipv6_prefix": "2001:db8::/32"}], "n": 1e9}',
    b'{"cidr":"192.0.2.0/24","sblid":"SBL1"}\n{"cidr":"2001:db8::/32"}\n{"type":"metadata","records":2}\n',
    b"Some: name, here:192.0.2.0-192.0.2.255\nother:2001:db8::-2001:db8::ff\n",
    b"001.002.003.004 - 001.002.003.255 , 100 , name\n005.006.007.008 - 005.006.007.255 , 200 , allowed\n",
    b"$SOA 60 a b 0 1 2 3 4\n:127.0.0.2:listed $\n192.0.2\n!192.0.2.5\n192.0.2.7-9\n198.51.100/24:2:text\n2001:db8:\n",
    b"127.0.0.1 localhost\n0.0.0.0 ads.example\n192.0.2.1 bad.example worse.example\n::1 ip6-localhost\n",
    b"<!DOCTYPE html><html><head><title>503</title></head><body>192.0.2.1</body></html>",
    b"# Number of entries: 3\n192.0.2.1\n192.0.2.2\n# END 2 entries\n",
    b'{"start":"192.0.2.0","end":"192.0.2.63","n":9}\n{"start":"198.51.100.0","end":"198.51.100.9","deleted":true}\n',
    b'{"bans":{"192.0.2.1":{"score":90,"until":"2026-01-01"},"198.51.100.7":{"score":9}},"allow":["203.0.113.1"]}',
    b'{\n "network": "192.0.2.0", "length": 24\n}\n# a comment\n{\n "network": "198.51.100.0", "length": "255.255.255.0"\n}\n',
    b"""{"type":"bundle","objects":[{"type":"indicator","id":"a","pattern":"[ipv4-addr:value = '192.0.2.1' OR ipv4-addr:value
    IN ('198.51.100.7')]","valid_until":"2026-01-01T00:00:00Z"},{"type":"indicator","pattern":"[ipv6-addr:value ISSUBSET
    '2001:db8::/32'] FOLLOWEDBY [file:size = 7]"}]}""",
    b'{"a":[{"v":"192.0.2.1|443"},{"v":"198.51.100.7 (tcp/22)"},{"v":"[2001:db8::1]:80"},{"v":"192.0.2.2, 192.0.2.3"}]}',
    b"",
    b"\n",
    b"[",
    b'{"a":',
    b"\xff\xfe1\x00.\x002\x00",
    b"\xef\xbb\xbf192.0.2.1\r\n192.0.2.2\r",
)

TOKENS = (
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b",",
    b";",
    b"|",
    b"#",
    b"//",
    b"-",
    b" - ",
    b"/",
    b":",
    b"::",
    b".",
    b"..",
    b"!",
    b"$",
    b'"',
    b'""',
    b"{",
    b"}",
    b"[",
    b"]",
    b"[]",
    b"%",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\xc2\xa0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x0b",
    b"\x0c",
    b"\x1c",
    b"\x85",
    b"0",
    b"00",
    b"255",
    b"256",
    b"/0",
    b"/32",
    b"/33",
    b"/128",
    b"/129",
    b"/032",
    b"1.2.3.4",
    b"0.0.0.0/0",
    b"255.255.255.255",
    b"::/0",
    b"::ffff:1.2.3.4",
    b"fe80::1%eth0",
    b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    b"1e999",
    b"-1",
    b"null",
    b"true",
    b'"1.2.3.4"',
    b'{"ip":"1.2.3.4"}',
    b"\xd9\xa1.2.3.4",
    b"9" * 5000,
)

FORMS = (
    *map(Format, FormatType),
    *map(Format, [FormatType.AUTO, FormatType.PLAIN] * 3),
    Format(FormatType.CSV, columns=("2",)),
    Format(FormatType.CSV, columns=("1", "2"), separator="tab"),
    Format(FormatType.CSV, columns=("address",), separator=","),
    Format(FormatType.CSV, columns=("0",)),
    Format(FormatType.CSV, columns=("2", "3"), each=True),
    Format(FormatType.CSV, columns=("1",), prefix="2"),
    Format(FormatType.CSV, columns=("first", "last"), prefix="size", separator=";"),
    Format(FormatType.CSV, columns=("1",), netmask="2", separator="whitespace"),
    Format(FormatType.CSV, columns=("4",), count="5"),
    Format(FormatType.CSV, columns=("when", "address"), separator="whitespace"),
    Format(FormatType.JSONL, field="cidr"),
    Format(FormatType.JSON, paths=("prefixes[].ip_prefix", "prefixes[].ipv6_prefix")),
    Format(FormatType.JSON, paths=("[]", "a.b")),
    Format(FormatType.JSON, paths=("bans{}", "a{}[].v"), where=(Condition("score", Operator.AT_LEAST, ("50",)),)),
    Format(FormatType.JSON, paths=("start", "[].start"), ends=("end",), where=(Condition("n", Operator.FUTURE),), now=5),
    Format(FormatType.JSONL, field="network", lengths=("length",), where=(Condition("deleted", Operator.IS_NOT, ("true",)),)),
    Format(FormatType.STIX2, now=1_767_225_600),
    Format(FormatType.TAXII, now=1_767_225_600),
    Format(FormatType.PATTERN, pattern=r"(?P<address>[0-9A-Fa-f.:]{2,39})(?:/(?P<prefix>\d{1,3}))?"),
    Format(FormatType.PATTERN, pattern=r"(?s)\b(?P<address>\d[0-9.]*)\W{1,20}(?P<last>\d[0-9.]*)"),
    Format(FormatType.CROWDSEC, where=(Condition("origin", Operator.IS_NOT, ("CAPI",)),)),
    Format(FormatType.CROWDSEC, changes=True),
    Format(members="*"),
)

PACKERS: Sequence[Callable[[bytes], bytes]] = (
    gzip.compress,
    zlib.compress,
    bz2.compress,
    lzma.compress,
    zstandard.ZstdCompressor().compress,
)

LONGEST = 1 << 16
_CAP = 1 << 20
_SLOWEST = 12
_SHOWN = 500
# What reading any body costs, however short, in bytes' worth of time: else short ones would seem slow.
_COST_OF_A_CALL = 4000


def windows(folder: Path = DATA) -> list[bytes]:
    """Pieces of the real lists: beginning, middle and end of each."""
    found = []
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 1 << 24)
    for path in files:
        content = path.read_bytes()
        found += [content[at : at + 600] for at in (0, len(content) // 2, max(len(content) - 600, 0))]
    return found


def mutated(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    body = chance.choice(seeds)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 5, 8))):
        at = chance.randint(0, len(body))
        end = at + chance.choice((1, 1, 2, 4, 16, 64, 256))
        body = (body[:at] + _changed(body[at:end], seeds, chance) + body[end:])[:LONGEST]
    return b"\xff\xfe" + body.decode("latin-1").encode("utf-16-le") if chance.random() < 0.02 else body


def _changed(part: bytes, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    token, other = chance.choice(TOKENS), chance.choice(seeds)
    # Also lines of nearly the longest length, and longer ones, of one thing over and over.
    again = token * (chance.choice((999, 4000, 9999, 12_000)) // len(token))
    repeated = part * chance.choice((2, 10, 100))
    noise = chance.randbytes(len(part))
    spliced = other[chance.randint(0, len(other)) :]
    return chance.choice((b"", token, token + part, again + part, repeated, noise, part[::-1], spliced + part))


@dataclass
class Fuzzer:
    """`slowest`: inputs that took longest for their length, with what was done to them; `costs`: of some, for the middle."""

    seeds: Sequence[bytes]
    chance: random.Random
    count: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    costs: list[float] = field(default_factory=list)
    slowest: list[tuple[float, Callable[[], object], bytes]] = field(default_factory=list)

    def run(self, count: int) -> None:
        for _ in range(count):
            self.count += 1
            body = mutated(self.seeds, self.chance)
            try:
                self._try(body)
            except Exception as exc:
                raise AssertionError(f"input {self.count}, {len(body)} bytes: {_shown(body)}") from exc

    def worst_ratio(self) -> tuple[float, bytes]:
        """How many times as long as in the middle the slowest input takes for its length, and that input."""
        again = ((min(_cost(work, body) for _ in range(5)), body) for _, work, body in self.slowest)
        cost, body = max(again, key=lambda pair: pair[0])
        return cost / statistics.median(self.costs), body

    def _try(self, body: bytes) -> None:
        form = self.chance.choice(FORMS)
        self._time(lambda: self._parse(body, form), body)
        match self.chance.randrange(4):
            case 0:
                self._compare(body)
            case 1:
                self._read(body, form)
            case 2:
                self._unpack(body)

    def _time(self, work: Callable[[], object], body: bytes) -> None:
        cost = _cost(work, body)
        if self.count % 16 == 0 and len(self.costs) < 100_000:
            self.costs.append(cost)
        if len(self.slowest) < _SLOWEST or cost > self.slowest[-1][0]:
            self.slowest = sorted([*self.slowest, (cost, work, body)], key=lambda one: -one[0])[:_SLOWEST]

    def _parse(self, body: bytes, form: Format) -> None:
        try:
            parsed = parse(body, form)
        except ParseError:
            self.outcomes["not readable"] += 1
            return
        self.outcomes["addresses" if parsed.entries else "no address"] += 1
        assert len(parsed.samples) == min(parsed.rejected, 5)
        assert all(sample.text.isascii() and sample.text.isprintable() for sample in parsed.samples)
        assert AddressSet.decode(parsed.addresses.encode()) == parsed.addresses

    def _read(self, body: bytes, form: Format) -> None:
        """With all guards, after another list, or none."""
        source = Source(id=SourceId("a"), url="http://192.0.2.1/", format=form)
        addresses = parse(self.chance.choice(SEEDS[:3])).addresses
        before = self.chance.choice([None, Content(source.id, hash_of(addresses.encode()), addresses)])
        with suppress(ParseError):
            reading = evaluate(
                source, parsed_list(body, form), before, after(addresses if before else None, had_end_count=True)
            )
            self.outcomes["refused" if reading.refusal else "accepted"] += 1

    def _unpack(self, body: bytes) -> None:
        packed = bytearray(self.chance.choice(PACKERS)(body[:2000]) if self.chance.random() < 0.9 else body)
        for _ in range(self.chance.randrange(3)):
            packed[self.chance.randrange(len(packed) + 1) :][:1] = self.chance.randbytes(1)
        packed += self.chance.choice((b"", b"", b"\0\0", bytes(packed), b"junk"))
        del packed[self.chance.choice((len(packed), self.chance.randrange(len(packed) + 1))) :]
        try:
            unpack(bytes(packed), _CAP)
            self.outcomes["unpacked"] += 1
        except FetchError:
            self.outcomes["not unpacked"] += 1

    def _compare(self, body: bytes) -> None:
        """Arrays must read what single lines read."""
        try:
            text = blocks_as_lines(normalised(body))
        except ParseError:
            return
        quick, slow = Harvest(), Harvest()
        with suppress(ParseError):  # what is refused as a whole has been read all the same
            parse_plain(text, Format(), quick)
        for number, line in lines_of(text):
            # Further than this nobody looks at a line, not even for its first word.
            read_line(number, line[: LONGEST_LINE + 1], slow)
        one, other = (harvest.parsed(0, "", Format()) for harvest in (quick, slow))
        assert one.addresses == other.addresses
        assert _numbers(one) == _numbers(other)
        if one.rejected <= len(one.samples):
            assert {sample.line for sample in one.samples} == {sample.line for sample in other.samples}
        self.outcomes["compared"] += 1


def _shown(body: bytes) -> str:
    return repr(body) if len(body) < 2 * _SHOWN else f"{body[:_SHOWN]!r} ... {body[-_SHOWN:]!r}"


def _numbers(parsed: Parsed) -> tuple[int, int, int]:
    return parsed.entries4, parsed.entries6, parsed.rejected


def _cost(work: Callable[[], object], body: bytes) -> float:
    """This thread's own time for a byte: what else the machine does is not in it."""
    began = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - began) / (len(body) + _COST_OF_A_CALL)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Throw hostile bytes at every reader of lists.")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="default: by chance")
    arguments = parser.parse_args(argv)
    seeds = [*SEEDS, *windows()]
    print(f"{arguments.count} inputs from {len(seeds)} seeds; again with --seed {arguments.seed}", flush=True)
    fuzzer = Fuzzer(seeds, random.Random(arguments.seed))
    for done in range(0, arguments.count, 50_000):
        fuzzer.run(min(50_000, arguments.count - done))
        print(fuzzer.count, dict(fuzzer.outcomes), flush=True)
    ratio, body = fuzzer.worst_ratio()
    print(f"for its length the slowest takes {ratio:.1f} times as long as the middle one: {len(body)} bytes, {_shown(body)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
