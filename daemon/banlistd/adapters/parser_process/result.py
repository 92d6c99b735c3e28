"""What the daemon makes of the answer and the result file of a parser process: addresses in normal form, or an error."""

import fcntl
import mmap
import os
from collections.abc import Mapping

import numpy as np

from banlistd.adapters.parser_process.answer import Answer, Status
from banlistd.core.addresses.normal_form import normal_form_fault
from banlistd.core.addresses.sets import AddressSet, Ranges
from banlistd.core.addresses.timed import TimedEntries
from banlistd.errors import FetchError, ParseError, PassingError
from banlistd.model import Family

MAX_RESULT = 48 * 2**20
"""Bytes: 12 million IPv4 addresses. It is also what the daemon's own memory may grow by for one list."""

SHORT_RESULT = 1 << 16
"""Bytes: so short a result is looked at without a thread, and copied. A map keeps a descriptor for as long as the list is in
force, and the unit of the daemon allows 4,096 of them, which 5,000 lists would exceed.
"""

_F_ADD_SEALS, _F_SEAL_ALL = 1033, 0x1 | 0x2 | 0x4 | 0x8  # linux/fcntl.h: seal, shrink, grow, write


_FOUR, _SIXTEEN = np.dtype("=u4"), np.dtype("S16")
_NONE = {dtype: np.empty(0, dtype=dtype) for dtype in (_FOUR, _SIXTEEN)}

Result = tuple[AddressSet, TimedEntries | None]
"""The addresses of a list, and its entries with their ends, where some of them end."""


def taken_result(result: int, answer: Answer) -> Result:
    """Seal the result file, so that it cannot change any more, and return `result_in` it. Raises ParseError as that does."""
    try:
        fcntl.fcntl(result, _F_ADD_SEALS, _F_SEAL_ALL)
    except OSError as exc:  # EBUSY: a process that lives has it mapped; EPERM: it has sealed it, so it may be written to
        raise ParseError(f"the result of the process that reads the list cannot be sealed: {exc.strerror}") from exc
    return result_in(result, answer)


def result_in(result: int, answer: Answer) -> Result:
    """The result file as arrays; a long one shares their memory. Raises ParseError where it is not what the answer says."""
    size = os.fstat(result).st_size
    if size != answer.octets:
        raise ParseError("the result of the process that reads the list has the wrong size")
    if not size:
        return AddressSet.none(), None
    octets = (
        os.pread(result, size, 0)
        if size <= SHORT_RESULT
        else mmap.mmap(result, size, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED)
    )
    columns, at = [], 0
    for count, dtype, width in (
        (answer.hosts4, _FOUR, 4),
        (answer.nets4, _FOUR, 4),
        (answer.nets4, _FOUR, 4),
        (answer.hosts6, _SIXTEEN, 16),
        (answer.nets6, _SIXTEEN, 16),
        (answer.nets6, _SIXTEEN, 16),
        *((answer.timed4, _FOUR, 4),) * 3,
        *((answer.timed6, _SIXTEEN, 16),) * 2,
        (answer.timed6, _FOUR, 4),
    ):
        columns.append(np.frombuffer(octets, dtype=dtype, count=count, offset=at) if count else _NONE[dtype])
        at += count * width
    hosts4, first4, last4, hosts6, first6, last6, *ends = columns
    addresses = AddressSet(hosts4, Ranges(Family.IPV4, first4, last4), hosts6, Ranges(Family.IPV6, first6, last6))
    if fault := normal_form_fault(addresses):
        raise ParseError(f"the result of the process that reads the list is not in normal form: {fault}")
    timed = TimedEntries(*ends) if answer.timed4 or answer.timed6 else None
    if timed is not None and (fault := timed.fault()):
        raise ParseError(f"the result of the process that reads the list has {fault}")
    return addresses, timed


_KINDS: Mapping[Status, type[FetchError | ParseError]] = {Status.BAD_DOWNLOAD: FetchError, Status.CUT_SHORT: PassingError}

_WORDS: Mapping[Status, tuple[str, str]] = {
    Status.OUT_OF_MEMORY: (
        "reading the list takes more memory than is allowed",
        "split the list; for a large JSON document say format: json, and raise parser: memory",
    ),
    Status.RESULT_TOO_LARGE: (
        "the list holds more than 12 million addresses of IPv4, or 3 million of IPv6",
        "split it into several lists",
    ),
    Status.NOT_CONFINED: ("the process that reads lists cannot be confined: {}", "install libseccomp2"),
    Status.FAULTY: ("the process that reads the list failed: {}", "this is a fault of banlistd: report it, with the list"),
    Status.PARSED: ("the process that reads the list ended before the list did", ""),
}
"""Message, into which the message of the answer goes, and hint. Other answers bring their own."""


def fault_of(answer: Answer) -> FetchError | ParseError:
    """The error to raise for an answer without a list."""
    message, hint = _WORDS.get(answer.status, ("{}", answer.hint))
    return _KINDS.get(answer.status, ParseError)(message.format(answer.message), hint)
