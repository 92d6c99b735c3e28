"""Archives of several files: which are read, and that none is read in part."""

import codecs
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable

import pytest

from banlistd.core.download.decompression import Unpacking, unpack
from banlistd.errors import FetchError, PassingError

CAP = 1 << 20
Files = Iterable[tuple[str, bytes]]


def _tarred(files: Files, form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _zipped(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


_PACK: dict[str, Callable[[Files], bytes]] = {
    "zip": _zipped,
    "pax": _tarred,
    "gnu": lambda files: _tarred(files, tarfile.GNU_FORMAT),
    "ustar": lambda files: _tarred(files, tarfile.USTAR_FORMAT),
    "tar.gz": lambda files: gzip.compress(_tarred(files)),
}
each_kind = pytest.mark.parametrize("kind", _PACK)

V4, V6 = b"198.51.100.7\n203.0.113.9\n", b"2001:db8::7\n"
PROSE = b"No warranty. Use it as you like, in any way.\n" * 50


def _unpacked(kind: str, *files: tuple[str, bytes], members: str = "") -> bytes:
    return unpack(_PACK[kind](files), CAP, members)


@each_kind
def test_all_lists_of_an_archive_are_read(kind: str) -> None:
    assert _unpacked(kind, ("ipv4.txt", V4), ("ipv6.txt", V6)) == V4 + V6


@each_kind
def test_files_do_not_run_into_each_other(kind: str) -> None:
    assert _unpacked(kind, ("a", b"198.51.100.7"), ("b", b"203.0.113.9")) == b"198.51.100.7\n203.0.113.9"


@each_kind
@pytest.mark.parametrize(
    "name",
    [
        *(
            "README",
            "readme.txt",
            "README.md",
            "docs/ReadMe.first",
            "LICENSE",
            "LICENCE.txt",
            "license-mit.txt",
            "COPYING",
            "NOTICE",
        ),
        *(
            "CHANGELOG.md",
            ".hidden",
            "__MACOSX/._ipv4.txt",
            "list.txt.sig",
            "list.txt.sha256",
            "SHA256SUMS",
            "index.html",
            "terms.txt",
        ),
    ],
)
def test_prose_and_signatures_are_left_out_by_their_names(kind: str, name: str) -> None:
    text = b"192.0.2.1 is an example\n" * 500
    assert _unpacked(kind, (name, text), ("ipv4.txt", V4)) == V4
    assert _unpacked(kind, ("ipv4.txt", V4), (name, text)) == V4


@each_kind
@pytest.mark.parametrize("order", [1, -1])
def test_a_file_without_an_address_is_left_out_beside_lists(kind: str, order: int) -> None:
    files = [("conditions-of-use.txt", PROSE), ("ipv4.txt", V4), ("ipv6.txt", V6)][::order]
    assert sorted(_unpacked(kind, *files).split()) == sorted((V4 + V6).split())


@each_kind
def test_files_that_have_no_address_at_all_are_kept(kind: str) -> None:
    assert _unpacked(kind, ("a.txt", b"3325256704\n"), ("b.txt", b"3405803776\n")) == b"3325256704\n3405803776\n"


@each_kind
@pytest.mark.parametrize("name", ["news-blocklist.txt", "security_ips.txt", "about4.netset", "licensed.txt", "history2026.txt"])
def test_a_list_is_not_prose_because_its_name_begins_so(kind: str, name: str) -> None:
    assert _unpacked(kind, (name, V4), ("ipv6.txt", V6)) == V4 + V6


@each_kind
@pytest.mark.parametrize("pattern", ["ipv4*", "*.txt", "lists/*.txt", "lists/ipv4.txt"])
def test_a_pattern_names_what_is_read(kind: str, pattern: str) -> None:
    assert _unpacked(kind, ("lists/ipv4.txt", V4), ("lists/ipv6.csv", V6), members=pattern) == V4


@each_kind
def test_a_pattern_may_name_a_readme(kind: str) -> None:
    assert _unpacked(kind, ("README", V4), ("ipv6.txt", V6), members="README") == V4


@each_kind
@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "no list in it"),
        ([("README", V4)], "no list in it"),
        ([("a.csv", b"ip\n" + V4), ("a.json", b'["198.51.100.7"]')], "several kinds: a.csv, a.json"),
        ([("a.csv", b"ip,dst\n" + V4), ("b.csv", b"dst,ip\n" + V4)], "different columns"),
        ([("a.txt.gz", gzip.compress(V4))], "archive in the archive"),
        ([("a.txt", V4), ("a.zip", _zipped([("a", V4)]))], "archive in the archive"),
        ([("a.txt", bytes(CAP)), ("b.txt", b"x")], "larger than"),
    ],
)
def test_an_archive_in_doubt_is_refused(kind: str, files: list[tuple[str, bytes]], reason: str) -> None:
    if kind in ("pax", "gnu", "ustar") and not files:
        return  # two blocks of zeros are no archive that can be known
    if kind == "tar.gz" and not files:
        return
    with pytest.raises(FetchError, match=reason):
        _unpacked(kind, *files)


@each_kind
def test_tables_with_the_same_columns_are_one(kind: str) -> None:
    assert _unpacked(kind, ("a.csv", b"ip,n\n198.51.100.7,1\n"), ("b.csv", b"ip,n\n203.0.113.9,1\n")).count(b"\n") == 4


_TARS = [kind for kind in _PACK if kind not in ("zip", "tar.gz")]


@pytest.mark.parametrize("kind", _TARS)
@pytest.mark.parametrize("size", [1, 7, 512, 1000, 100_000])
def test_a_tar_is_read_however_it_arrives(kind: str, size: int) -> None:
    body = _PACK[kind]([("a/" * 60 + "a.txt", V4 * 40), ("b.txt", V6)])
    unpacking = Unpacking(CAP)
    for at in range(0, len(body), size):
        unpacking.feed(body[at : at + size])
    assert unpacking.finish() == V4 * 40 + V6


