"""Orders about many addresses: lines are read into orders, all of them or none. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from banlistd.core.manual.manual_bans import (
    BanOrder,
    ConfirmOrder,
    UnbanOrder,
    read_ban,
    read_confirm,
    read_unban,
    refusal_of_own_session,
    too_wide,
)
from banlistd.core.printing import counted, shown
from banlistd.errors import UsageError

_Order = TypeVar("_Order", BanOrder, UnbanOrder, ConfirmOrder)

MOST_LINES = 250_000
"""Lines of one order: more than an origin may ban, few enough for the memory of the daemon."""

_SAMPLE = "192.0.2.1"  # in place of the address, where only the other fields are read
_LINE_HINT = "ADDRESS [for 1h] [comment]"
_MOST_NAMED = 5  # wrong lines in a message
# What looks like the rest of an address, or like another one. Few comments begin so, and only these are looked at closely.
_MORE = re.compile(r"/\s*[0-9]+(?!\S)|(?:-\s*)?([0-9A-Fa-f]*[.:]\S*)")
# It fits every line that is not empty, so no line makes it search long: what reads the parts refuses control characters.
_LINE = re.compile(r"(\S+)(?:\s+for\s+([0-9]\S*))?(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MassBan:
    """Ban all of these in one transaction. `keeps`: what an origin has banned already stays as it is."""

    orders: tuple[BanOrder, ...]
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class MassUnban:
    """Lift the bans of all of these in one transaction."""

    orders: tuple[UnbanOrder, ...]


@dataclass(frozen=True, slots=True)
class MassConfirm:
    """Confirm the bans of all of these that wait for it, in one transaction."""

    orders: tuple[ConfirmOrder, ...]


def read_mass_ban(fields: Mapping[str, object], uid: int | None) -> MassBan:
    """`address` is a list of lines `ADDRESS [for DURATION] [comment]`; the other fields are those of `read_ban`, for all lines.

    Raises UsageError, which names the first wrong lines.
    """
    common = {key: value for key, value in fields.items() if key not in ("address", "keep")}
    plain = read_ban({**common, "address": _SAMPLE} | {"force": True}, uid)
    prefix = {"prefix6": fields["prefix6"]} if "prefix6" in fields else {}
    checked = cache(lambda text: read_ban({"comment": text, "address": _SAMPLE}).comment)
    ending = cache(lambda text: read_ban({**common, "for": text, "address": _SAMPLE, "force": True}, uid))

    refuse_own = refusal_of_own_session(fields)

    def order(address: str, duration: str | None, comment: str | None) -> BanOrder:
        like = plain if duration is None else ending(duration)
        span = read_confirm({"address": address, **prefix}).span
        words = checked(comment) if comment else like.comment
        found = BanOrder(*span, like.seconds, like.origin, words, uid, like.confirm, like.scope)
        refuse_own(span)
        if too_wide(found):
            raise UsageError(f"{address} is wider than a manual ban may be: at most a /8, or a /12 of IPv6")
        return found

    return MassBan(_orders(fields, order), fields.get("keep") is True)


def read_mass_unban(fields: Mapping[str, object]) -> MassUnban:
    """`address` is a list of lines as `read_mass_ban` takes them. Raises UsageError, which names the first wrong lines."""
    common = {key: value for key, value in fields.items() if key != "address"}
    read_unban({**common, "address": _SAMPLE})
    return MassUnban(_orders(fields, lambda address, *_: read_unban({**common, "address": address})))


def read_mass_confirm(fields: Mapping[str, object]) -> MassConfirm:
    """`address` is a list of lines as `read_mass_ban` takes them. Raises UsageError, which names the first wrong lines."""
    common = {key: value for key, value in fields.items() if key != "address"}
    return MassConfirm(_orders(fields, lambda address, *_: read_confirm({**common, "address": address})))


def _orders(fields: Mapping[str, object], read: Callable[[str, str | None, str | None], _Order]) -> tuple[_Order, ...]:
    lines = fields["address"]
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise UsageError("address: is no list of lines", '{"address": ["192.0.2.7", "198.51.100.0/24 for 1h a comment"]}')
    if len(lines) > MOST_LINES:
        raise UsageError(
            f"{counted(len(lines), 'line', 'lines')} are more than one order takes", f"at most {MOST_LINES:,}: divide them"
        )
    orders, wrong, hints = [], list[str](), set[str]()
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].strip()
        if not words:
            continue
        try:
            orders.append(_read(words, read))
        except UsageError as error:
            wrong.append(f"line {number}: {error.message.removeprefix('address: ')}")
            hints.add(error.hint or _LINE_HINT)
    if wrong:
        more = f"; and {len(wrong) - _MOST_NAMED:,} more" if len(wrong) > _MOST_NAMED else ""
        what = counted(len(wrong), "line is", "lines are")
        # One that fits them all, as that of the own session.
        hint = hints.pop() if len(hints) == 1 else _LINE_HINT
        raise UsageError(f"{what} wrong, and nothing was changed: {'; '.join(wrong[:_MOST_NAMED])}{more}", hint)
    if not orders:
        raise UsageError("no address is given", "one a line: ADDRESS [for 1h] [comment]")
    return tuple(orders)


def _read(words: str, read: Callable[[str, str | None, str | None], _Order]) -> _Order:
    found = _LINE.fullmatch(words)
    if found is None:
        raise UsageError("is no address with words behind it")
    if found[3] and (more := _MORE.match(found[3])) and (more[1] is None or _is_address(more[1].rstrip(",;"))):
        raise UsageError(f"{shown(more[0])} behind {found[1]} is no comment: write one address, network or range a line")
    return read(found[1], found[2], found[3])


def _is_address(word: str) -> bool:
    """Whether it could be banned itself."""
    try:
        read_confirm({"address": word})
    except UsageError:
        return False
    return True
