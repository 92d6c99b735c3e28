"""What the parser process does once it is confined: bytes from a pipe, addresses into the result file, one answer."""

import bz2
import encodings.cp437
import encodings.idna
import encodings.unicode_escape
import encodings.utf_16
import encodings.utf_16_be
import encodings.utf_16_le
import encodings.utf_32
import errno
import heapq
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import zstandard

from banlistd.adapters.parser_process.answer import Answer, Status, encoded_answer
from banlistd.adapters.parser_process.job import Job
from banlistd.adapters.system import allocator
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.addresses.timed import TimedEntries
from banlistd.core.config.sections import patterns
from banlistd.core.download.decompression import Unpacking
from banlistd.core.feeds.reading.whole_list import parsed_list, with_files_left_out
from banlistd.errors import BanlistdError, FetchError, PassingError
from banlistd.formats import Format, FormatType

_AT_ONCE = 1 << 18

LOADED = (
    *(bz2, encodings.cp437, encodings.idna, encodings.unicode_escape, encodings.utf_16, encodings.utf_16_be),
    *(encodings.utf_16_le, encodings.utf_32, heapq, lzma, zipfile, zlib, zstandard),
)
"""Modules that the standard library imports when it needs them, which is too late under the filter."""

_SAMPLE = b"192.0.2.1 # a\n192.0.2.2 norway 1\n2001:db8::1\n198.51.100.0/24\n<bad>\n# END 5 entries\n"
_BARE_SAMPLE = b"192.0.2.1\n192.0.2.2\n198.51.100.0/24\n"


def warm_up(form: Format | None = None) -> None:
    """Run each path once that loads something at its first use, before the filter is in force. `form`: None for all formats."""
    allocator.tune_malloc()
    for sample in (_SAMPLE, _BARE_SAMPLE):
        parsed_list(sample, Format())
    TimedEntries.joined([TimedEntries.none()])
    if form is None or form.type is FormatType.PATTERN:
        patterns.library()


_ERRNOS: Mapping[int | None, Status] = {errno.EFBIG: Status.RESULT_TOO_LARGE, errno.ENOMEM: Status.OUT_OF_MEMORY}


def not_confined(reason: str) -> bytes:
    return encoded_answer(Answer(Status.NOT_CONFINED, message=reason))


def blocks_of(body: int) -> Iterator[bytes]:
    """What arrives through a pipe, to its end."""
    while block := os.read(body, _AT_ONCE):
        yield block


def answer_to(job: Job, body: Iterable[bytes], result: int) -> bytes:
    """Read the body to its end, write the result file, return the encoded answer. Never raises."""
    try:
        return encoded_answer(_parsed(job, body, result))
    except Exception as error:  # noqa: BLE001 - the end of a process; a traceback would open files, which kills it
        return encoded_answer(_refusal(error))


def _refusal(error: Exception) -> Answer:
    match error:
        case PassingError():
            return Answer(Status.CUT_SHORT, message=error.message, hint=error.hint)
        case FetchError():
            return Answer(Status.BAD_DOWNLOAD, message=error.message, hint=error.hint)
        case BanlistdError():
            return Answer(Status.NOT_A_LIST, message=error.message, hint=error.hint)
        case MemoryError():
            return Answer(Status.OUT_OF_MEMORY)
        case OSError() if error.errno in _ERRNOS:
            return Answer(_ERRNOS[error.errno])
        case _:
            return Answer(Status.FAULTY, message=f"{type(error).__name__}: {error}")


def _parsed(job: Job, body: Iterable[bytes], result: int) -> Answer:
    unpacking = Unpacking(job.max_bytes, job.encoding, job.form.members)
    for block in body:
        unpacking.feed(block)
    parsed = parsed_list(unpacking.finish(), job.form, job.next_path)
    addresses, left_out = parsed.addresses, unpacking.left_out
    _write(addresses, parsed.timed, result)
    return Answer(
        Status.PARSED,
        len(addresses.hosts4),
        len(addresses.nets4),
        len(addresses.hosts6),
        len(addresses.nets6),
        parsed.entries,
        parsed.rejected,
        parsed.data_lines,
        parsed.is_html,
        parsed.said,
        with_files_left_out(parsed.samples, left_out.count, left_out.names),
        next_page=parsed.next_page,
        timed4=len(parsed.timed.first4) if parsed.timed else 0,
        timed6=len(parsed.timed.first6) if parsed.timed else 0,
    )


def _write(addresses: AddressSet, timed: TimedEntries | None, result: int) -> None:
    """hosts4, first and last of nets4, hosts6, first and last of nets6, then those of `timed`, each as in memory."""
    nets4, nets6 = addresses.nets4, addresses.nets6
    columns = (addresses.hosts4, nets4.first, nets4.last, addresses.hosts6, nets6.first, nets6.last)
    for column in (*columns, *(timed.columns if timed else ())):
        if len(column):
            octets = np.ascontiguousarray(column).view(np.uint8).data
            at = 0
            while at < len(octets):
                at += os.write(result, octets[at:])
