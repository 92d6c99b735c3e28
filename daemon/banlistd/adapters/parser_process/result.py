"""What the daemon makes of the answer and the result file of a parser process: addresses in normal form, or an error."""

import fcntl
import mmap
import os

import numpy as np

from banlistd.adapters.parser_process.answer import Answer, Status
from banlistd.core.addresses.normal_form import normal_form_fault
from banlistd.core.addresses.sets import AddressSet, Ranges
from banlistd.core.download.retry import PassingError
from banlistd.errors import BanlistdError, FetchError, ParseError
from banlistd.model import Family

MAX_RESULT = 48 * 2**20
"""Bytes: 12 million IPv4 addresses. It is also what the daemon's own memory may grow by for one list."""

_F_ADD_SEALS, _F_SEAL_ALL = 1033, 0x1 | 0x2 | 0x4 | 0x8  # linux/fcntl.h: seal, shrink, grow, write


def taken_result(result: int, answer: Answer) -> AddressSet:
    """Seal the result file, so that it cannot change any more, and return `addresses_in` it."""
    fcntl.fcntl(result, _F_ADD_SEALS, _F_SEAL_ALL)
    return addresses_in(result, answer)


def addresses_in(result: int, answer: Answer) -> AddressSet:
    """The result file as arrays that share its memory. Raises ParseError where it is not what the answer says."""
    size = os.fstat(result).st_size
    if size != answer.octets:
        raise ParseError("the result of the process that reads the list has the wrong size")
    if not size:
        return AddressSet.none()
    octets = mmap.mmap(result, size, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED)
    columns, at = [], 0
    for count, dtype, width in (
        (answer.hosts4, "=u4", 4),
        (answer.nets4, "=u4", 4),
        (answer.nets4, "=u4", 4),
        (answer.hosts6, "S16", 16),
        (answer.nets6, "S16", 16),
        (answer.nets6, "S16", 16),
    ):
        columns.append(np.frombuffer(octets, dtype=dtype, count=count, offset=at))
        at += count * width
    hosts4, first4, last4, hosts6, first6, last6 = columns
    addresses = AddressSet(hosts4, Ranges(Family.IPV4, first4, last4), hosts6, Ranges(Family.IPV6, first6, last6))
    if fault := normal_form_fault(addresses):
        raise ParseError(f"the result of the process that reads the list is not in normal form: {fault}")
    return addresses


def fault_of(answer: Answer) -> BanlistdError:
    """The error to raise for an answer without a list."""
    match answer.status:
        case Status.BAD_DOWNLOAD | Status.CUT_SHORT:
            kind = PassingError if answer.status is Status.CUT_SHORT else FetchError
            return kind(answer.message, answer.hint)
        case Status.OUT_OF_MEMORY:
            return ParseError(
                "reading the list takes more memory than is allowed", "for a large JSON document say format: json"
            )
        case Status.RESULT_TOO_LARGE:
            return ParseError(
                f"the list holds more than {MAX_RESULT // 4_000_000} million addresses", "split it into several lists"
            )
        case Status.NOT_CONFINED:
            return ParseError(f"the process that reads lists cannot be confined: {answer.message}", "install libseccomp2")
        case Status.NOT_A_LIST:
            return ParseError(answer.message, answer.hint)
        case Status.PARSED:
            return ParseError("the process that reads the list ended before the list did")
