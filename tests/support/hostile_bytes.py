"""Lists and archives whose structure is nearly right: what mutated bytes alone hardly ever come to."""

import bz2
import json
import lzma
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO

import zstandard

_ODD_ADDRESSES = (
    *("0.0.0.0/0", "::/0", "255.255.255.255", "1.2.3.4/33", "1.2.3", "01.002.0003.4", "1.2.3.4/255.0.255.0", "1.2.3.4:80"),
    *("::ffff:1.2.3.4", "fe80::1%eth0", "2001:db8::/129", "1::2::3", "64:ff9b::1.2.3.4", "-", "", "3232235777", "0x7f.1"),
    *("1.2.3.4-1.2.3.3", "1.2.3.4-9", "::-ffff::", "[2001:db8::1]:443", "192.0.2.*", "127.1", "a.b.c.d", "1.2.3.4/-1"),
)

_LINES = (  # a row for each format
    ("{a}", "{a} # {t}", "{a}-{b}", "{a} - {b}", "{a}/{n}", "{t} {a}", "deny from {a};", "ExitAddress {a} 2024-01-01 00:00:00"),
    ("{t}:{a}-{b}", "{t}:{t}:{a}-{b}", "{t}:{a}", "{t}-{t}:{a}-{b}"),
    ("{a} - {b} , {n} , {t}", "{a} - {b},{n},", "{a} - {b} , {t} , {n}", "{a}-{b} , 000 , {t}"),
    (":127.0.0.2:{t} $", "!{a}", "$SOA {n} {t}", "{a}:2:{t}", "192.0.{n}", "{a}/24:{t}", "192.0.2.{n}-{n}", "$TTL {n}", "{a}"),
    ("{a} {t}", "0.0.0.0 {t}", "127.0.0.1\t{t} {t}", "{a} {t} # {t}", "::1 {t}", "255.255.255.255 {t}"),
    ("{n},{a},{t}", '"{t}","{a}"', "{a};{b};{n}", "{a}\t{b}\t{n}\t{t}", '"{a}","x""y', "{n}|{a}|{b}", "{a},{b}", "first,last"),
    ('{"ip":"{a}"}', '{"ip":"{a}","n":{n}}', '{"t":{"ip":["{a}","{b}"]}}', '{"type":"metadata"}', '["{a}"]', '{"cidr":"{a}"'),
)

_WORDS = (
    "host.example",
    "a name",
    "",
    "x" * 300,
    "caf\u00e9",
    "1.2.3.4",
    "a:b-c",
    "\x00",
    "\u202e",
    '"',
    "\\",
    "#",
    "END 5 entries",
)
_ENDS = ("\n", "\n", "\n", "\r\n", "\r", "\n\n", "\x0b", "\u2028")


def hostile_text(chance: random.Random) -> bytes:
    """A list in a format or two, with odd addresses and names in the right places; or a JSON document."""
    if chance.random() < 0.3:
        return _document(chance)
    lines = [line for row in chance.choices(_LINES, k=chance.choice((1, 1, 1, 2))) for line in row]
    lines = chance.choices(lines, k=chance.choice((1, 2, 4)))
    end = chance.choice(_ENDS)
    text = end.join(_filled(chance.choice(lines), chance) for _ in range(chance.choice((1, 3, 10, 30, 100))))
    return text.encode(chance.choice(("utf-8", "utf-8", "utf-8", "latin-1", "utf-16", "utf-8-sig")), "replace")


def _filled(line: str, chance: random.Random) -> str:
    for place, made in (("{a}", _address), ("{b}", _address), ("{n}", _number), ("{t}", lambda chance: chance.choice(_WORDS))):
        if place in line:
            line = line.replace(place, made(chance))
    return line


def _number(chance: random.Random) -> str:
    return str(chance.choice((0, 1, 24, 32, 127, 128, 255, 256, 2**32, -1)))


def _address(chance: random.Random) -> str:
    match chance.randrange(8):
        case 0:
            return chance.choice(_ODD_ADDRESSES)
        case 1:
            return f"2001:db8:{chance.randrange(2**16):x}::{chance.randrange(2**16):x}"
        case 2:
            return f"{chance.randrange(224)}.{chance.randrange(256)}.0.0/{chance.randrange(8, 33)}"
        case _:
            return f"192.{chance.randrange(4)}.{chance.randrange(8)}.{chance.randrange(256)}"


def _document(chance: random.Random) -> bytes:
    if chance.random() < 0.1:
        depth = chance.choice((100, 900, 1100, 30_000))
        return b"[" * depth + b'"192.0.2.1"' + b"]" * chance.choice((depth, depth - 1))
    document = _value(chance, chance.choice((1, 3, 6)))
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5, indent=chance.choice((None, 1)))
    if chance.random() < 0.2:
        text = text.replace("0", "9" * chance.choice((20, 4000, 5000)), 1)
    return text.encode("utf-8", "surrogatepass")


