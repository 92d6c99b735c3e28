"""What a line says, as a value."""

from dataclasses import dataclass
from enum import StrEnum

from banlistd.model import Span


class LineMeaning(StrEnum):
    """BAN: `spans` are entries. EXCEPT: the list takes `spans` out. SILENT: a line of its format without an address.

    BESIDE: no address. DOUBT: addresses that more than one reading has; `reason` and `hint` say which.
    """

    BAN = "ban"
    EXCEPT = "except"
    SILENT = "silent"
    BESIDE = "beside"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class LineReading:
    """One line. `spans`: of BAN and EXCEPT, at least one. `reason`, `hint`: of DOUBT."""

    meaning: LineMeaning
    spans: tuple[Span, ...] = ()
    reason: str = ""
    hint: str = ""


SILENT = LineReading(LineMeaning.SILENT)
BESIDE = LineReading(LineMeaning.BESIDE)


def banned(*spans: Span) -> LineReading:
    return LineReading(LineMeaning.BAN, spans)


def doubtful(reason: str, hint: str) -> LineReading:
    return LineReading(LineMeaning.DOUBT, (), reason, hint)
