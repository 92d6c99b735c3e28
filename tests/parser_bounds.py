"""What the largest and the worst lists take: `python tests/parser_bounds.py --size 64` (MiB), or only those that are named.

For each: processor seconds and the peak of the process that reads it, its start included, how much the daemon's side grew, the
longest that its event loop was busy or (what other programs do is in it) away, and what came of it.
"""

import argparse
import asyncio
import gzip
import lzma
import os
import resource
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import zstandard

from banlistd.adapters.parser_process.process import ParserProcesses
from banlistd.errors import BanlistdError
from banlistd.formats import Format, FormatType
from support.hostile_bytes import xz_with_dictionary, zstd_frame

MIB = 2**20
_BEAT = 0.005
_TIMEOUT = 600.0
_CHUNK = 1 << 16
"""Bytes: as a socket gives them."""


@dataclass(frozen=True, slots=True)
class Figures:
    """`seconds`: of the processor, of the process. `process`, `growth`: bytes resident at most.

    `busy`: the loop's own processor seconds between two beats; `away`: all seconds.
    """

    seconds: float
    process: int
    growth: int
    busy: float
    away: float
    outcome: str


def of_lines(line: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """A body of so many bytes of different lines."""

    def body(size: int) -> bytes:
        lines, length = [], 0
        for number in range(size):
            lines.append(line(number))
            length += len(lines[-1])
            if length >= size:
                break
        return b"".join(lines)[:size]

    return body


def of(unit: bytes, before: bytes = b"", after: bytes = b"") -> Callable[[int], bytes]:
    """A body of so many bytes that says the same over and over."""
    return lambda size: before + unit * ((size - len(before) - len(after)) // len(unit)) + after


def _quad(number: int, last: int = 0) -> bytes:
    return b"%d.%d.%d.%d" % (1 + (number >> 15) % 220, (number >> 7) & 255, (2 * number) & 255, last)


_some_strings = of_lines(lambda n: b'"' + _quad(n, 1) + b'",\n')


def _strings(size: int) -> bytes:
    return _some_strings(size).rpartition(b"\n")[0]


LISTS: Mapping[str, tuple[Callable[[int], bytes], FormatType]] = {
    "plain addresses": (of_lines(lambda n: _quad(n, n % 251) + b"\n"), FormatType.AUTO),
    "plain networks": (of_lines(lambda n: _quad(n) + b"/31\n"), FormatType.AUTO),
    "plain IPv6": (of_lines(lambda n: b"2001:%x:%x::1\n" % (n >> 16, n & 65535)), FormatType.AUTO),
    "CSV": (of_lines(lambda n: b"2026-01-01," + _quad(n, 1) + b',"x"\n'), FormatType.AUTO),
    "JSON lines": (of_lines(lambda n: b'{"cidr":"' + _quad(n, 1) + b'","n":1}\n'), FormatType.AUTO),
    "p2p": (of_lines(lambda n: b"some name:" + _quad(n, 1) + b"-" + _quad(n, 9) + b"\n"), FormatType.AUTO),
    "p2p, colons and dashes": (of(b"a:1-2:" * 1600 + b"\n"), FormatType.P2P),
    "dat": (of_lines(lambda n: _quad(n, 1) + b" - " + _quad(n, 9) + b" , 000 , a name\n"), FormatType.AUTO),
    "hosts": (of_lines(lambda n: _quad(n, 1) + b" a.example\n"), FormatType.HOSTS),
    "hosts, all to 0.0.0.0": (of(b"0.0.0.0 a.b\n"), FormatType.AUTO),
    "rbldnsd": (of_lines(lambda n: _quad(n, 1) + b" :2:x\n"), FormatType.RBLDNSD),
    "rbldnsd, exclusions": (of_lines(lambda n: (b"!" if n % 2 else b"") + _quad(n, n % 200) + b"\n"), FormatType.RBLDNSD),
    "rbldnsd, one exclusion often": (of(b"!1.2.3.4\n", b":127.0.0.2:x\n"), FormatType.AUTO),
    "JSON": (lambda size: b"[" + _strings(size - 5) + b'"x"]', FormatType.JSON),
    "blank lines": (of(b"\n"), FormatType.AUTO),
}
"""Their size is the size asked for. Those that `auto` recognises are read as such."""


def _array(*lines: bytes) -> Callable[[int], bytes]:
    """A JSON array of the same items over and over; `lines`: an item or many, with their commas and line feeds."""
    return of(b"".join(lines), b"[", b"0]")


SHAPES: Mapping[str, tuple[Callable[[int], bytes], FormatType]] = {
    "JSON, empty objects in one line": (_array(b"{},"), FormatType.AUTO),
    "JSON, empty objects, format named": (_array(b"{},"), FormatType.JSON),
    "JSON, empty objects below a bracket": (of(b"{},", b"[\n", b"{}]"), FormatType.AUTO),
    "JSON, lines of empty objects": (_array(b"{}," * 3000, b"\n"), FormatType.AUTO),
    "JSON, lines of empty arrays": (_array(b"[]," * 3000, b"\n"), FormatType.AUTO),
    "JSON, lines of objects with a key": (_array(b'{"a":0},' * 1000, b"\n"), FormatType.AUTO),
    "JSON, objects with an empty key": (_array(b'{"":0},'), FormatType.AUTO),
    "JSON, arrays in arrays": (_array(b"[[]],"), FormatType.AUTO),
    "JSON, 90 arrays deep": (_array((b"[" * 90 + b"]" * 90 + b",") * 5, b"\n"), FormatType.AUTO),
    "JSON, numbers of 4000 digits": (_array(b"9" * 4000, b",\n"), FormatType.AUTO),
    "JSON, short numbers": (_array(b"999,"), FormatType.AUTO),
    "JSON, fractions": (_array(b"1e9,"), FormatType.AUTO),
    "JSON, lines of one address": (_array(b'"1.1.1.1",' * 900, b"\n"), FormatType.AUTO),
    "JSON, different strings": (
        lambda size: b"[" + of_lines(lambda n: b'"%x",' % n)(size - 5).rpartition(b",")[0] + b"]",
        FormatType.AUTO,
    ),
    "JSON, empty objects one behind the other": (of(b"{}"), FormatType.AUTO),
    "JSON, numbers one behind the other": (of(b"1 "), FormatType.JSON),
    "JSON, comments before": (of(b"#\n", b"", b"{}"), FormatType.JSON),
    "JSON, addresses for keys": (
        lambda size: b"{" + of_lines(lambda n: b'"' + _quad(n, 1) + b'":1,')(size - 9).rpartition(b",")[0] + b"}",
        FormatType.AUTO,
    ),
    "JSON, two addresses in each object": (_array(b'{"start":"1.1.1.1","end":"1.1.1.2"},'), FormatType.AUTO),
    "JSON, other keys in each object": (
        lambda size: b"[" + of_lines(lambda n: b'{"%x":"1.1.1.1"},' % n)(size - 5).rpartition(b",")[0] + b"]",
        FormatType.AUTO,
    ),
    "JSON, long keys in long keys": (
        lambda size: (b'{"' + b"k" * 140 + b'":') * 800 + _array(b'{"a":[]},')(size - 300_000) + b"}" * 800,
        FormatType.AUTO,
    ),
    "JSON, an address in words": (_array(b'"1.1.1.1 1.1.1.1 (tcp",'), FormatType.AUTO),
    "STIX, one pattern": (
        of(b" OR ipv4-addr:value='1.1.1.1'", b'[{"type":"indicator","pattern":"[file:size=1', b']"}]'),
        FormatType.STIX2,
    ),
    "STIX, indicators": (
        _array(b"""{"type":"indicator","pattern":"[ipv4-addr:value='1.1.1.1']"},""" * 50, b"\n"),
        FormatType.STIX2,
    ),
    "STIX, quotes": (
        _array(b"""{"type":"indicator","pattern":"[ipv4-addr:value""" + b"'" * 2001 + b'"},'),
        FormatType.STIX2,
    ),
    "CrowdSec, decisions": (
        _array(b'{"scope":"Ip","type":"ban","value":"1.1.1.1"},' * 50, b'{"deleted":null,"new":'),
        FormatType.CROWDSEC,
    ),
    "JSON lines, records of half a mebibyte": (of(b'{"a":"1.1.1.1","b":"' + b"x" * (1 << 19) + b'"}\n'), FormatType.AUTO),
    "JSON lines, one address": (of(b'{"a":"1.1.1.1"}\n'), FormatType.AUTO),
    "JSON lines, 900 addresses each": (of(b'{"a":[' + b'"1.1.1.1",' * 900 + b'"1.1.1.1"]}\n'), FormatType.AUTO),
    "CSV, 1000 columns": (of(b"1.1.1.1," * 1000 + b"\n"), FormatType.AUTO),
    "CSV, quotes": (of(b'"1.1.1.1","a""b"\n'), FormatType.AUTO),
    "CSV, a quoted field without an end": (of(b"1.1.1.1,x\n", b'1.1.1.1,"'), FormatType.CSV),
    "CSV, lines of quotes": (of(b',"' * 4990 + b"\n"), FormatType.CSV),
    "CSV, fields over two lines": (of(b'1.1.1.1,"a\nb"\n'), FormatType.AUTO),
    "CSV, comments with quotes": (of(b';"";"' * 1600 + b"\n"), FormatType.CSV),
    "CSV, numbers in 1000 columns": (of(b"1.1.1.0,8," * 990 + b"\n"), FormatType.AUTO),
    "CSV, statistics": (of(b"apnic|NO|ipv4|1.1.1.0|96|20110414|allocated\n"), FormatType.AUTO),
    "one line of digits": (of(b"1"), FormatType.AUTO),
    "one line of addresses": (of(b"1.1.1.1 "), FormatType.AUTO),
    "UTF-16": (lambda size: ("1.1.1.1\n" * (size // 16 - 1)).encode("utf-16"), FormatType.AUTO),
    "carriage returns": (of(b"1.1.1.1\r"), FormatType.AUTO),
    "dat, one range": (of(b"001.002.003.004 - 001.002.003.005 , 000 , x\n"), FormatType.AUTO),
    "p2p, one range": (of(b"a:b:c-d:1.2.3.4-1.2.3.5\n"), FormatType.AUTO),
    "plain, several addresses a line": (of(b"1.1.1.1 " * 1000 + b"\n"), FormatType.PLAIN),
    "plain, words behind addresses": (of(b"1.1.1.1 norway\n1.1.1.2 10:00:00\n1.1.1.4 5.5\n1.1.1.3,ok\n"), FormatType.AUTO),
    "UTF-16 without a mark": (lambda size: ("1.1.1.1\n" * (size // 16 - 1)).encode("utf-16-le"), FormatType.AUTO),
    "UTF-32": (lambda size: ("1.1.1.1\n" * (size // 32 - 1)).encode("utf-32"), FormatType.AUTO),
    "plain, commands": (of(b"-A INPUT -s 1.1.1.1 -j DROP\n"), FormatType.AUTO),
    "plain, commands with many blanks": (of(b"set " + b"a " * 2000 + b" " * 4000 + b"1.1.1.x\n"), FormatType.AUTO),
    "plain, commands with many keys": (of(b"add address=1 " + b"list=x address= " * 500 + b"\n"), FormatType.AUTO),
    "plain, rules without an end": (of(b"block " + b"in from " * 1000 + b"\n"), FormatType.AUTO),
    "plain, quotes": (of(b"\"'" * 4000 + b"1.1.1.1\n"), FormatType.AUTO),
    "plain, remarks with dashes": (of(b"1.1.1.1 x" + b" - :" * 2000 + b"-::\n"), FormatType.AUTO),
    "plain, exceptions": (of_lines(lambda n: b"1.1.0.0/16\n!" + _quad(n, 1) + b"\n"), FormatType.AUTO),
    "dns zone, one address": (of(b"1.1.1.1 IN A 127.0.0.2\n"), FormatType.AUTO),
    "dns zone, long names": (of(b"1.1.1.1." + b"1a." * 3000 + b" IN A 127.0.0.2\n"), FormatType.DNS_ZONE),
    "lines of spaces": (of(b" " * 9990 + b"\n"), FormatType.AUTO),
    "lines of time stamps": (of(b"2024-01-01 00:00:00 " * 490 + b"\n"), FormatType.AUTO),
    "lines of `deny from`": (of(b"deny from " * 990 + b"\n"), FormatType.AUTO),
    "lines of dashes": (of(b"1.1.1.1-" * 1200 + b"\n"), FormatType.AUTO),
    "lines of colons": (of(b":" * 9990 + b"\n"), FormatType.AUTO),
}
"""What a format may be made to cost: the most objects for a byte, and lines that backtracking would be lost in."""


def _packed_to(size: int, pack: Callable[[bytes], bytes], least: int) -> bytes:
    """A list of so many bytes. `least` of them are random digits, which pack to half: below the ratio of a bomb."""
    return pack(os.urandom(least // 2).hex().encode() + of(b"\n192.0.2.1")(size - least))


def _zipped(*members: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for number, member in enumerate(members):
            archive.writestr(str(number), member)
    return buffer.getvalue()


def _tarred(*members: bytes) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number, member in enumerate(members):
            info = tarfile.TarInfo(str(number))
            info.size = len(member)
            archive.addfile(info, BytesIO(member))
    return buffer.getvalue()


def _zstd_long(body: bytes, window: int) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=window, enable_ldm=True, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(body) + packer.flush()


_DICTIONARY_OF_96 = 29


def _many_dictionaries(size: int) -> bytes:
    """Streams one after another, each of which asks for a dictionary of 96 MiB."""
    return xz_with_dictionary(b"192.0.2.1\n", _DICTIONARY_OF_96) * min(size // 100, 9000)


_RLE = (1, (1 << 17) - 1, b"\n")

ARCHIVES: Mapping[str, Callable[[int], bytes]] = {
    "zstd, window 31": lambda size: zstd_frame(0xA8, [_RLE] * (size >> 17)),
    "zstd, window 27": lambda size: zstd_frame(0x88, [_RLE] * (size >> 17)),
    "zstd, window 27, a list": lambda size: _packed_to(size, lambda body: _zstd_long(body, 27), size // 100),
    "zstd, many windows of 27": lambda size: zstd_frame(0x88, [(0, 10, b"192.0.2.1\n")]) * min(size // 100, 9000),
    "xz, dictionary of 4 GiB": lambda size: xz_with_dictionary(of(b"192.0.2.1\n")(size), 40),
    "xz, dictionary of 96 MiB": lambda size: _packed_to(
        size, lambda body: xz_with_dictionary(body, _DICTIONARY_OF_96), size // 100
    ),
    "xz, many dictionaries of 96 MiB": _many_dictionaries,
    "xz -9, a list": lambda size: _packed_to(size, lambda body: lzma.compress(body, preset=9), size // 100),
    "gzip, a list": lambda size: _packed_to(size, gzip.compress, size // 100),
    "gzip bomb": lambda size: gzip.compress(bytes(4 * size)),
    "gzip in gzip": lambda size: gzip.compress(gzip.compress(gzip.compress(of(b"192.0.2.1\n")(size)))),
    "zip, a list": lambda size: _packed_to(size, _zipped, size // 100),
    "zip in zip": lambda size: _zipped(_zipped(of(b"192.0.2.1\n")(size)), method=zipfile.ZIP_STORED),
    "zip, many members": lambda size: _zipped(*[b"192.0.2.1\n"] * min(size // 100, 70_000)),
    "zip, two lists": lambda size: _packed_to(size, lambda body: _zipped(body[: size // 2], body[size // 2 :]), size // 100),
    "tar": lambda size: _tarred(_packed_to(size - 20_000, bytes, size // 100)),
    "tar, gzip": lambda size: gzip.compress(_tarred(_packed_to(size - 20_000, bytes, size // 100))),
    "tar, many members": lambda size: _tarred(*[b"192.0.2.1\n"] * min(size // 2048, 20_000)),
    "tar, prose before a list": lambda size: _tarred(b"no list\n" * (size // 32), of(b"192.0.2.1\n")(size // 2)),
    "zip in a gzip transfer": lambda size: gzip.compress(_packed_to(size, _zipped, size // 100), 1),
    "deflate in a gzip transfer": lambda size: gzip.compress(zlib.compress(of(b"192.0.2.1\n")(size))),
}
"""What they unpack to has the size asked for, if it is a list."""


def encoding_of(name: str) -> str:
    return "gzip" if name.endswith("gzip transfer") else ""


def measured(body: bytes, form: Format, max_bytes: int, encoding: str = "") -> Figures:
    return asyncio.run(_measured(body, form, max_bytes, encoding))


async def _measured(body: bytes, form: Format, max_bytes: int, encoding: str) -> Figures:
    watch = _Watch()
    beating = asyncio.ensure_future(watch.beat())
    try:
        async with ParserProcesses().session(form, max_bytes, _TIMEOUT, encoding) as session:
            for at in range(0, len(body), _CHUNK):
                await session.feed(body[at : at + _CHUNK])
            parsed = await session.finish()
            outcome = f"{len(parsed.addresses):,} elements"
            await asyncio.sleep(2 * _BEAT)
    except BanlistdError as error:
        outcome = f"refused: {error.message}"
    beating.cancel()
    return Figures(watch.seconds, watch.process, watch.resident - watch.before, watch.busy, watch.away, outcome)


class _Watch:
    def __init__(self) -> None:
        self.before = self.resident = _resident()
        self.process = 0
        self.seconds = self.busy = self.away = 0.0

    async def beat(self) -> None:
        """Look every few milliseconds, on the loop that is watched."""
        before, used = time.perf_counter(), time.thread_time()
        child = 0
        while True:
            await asyncio.sleep(_BEAT)
            self.away = max(self.away, time.perf_counter() - before - _BEAT)
            self.busy = max(self.busy, time.thread_time() - used)
            child = child or _child()
            self.process = max(self.process, _peak(child))
            self.seconds = max(self.seconds, _processor_seconds(child))
            self.resident = max(self.resident, _resident())
            before, used = time.perf_counter(), time.thread_time()


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def _child() -> int:
    """The pid of this process's child, or 0."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]) == os.getpid():
                return int(stat.parent.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return 0


def _peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 1024 * next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def _processor_seconds(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure the process that reads lists at its bounds.")
    parser.add_argument("--size", type=int, default=64, help="MiB")
    parser.add_argument("names", nargs="*", help="default: all")
    arguments = parser.parse_args(argv)
    size = arguments.size * MIB
    texts = {**LISTS, **SHAPES}
    for name in arguments.names or [*texts, *ARCHIVES]:
        make, kind = texts[name] if name in texts else (ARCHIVES[name], FormatType.AUTO)
        body = make(size)
        one = measured(body, Format(kind), size, encoding_of(name))
        print(
            f"{name:32} {len(body) / MIB:6.1f} MiB  {one.seconds:6.2f} s  process {one.process // MIB:4} MiB  daemon "
            f"+{one.growth // MIB:3} MiB  busy {1000 * one.busy:3.0f} ms  away {1000 * one.away:4.0f} ms  {one.outcome[:70]}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
