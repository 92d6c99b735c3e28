"""Whether a column says how large the networks are that begin at the addresses of another one."""

import re
from collections.abc import Sequence

from banlistd.core.feeds.parsers.tables.cells import address_of_cell, quad_of_cell, span_of_cell
from banlistd.core.feeds.parsers.tables.rows import is_mask, length_of_mask, network_with, number_in
from banlistd.core.feeds.parsers.tables.words import Role, role_of
from banlistd.errors import ParseError
from banlistd.model import Family, Span

_USUAL = 0.8
_ENOUGH_ROWS = 3
_TELLING_LENGTH = 28
"""Of IPv4: an address that is no network begins one of this length by chance once in 16 times."""

_SHORTEST = 8
_LEAST_COUNT = 8
_SLASH = re.compile(r"/\d{1,3}")
_MAX_LENGTH = {Family.IPV4: 32, Family.IPV6: 128}


def find_size(rows: Sequence[Sequence[str]], names: Sequence[str], column: int, *, prose: bool) -> tuple[str, int] | None:
    """The key and the position of the column of sizes. `prose`: a number that is not next to the address is none.

    Raises ParseError where a column may be one of sizes, and may be something else.
    """
    bare = [(span, row) for span, row in ((address_of_cell(row[column]), row) for row in rows) if span is not None]
    if len(bare) * 2 < len(rows):
        return None
    for place in range(len(rows[0])):
        if place == column:
            continue
        pairs = [(span, row[place]) for span, row in bare]
        role = role_of(names[place]) if place < len(names) else Role.UNNAMED
        start = role_of(names[column]) if column < len(names) else Role.UNNAMED
        key = _masks(pairs)
        if not key and (not prose or place == column + 1):
            key = _lengths(pairs, role) or _counts(pairs, role, start)
        if key == "?":
            raise _unsure(column, place)
        if key:
            return key, place
    return None


def is_of_masks(cells: Sequence[str]) -> bool:
    """Whether a column has masks, which look like addresses."""
    said = [cell for cell in cells if quad_of_cell(cell) is not None]
    return bool(said) and sum(map(_is_mask, said)) >= _USUAL * len(said)


def _masks(pairs: Sequence[tuple[Span, str]]) -> str:
    """`netmask`, `prefix` (with its slash), `?` for one that not all rows have, or nothing."""
    slashes = sum(_SLASH.fullmatch(cell) is not None for _, cell in pairs)
    if slashes:
        return "prefix" if slashes >= _USUAL * len(pairs) else "?"
    telling = sum(_is_telling(cell) for _, cell in pairs)
    fitting = sum(_is_mask(cell) and _begins(span, cell) for span, cell in pairs)
    if fitting == len(pairs):
        return "netmask"
    if not telling or telling * 2 < len(pairs) > 1:
        return ""
    return "netmask" if fitting >= _USUAL * len(pairs) else "?"


def _is_mask(cell: str) -> bool:
    mask = quad_of_cell(cell)
    return mask is not None and is_mask(mask)


def _is_telling(cell: str) -> bool:
    """Neither 0.0.0.0 nor 255.255.255.255, which are no network's mask."""
    return _is_mask(cell) and length_of_mask(quad_of_cell(cell) or 0) != _MAX_LENGTH[Family.IPV4]


def _begins(span: Span, size: str) -> bool:
    """Whether an address is the first one of its network."""
    network = network_with(_text(span), size)
    return network is not None and network[1] == span[1]


def _text(span: Span) -> str:
    family, number, _ = span
    if family is Family.IPV4:
        return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
    return ":".join(f"{number >> shift & 0xFFFF:x}" for shift in range(112, -16, -16))


def _lengths(pairs: Sequence[tuple[Span, str]], role: Role) -> str:
    if role is Role.NUMBER:
        return ""
    numbers = [(span, number) for span, cell in pairs if (number := number_in(cell)) is not None]
    if len(numbers) < _USUAL * len(pairs) or any(not 0 < number <= _MAX_LENGTH[span[0]] for span, number in numbers):
        return ""
    fitting = sum(_begins(span, str(number)) for span, number in numbers)
    if role is Role.PREFIX:
        return "prefix" if fitting >= _USUAL * len(pairs) else "?"
    if fitting < len(numbers) or any(number < _SHORTEST for _, number in numbers):
        return ""
    if all(number == _MAX_LENGTH[span[0]] for span, number in numbers):
        return ""
    spare = [_MAX_LENGTH[span[0]] - number for span, number in numbers]
    telling = sum(bits >= _MAX_LENGTH[Family.IPV4] - _TELLING_LENGTH for bits in spare)
    return "prefix" if role is Role.UNNAMED and telling >= _ENOUGH_ROWS else "?"


def _counts(pairs: Sequence[tuple[Span, str]], role: Role, start: Role) -> str:
    if role is Role.NUMBER:
        return ""
    numbers = [(span, number) for span, cell in pairs if (number := number_in(cell)) is not None]
    if len(numbers) < _USUAL * len(pairs):
        return ""
    if role is Role.COUNT and start in (Role.START, Role.NETWORK):
        return "count"
    # As registries give them out: whole blocks, which begin where a block of that size may.
    blocks = all(number >= _LEAST_COUNT and not span[1] & ((number & -number) - 1) for span, number in numbers)
    least = min((number & -number for _, number in numbers), default=0)
    return "?" if blocks and least >= _LEAST_COUNT else ""


def sized_words(lines: Sequence[Sequence[str]]) -> str | None:
    """The key for lines of `address mask` or `address /length`, among which may be networks and bare addresses.

    None where there is no such line. Raises ParseError where others are among them.
    """
    sized = {"prefix": 0, "netmask": 0}
    others = 0
    for words in lines:
        span, second = span_of_cell(words[0]), words[1] if len(words) > 1 else "#"
        is_bare = address_of_cell(words[0]) is not None
        if is_bare and _SLASH.fullmatch(second):
            sized["prefix"] += 1
        elif is_bare and span is not None and _is_mask(second) and _begins(span, second):
            sized["netmask"] += _is_telling(second)
        elif span is None or (is_bare and not second.startswith(("#", ";", "//"))):
            others += 1
    if not any(sized.values()):
        return None
    if others or all(sized.values()):
        raise _unsure(0, 1)
    return "prefix" if sized["prefix"] else "netmask"


def _unsure(column: int, place: int) -> ParseError:
    return ParseError(
        f"column {place + 1} may say how large the networks are that begin at the addresses in column {column + 1}",
        f"write {{type: csv, column: {column + 1}, prefix: {place + 1}}} for lengths of networks, "
        f"netmask: {place + 1} for masks, "
        f"count: {place + 1} for numbers of addresses, or {{type: csv, column: {column + 1}}} for the addresses alone",
    )
