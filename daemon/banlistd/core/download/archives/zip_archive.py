"""Zip archives (APPNOTE.TXT): the directory is at the end, so that all of one is there before it is read."""

import struct
import zipfile
from io import BytesIO

from banlistd.core.download.archives.members import MAX_MEMBERS, Members
from banlistd.core.download.codecs import BROKEN, OUTPUT_STEP
from banlistd.errors import FetchError, PassingError

_END_SIZE = 22  # 4.3.16, without the comment
_BROKEN_ZIP = (*BROKEN, RuntimeError, struct.error, OverflowError)


def read_zip(raw: bytes, members: Members) -> None:
    """Every file that may be a list. Raises FetchError for an archive of which one of them cannot be read."""
    if raw.count(b"PK\x01\x02") > MAX_MEMBERS:
        raise FetchError(f"the zip archive has more than {MAX_MEMBERS} members")
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            if raw[raw.rfind(b"PK\x05\x06") + _END_SIZE + len(archive.comment) :].strip(b"\0"):
                raise FetchError("other data follows the end of the zip archive")
            for member in archive.infolist():
                if not member.filename.endswith("/") and members.wants(member.filename):
                    _read_member(archive, member, members)
    except zipfile.BadZipFile as exc:
        raise PassingError("the zip archive is cut short or damaged", "the list is asked for again") from exc
    except _BROKEN_ZIP as exc:
        raise FetchError("the zip archive is damaged", "the publisher's file may be broken") from exc


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, members: Members) -> None:
    if member.flag_bits & 1:
        raise FetchError("the zip archive is encrypted")
    # The rarer methods are unpacked by zipfile without a bound.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = f"the zip archive uses compression method {member.compress_type}"
        raise FetchError(method, "only stored and deflated members are read")
    members.begin(member.filename)
    size = 0
    # zipfile stops at the size in the archive and compares the checksum there.
    with archive.open(member) as stream:
        while piece := stream.read(OUTPUT_STEP):
            members.write(piece)
            size += len(piece)
    if size != member.file_size:
        raise PassingError("the zip archive is cut short", "the list is asked for again")
