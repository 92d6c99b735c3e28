import gzip
import io
import zipfile

import pytest

from banlistd.core.download.same_publisher import SHORT, may_share, publisher_of_file
from banlistd.formats import Format, FormatType

LIST = b"192.0.2.1\n198.51.100.0/24 # seen twice\n"


def _zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("list.txt", LIST)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "kind",
    [
        *(FormatType.AUTO, FormatType.PLAIN, FormatType.CSV, FormatType.P2P, FormatType.DAT),
        *(FormatType.RBLDNSD, FormatType.DNS_ZONE, FormatType.HOSTS),
    ],
)
def test_a_short_text_may_share(kind: FormatType) -> None:
    assert may_share(Format(kind), LIST)
    assert may_share(Format(kind), b"")


@pytest.mark.parametrize(
    "kind", [FormatType.JSON, FormatType.JSONL, FormatType.STIX2, FormatType.TAXII, FormatType.CROWDSEC, FormatType.PATTERN]
)
def test_what_a_library_of_c_scans_or_searches_is_read_alone(kind: FormatType) -> None:
    assert not may_share(Format(kind), LIST)


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(LIST),
        _zipped(),
        b"PK\x03\x04 may be a zip archive of ASCII alone",
        b"BZh91AY&SY may be bzip2",
        b' \n{"ip": "192.0.2.1"}\n',
        b'["192.0.2.1"]',
        b'# a comment\n{"ip": "192.0.2.1"}\n',
        LIST.decode().encode("utf-16"),
        "192.0.2.1 # café\n".encode(),
        LIST + b"\0",
        b"1" * (SHORT + 1),
    ],
    ids=[
        "gzip",
        "zip",
        "ASCII zip",
        "bzip2",
        "JSON lines",
        "JSON",
        "JSON behind a comment",
        "UTF-16",
        "UTF-8",
        "NUL",
        "long",
    ],
)
def test_what_is_packed_or_json_or_no_plain_text_or_long_is_read_alone(body: bytes) -> None:
    assert not may_share(Format(), body)


def test_files_share_only_with_those_of_the_same_owner_in_the_same_folder() -> None:
    mine = publisher_of_file("/lists", 0, 0o100644)
    assert mine == publisher_of_file("/lists", 0, 0o100600)
    assert len({mine, publisher_of_file("/lists", 7, 0o100644), publisher_of_file("/lists/more", 0, 0o100644)}) == 3
    assert publisher_of_file("/0 /lists", 1, 0o100644) != publisher_of_file("/lists", 10, 0o100644)


@pytest.mark.parametrize("mode", [0o100664, 0o100646, 0o100666])
def test_a_file_that_other_accounts_may_write_has_no_publisher(mode: int) -> None:
    assert publisher_of_file("/lists", 0, mode) == ""


def test_a_file_whose_owner_the_kernel_does_not_know_has_no_publisher() -> None:
    assert publisher_of_file("/lists", 65534, 0o100644) == ""


def test_a_file_in_no_known_folder_has_no_publisher() -> None:
    assert publisher_of_file("memfd:list", 0, 0o100644) == ""