def _value(chance: random.Random, depth: int) -> object:
    kind = chance.randrange(4) if depth else 0
    if kind == 1:
        return [_value(chance, depth - 1) for _ in range(chance.randrange(5))]
    if kind:
        keys = ("ip", "prefixes", "cidr", "a.b", "", "[]", "x" * 50, "192.0.2.1")
        return {chance.choice(keys): _value(chance, depth - 1) for _ in range(chance.randrange(5))}
    others = (None, True, 0, 2**64, 1e308, float("inf"), "\ud800", "x" * 200, chance.choice(_WORDS))
    return _address(chance) if chance.random() < 0.7 else chance.choice(others)


def hostile_archive(body: bytes, chance: random.Random) -> bytes:
    """The body in one or more layers, of which each field of a header may be wrong, cut or followed by something."""
    packed = body
    for _ in range(chance.choice((1, 1, 1, 1, 2, 3))):
        packed = chance.choice(_PACKERS)(packed, chance)
    if chance.random() < 0.4:
        packed = _spoilt(packed, chance)
    return packed + chance.choice((b"", b"", b"", b"\0" * 512, b"junk", packed[: 1 << 14], b"\x1f\x8b", b"PK\x05\x06"))


def gzip_member(body: bytes, chance: random.Random) -> bytes:
    """One member of RFC 1952 with any flags, right or wrong."""
    flags = chance.choice((0, 0, 0, 2, 4, 8, 16, 31, 255))
    head = struct.pack("<2sBBIBB", b"\x1f\x8b", chance.choice((8, 8, 8, 8, 0, 255)), flags, chance.getrandbits(32), 0, 3)
    if flags & 4:
        head += struct.pack("<H", chance.choice((0, 4, 65_535))) + b"abcd"
    head += b"name\0" * bool(flags & 8) + b"comment\0" * bool(flags & 16)
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    crc, size = zlib.crc32(body), len(body) & 0xFFFFFFFF
    return (
        head + _deflated(body, chance) + struct.pack("<II", chance.choice((crc, crc, crc, 0)), chance.choice((size, size, 0)))
    )


def _deflated(body: bytes, chance: random.Random) -> bytes:
    packer = zlib.compressobj(chance.randrange(10), zlib.DEFLATED, -15, 8, chance.randrange(5))
    raw = packer.compress(body) + packer.flush(chance.choice((zlib.Z_FINISH, zlib.Z_FINISH, zlib.Z_SYNC_FLUSH)))
    return chance.choice((raw, raw, raw, raw, b"\x01\x05\x00\x00\x00hello", b"\x06" + raw, b"\x04" + raw))


def _gzip(body: bytes, chance: random.Random) -> bytes:
    members = [gzip_member(body, chance)] + [gzip_member(b"", chance)] * chance.choice((0, 0, 1, 100))
    return b"".join(members)


def _zlib(body: bytes, chance: random.Random) -> bytes:
    head = chance.choice((b"\x78\x9c", b"\x78\x9c", b"\x78\xbb", b"\x08\x1d", b"\x79\x00"))
    return head + _deflated(body, chance) + struct.pack(">I", zlib.adler32(body) ^ chance.choice((0, 0, 1)))


def _bzip2(body: bytes, chance: random.Random) -> bytes:
    packed = bz2.compress(body[:100_000], chance.randint(1, 9))
    return packed[:3] + chance.choice((packed[3:4], packed[3:4], b"1", b"0", b":")) + packed[4:]


def _xz(body: bytes, chance: random.Random) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << chance.choice((12, 16, 20)), "preset": 0}]
    if chance.random() < 0.2:
        filters.insert(0, {"id": chance.choice((lzma.FILTER_DELTA, lzma.FILTER_X86))})
    check = chance.choice((lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256))
    packed = bytearray(lzma.compress(body, check=check, filters=filters))
    if chance.random() < 0.5:
        _ask_for_dictionary(packed, chance.choice((0, 22, 30, 36, 39, 40, 41, 255)))
    return bytes(packed)


def _ask_for_dictionary(packed: bytearray, size: int) -> None:
    """A dictionary of any size in the block header, whose checksum is made right again (xz-file-format 3.1)."""
    end = 12 + 4 * (packed[12] + 1)
    at = packed.find(b"\x21\x01", 12, end)
    if at >= 0:
        packed[at + 2] = size
        packed[end - 4 : end] = struct.pack("<I", zlib.crc32(bytes(packed[12 : end - 4])))


def xz_with_dictionary(body: bytes, size: int) -> bytes:
    """An xz stream whose header asks for a dictionary: 40 means 4 GiB."""
    packed = bytearray(lzma.compress(body, preset=0))
    _ask_for_dictionary(packed, size)
    return bytes(packed)