@pytest.mark.parametrize("kind", ["pax", "gnu"])
def test_a_long_name_is_known_whole(kind: str) -> None:
    name = "n" * 300 + ".txt"
    assert _unpacked(kind, (name, V4), ("b.txt", V6), members=name) == V4


def test_a_tar_of_the_seventh_edition_is_known_by_its_checksum() -> None:
    body = bytearray(_tarred([("a.txt", V4)], tarfile.USTAR_FORMAT))
    body[257:512] = bytes(255)
    body[148:156] = b"        "
    body[148:156] = b"%06o\0 " % sum(body[:512])
    assert unpack(bytes(body), CAP) == V4


def test_links_and_folders_are_no_lists() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (("folder", tarfile.DIRTYPE), ("link.txt", tarfile.SYMTYPE), ("hard.txt", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "a.txt"
            archive.addfile(info)
        info = tarfile.TarInfo("a.txt")
        info.size = len(V4)
        archive.addfile(info, io.BytesIO(V4))
    assert unpack(buffer.getvalue(), CAP) == V4


def _damaged(body: bytes, at: int, value: bytes) -> bytes:
    return body[:at] + value + body[at + len(value) :]


_TAR = _tarred([("a.txt", V4), ("b.txt", V6)], tarfile.USTAR_FORMAT)


@pytest.mark.parametrize("keep", [513, 700, 1024, 1100, 1536, 2047, 2048])
def test_a_cut_tar_is_refused_and_worth_another_try(keep: int) -> None:
    with pytest.raises(PassingError, match="cut short"):
        unpack(_TAR[:keep], CAP)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (_damaged(_TAR, 150, b"7"), "damaged"),
        (_damaged(_TAR, 1024, b"x"), "damaged"),
        (_TAR + b"junk".ljust(512), "follows the end"),
        (_TAR + _TAR, "follows the end"),
        (_tarred([(str(number), b"") for number in range(10_001)], tarfile.USTAR_FORMAT), "10000 members"),
    ],
    ids=["checksum", "second name", "junk", "two archives", "members"],
)
def test_a_tar_that_cannot_be_read_whole_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(FetchError, match=reason):
        unpack(body, 10 * CAP)


def test_a_sparse_file_is_refused() -> None:
    body = bytearray(_tarred([("a.txt", V4)], tarfile.GNU_FORMAT))
    body[156:157] = b"S"
    body[148:156] = b"        "
    body[148:156] = b"%06o\0 " % sum(body[:512])
    with pytest.raises(FetchError, match="sparse"):
        unpack(bytes(body), CAP)


@pytest.mark.parametrize("text", [b"198.51.100.7\n" * 100, b" " * 1000, bytes(1000), b"1234567\n" * 100])
def test_a_list_is_no_tar(text: bytes) -> None:
    assert unpack(text, CAP) == text


def test_an_encrypted_zip_is_refused() -> None:
    body = bytearray(_zipped([("a.txt", V4)]))
    body[body.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(FetchError, match="encrypted"):
        unpack(bytes(body), CAP)


@each_kind
@pytest.mark.parametrize("order", [1, -1])
def test_the_files_that_are_left_out_are_known(kind: str, order: int) -> None:
    files = [("README.md", PROSE), ("conditions-of-use.txt", PROSE), ("ipv4.txt", V4), ("ipv6.txt", V6)][::order]
    unpacking = Unpacking(CAP)
    unpacking.feed(_PACK[kind](files))
    unpacking.finish()
    assert unpacking.left_out.count == len(unpacking.left_out.names) == 2
    assert set(unpacking.left_out.names) == {"README.md", "conditions-of-use.txt"}


@each_kind
def test_of_many_files_that_are_left_out_some_are_named(kind: str) -> None:
    files = [*((f"{number:0200}.md", PROSE) for number in range(50)), ("ipv4.txt", V4)]
    unpacking = Unpacking(CAP)
    unpacking.feed(_PACK["gnu" if kind == "ustar" else kind](files))
    unpacking.finish()
    assert unpacking.left_out.count == 50
    assert [len(name) for name in unpacking.left_out.names] == [200] * 5


def test_what_a_pattern_leaves_out_is_not_named() -> None:
    unpacking = Unpacking(CAP, members="ipv4*")
    unpacking.feed(_zipped([("ipv4.txt", V4), ("ipv6.txt", V6)]))
    unpacking.finish()
    assert unpacking.left_out.count == 0


@pytest.mark.parametrize("name", ["allowlist.txt", "d/whitelist.csv", "exclusions.txt", "false_positives.txt", "safe-ips.txt"])
def test_a_file_of_exceptions_beside_a_list_is_refused(name: str) -> None:
    suffix = name.rpartition(".")[2]
    archive = _zipped([(f"bad.{suffix}", b"198.51.100.7\n"), (name, b"192.0.2.1\n")])
    with pytest.raises(FetchError, match="not banned"):
        unpack(archive, CAP)
    assert unpack(_zipped([(name, b"192.0.2.1\n")]), CAP) == b"192.0.2.1\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_file_in_utf16_is_read_beside_others(encoding: str) -> None:
    mark = "\ufeff".encode(encoding)
    files = [("a.txt", b"198.51.100.7"), ("b.txt", mark + "203.0.113.9\n".encode(encoding)), ("c.txt", b"192.0.2.1\n")]
    for pack in _PACK.values():
        text = unpack(pack(files), CAP).replace(codecs.BOM_UTF8, b"")
        assert text.split() == [b"198.51.100.7", b"203.0.113.9", b"192.0.2.1"]
