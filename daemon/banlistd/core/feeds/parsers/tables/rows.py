"""One row of a table -> its entries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from banlistd.core.feeds.parsers.spans import address_of, network_of, quad, span_between, span_of
from banlistd.model import Family, Span

PLACEHOLDERS = frozenset({"", "-", "--", "?", "n/a", "na", "none", "null", "nil", "\\n"})
"""What a cell without an address says, in lower case."""

_MAX_DIGITS = len(str(1 << 128))
_ALL = {Family.IPV4: (1 << 32) - 1, Family.IPV6: (1 << 128) - 1}
_MAPPED = 0xFFFF


class Means(StrEnum):
    """What the named columns are."""

    ADDRESS = "the column has an address, a network or a range"
    EACH = "each column has one of its own"
    FAMILIES = "one column has IPv4, the other IPv6"
    ENDS = "two columns are the ends of a range"
    NUMBERS = "two columns are the ends of a range, as whole numbers"


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions from 0. `size`: of the column that says how many addresses begin at the address; `is_count`: as a number of
    them, not as a length or a mask.
    """

    means: Means
    columns: tuple[int, ...]
    size: int | None = None
    is_count: bool = False

    @property
    def is_of_a_registry(self) -> bool:
        """Whether these are the columns in which a registry (RIR) writes what it has given out."""
        return self.is_count and self.columns == (_REGISTRY_ADDRESS,) and self.size == _REGISTRY_ADDRESS + 1


def row_entries(cells: Sequence[str], layout: Layout) -> list[Span]:
    """What a row lists; nothing where it is not whole: a part of it is never taken for all of it."""
    if layout.means is Means.ADDRESS and layout.size is None:
        # What most tables are, in one step.
        column = layout.columns[0]
        span = span_of(cells[column]) if column < len(cells) else None
        return [] if span is None else [span]
    chosen = [cells[column] if column < len(cells) else "" for column in layout.columns]
    spans = _READERS[layout.means](chosen)
    if layout.size is None or not spans:
        return spans
    size = cells[layout.size] if layout.size < len(cells) else ""
    if not size and len(cells) == 1:
        return spans
    is_length = not layout.is_count or (layout.is_of_a_registry and is_registry_row(cells) and cells[2] == "ipv6")
    sized = network_with(chosen[0], size) if is_length else run_of(chosen[0], size)
    agrees = sized is not None and (layout.means is Means.ADDRESS or sized == spans[0])
    return [sized] if sized is not None and agrees else []


def _one(cells: Sequence[str]) -> list[Span]:
    span = span_of(cells[0])
    return [] if span is None else [span]


def _each(cells: Sequence[str]) -> list[Span]:
    """Every one, or none where a cell says something else."""
    said = [cell for cell in cells if cell.lower() not in PLACEHOLDERS]
    spans = [span for span in map(span_of, said) if span is not None]
    return spans if len(spans) == len(said) else []


def _families(cells: Sequence[str]) -> list[Span]:
    spans = _each(cells)
    return spans if len({family for family, _, _ in spans}) == len(spans) else []


def _ends(cells: Sequence[str]) -> list[Span]:
    span = span_between(*cells)
    return [] if span is None else [span]


def _numbers(cells: Sequence[str]) -> list[Span]:
    first, last = map(number_in, cells)
    if first is None or last is None or first > last or last > _ALL[Family.IPV6]:
        return []
    if last <= _ALL[Family.IPV4]:
        return [(Family.IPV4, first, last)]
    if first >> 32 == _MAPPED == last >> 32:
        return [(Family.IPV4, first & _ALL[Family.IPV4], last & _ALL[Family.IPV4])]
    return [(Family.IPV6, first, last)]


_READERS: Mapping[Means, Callable[[Sequence[str]], list[Span]]] = {
    Means.ADDRESS: _one,
    Means.EACH: _each,
    Means.FAMILIES: _families,
    Means.ENDS: _ends,
    Means.NUMBERS: _numbers,
}


def number_in(cell: str) -> int | None:
    """A whole number without a sign."""
    return int(cell) if cell.isdecimal() and cell.isascii() and len(cell) <= _MAX_DIGITS else None


def network_with(address: str, size: str) -> Span | None:
    """An address, and the length or mask of its network in another cell. A network that says its own length needs none."""
    size = size.removeprefix("/").strip()
    if "/" in address:
        own = network_of(address)
        return own if not size or network_with(address.partition("/")[0], size) == own else None
    length = _length_of(size)
    return None if length is None else network_of(f"{address}/{length}")


def _length_of(size: str) -> str | None:
    """A length as it is; of a netmask or a wildcard mask its length."""
    mask = quad(size)
    if mask is not None:
        return None if (bits := length_of_mask(mask)) is None else str(bits)
    if ":" in size:
        span = address_of(size)
        host = span[1] ^ _ALL[Family.IPV6] if span is not None and span[0] is Family.IPV6 else 1 << 128
        return str(128 - host.bit_length()) if not host & (host + 1) and host < 1 << 128 else None
    return size if number_in(size) is not None else None


def length_of_mask(mask: int) -> int | None:
    """Of 255.255.255.0, and of its wildcard form 0.0.0.255. 0.0.0.0, which may be either, is the narrow one: one address."""
    ones = mask ^ _ALL[Family.IPV4] if mask >> 31 else mask
    return None if ones & (ones + 1) else 32 - ones.bit_length()


def is_mask(number: int) -> bool:
    """Whether this is a netmask or a wildcard mask of at least eight bits: in 0.0.0.0/8 and above 255.0.0.0 no address is."""
    return number >> 24 in (0, 0xFF) and length_of_mask(number) is not None


def run_of(address: str, count: str) -> Span | None:
    """So many addresses from this one on."""
    span, number = address_of(address), number_in(count)
    if span is None or not number or span[1] + number - 1 > _ALL[span[0]]:
        return None
    return span[0], span[1], span[1] + number - 1


_REGISTRY_ADDRESS, _REGISTRY_STATUS = 3, 6
_REGISTRY_TYPES = frozenset({"ipv4", "ipv6", "asn"})
_GIVEN_OUT = frozenset({"allocated", "assigned"})
_NOT_GIVEN_OUT = frozenset({"available", "reserved"})


def is_registry_row(cells: Sequence[str]) -> bool:
    """Whether this is a record of the RIR statistics exchange format: registry, country, type, start, value, date, status."""
    status = cells[_REGISTRY_STATUS] if len(cells) > _REGISTRY_STATUS else ""
    return cells[2:3] != [] and cells[2] in _REGISTRY_TYPES and status in _GIVEN_OUT | _NOT_GIVEN_OUT


def lists_nothing(cells: Sequence[str]) -> bool:
    """Whether a row of a registry has no address by design, or none that is given out."""
    if is_registry_row(cells):
        return cells[2] == "asn" or cells[_REGISTRY_STATUS] in _NOT_GIVEN_OUT
    return cells[5:6] == ["summary"] and cells[2] in _REGISTRY_TYPES