def zstd_frame(window: int, blocks: Sequence[tuple[int, int, bytes]], descriptor: int = 0) -> bytes:
    """A frame of RFC 8878 by hand. `window`: its descriptor byte; `blocks`: type (1: repeated byte), size, content."""
    frame = b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + (b"" if descriptor & 0x20 else bytes([window]))
    for number, (kind, size, content) in enumerate(blocks, 1):
        frame += struct.pack("<I", (size << 3) | (kind << 1) | (number == len(blocks)))[:3] + content
    return frame


def _zstd(body: bytes, chance: random.Random) -> bytes:
    skippable = struct.pack("<II", 0x184D2A50 + chance.randrange(16), chance.choice((0, 4, 2**32 - 1))) + b"skip"
    match chance.randrange(4):
        case 0:
            kinds = (0, 1, 2, 3)
            blocks = [_zstd_block(chance.choice(kinds), body, chance) for _ in range(chance.choice((1, 1, 3, 50)))]
            return zstd_frame(chance.choice((0, 0x50, 0x88, 0xA8, 0xFF)), blocks, chance.choice((0, 0, 0x20, 0x24, 0xC0, 0xFF)))
        case 1:
            return skippable + zstandard.ZstdCompressor().compress(body)
        case 2:
            parameters = zstandard.ZstdCompressionParameters(
                window_log=chance.choice((10, 17, 20)),
                write_checksum=chance.random() < 0.5,
                write_content_size=chance.random() < 0.5,
            )
            return zstandard.ZstdCompressor(compression_params=parameters).compress(body)
        case _:
            packed = bytearray(zstandard.ZstdCompressor(write_content_size=False).compress(body))
            packed[5] = chance.choice((0, 0x88, 0xA8, 0xFF))
            return bytes(packed) + chance.choice((b"", skippable))


def _zstd_block(kind: int, body: bytes, chance: random.Random) -> tuple[int, int, bytes]:
    content = body[:1] or b"\n" if kind == 1 else body[: 1 << 17]
    size = chance.choice((1, 1 << 17, (1 << 21) - 1)) if kind == 1 else chance.choice((len(content), len(content), 1 << 17))
    return kind, size, content


def _zip(body: bytes, chance: random.Random) -> bytes:
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", chance.choice(methods)) as archive:
        for number in range(chance.choice((0, 1, 1, 1, 2, 40))):
            name = chance.choice(("list.txt", "../../etc/x", "/abs", "README", "dir/", "caf\u00e9", "a" * 300))
            # With a date of its own the same input is the same tomorrow.
            member = zipfile.ZipInfo(f"{number}{name}")
            method = archive.compression if number < 2 else zipfile.ZIP_STORED
            archive.writestr(member, body if number < 2 else b"", method)
        if chance.random() < 0.2:
            archive.comment = chance.choice((b"c", b"PK\x05\x06" * 10))
    packed = bytearray(buffer.getvalue())
    if chance.random() < 0.6:
        _spoil_field(packed, chance.choice((b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06")), chance)
    return bytes(packed)


def _spoil_field(packed: bytearray, signature: bytes, chance: random.Random) -> None:
    at = packed.find(signature)
    if at >= 0:
        at += 4 + 2 * chance.randrange(13)
        value = chance.choice((0, 1, 8, 12, 99, 0x7FFF, 0xFFFF, 0xFFFFFFFF))
        packed[at : at + 2] = struct.pack("<H", value & 0xFFFF)
        if value > 0xFFFF:
            packed[at + 2 : at + 4] = b"\xff\xff"


def _tar(body: bytes, chance: random.Random) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=chance.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT))) as archive:
        for _ in range(chance.choice((0, 1, 1, 2))):
            member = tarfile.TarInfo(chance.choice(("list.txt", "../x", "a" * 90)))
            member.size = len(body)
            member.type = chance.choice((tarfile.REGTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.GNUTYPE_SPARSE))
            archive.addfile(member, BytesIO(body))
    packed = bytearray(buffer.getvalue())
    if chance.random() < 0.4 and packed:
        at = chance.choice((124, 148, 156, 257))
        packed[at : at + 8] = chance.choice((b"77777777", b"\x80\0\0\0\0\0\0\xff", b"-1      ", bytes(8)))
    return bytes(packed)


def _spoilt(packed: bytes, chance: random.Random) -> bytes:
    spoilt = bytearray(packed)
    for _ in range(chance.choice((1, 1, 2, 6))):
        # Mostly near the beginning, where the headers are.
        at = chance.randrange(min(len(spoilt), 40) + 1) if chance.random() < 0.6 else chance.randrange(len(spoilt) + 1)
        spoilt[at : at + chance.choice((0, 1, 1, 4))] = chance.choice((chance.randbytes(1), b"\xff\xff\xff\xff", b"\0", b""))
    return bytes(spoilt[: chance.choice((len(spoilt), len(spoilt), chance.randrange(len(spoilt) + 1)))])


_PACKERS: Sequence[Callable[[bytes, random.Random], bytes]] = (_gzip, _gzip, _zlib, _bzip2, _xz, _zstd, _zip, _zip, _tar)
