"""What an order about manual bans is about: one address, or lines of many. banlistctl imports this."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from banlistd.control.declaration import Argument, Completes
from banlistd.errors import UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts

MOST_OCTETS = 16 * 1024 * 1024
"""Octets: 100,000 lines with comments of a hundred characters."""

BAN_ADDRESSES = Argument("address", "ADDRESS", "an address, a CIDR network, a range a-b, or - for lines of stdin", nargs="+")
BANNED_ADDRESSES = BAN_ADDRESSES._replace(nargs="*", completes=Completes.MANUAL_BANS)
PREFIX6 = Argument(
    "--prefix6",
    "LENGTH",
    "a single IPv6 address means its network of this length, 48 to 128; default: manual.prefix6",
)


class ManyLines(NamedTuple):
    """A request whose `address` is a list of lines; they are read in a thread. `uid`: the user who asks."""

    fields: Mapping[str, object]
    uid: int | None


class OneTarget(NamedTuple):
    """A request about one address, which was read without the configuration. `uid`: the user who asks."""

    fields: Mapping[str, object]
    uid: int | None


def with_prefix6(parts: "Parts", fields: Mapping[str, object]) -> Mapping[str, object]:
    """The fields of a request, with the configured `prefix6` where it names none."""
    length = parts.service.config.manual.prefix6
    return fields if not length or "prefix6" in fields else {**fields, "prefix6": str(length)}


def one_request(fields: Mapping[str, object]) -> tuple[Sequence[Mapping[str, object]], bool]:
    """One request: about one address as a text, about many as a list of lines. Raises UsageError."""
    given = fields.get("address")
    words = [str(word) for word in given] if isinstance(given, list) else []
    rest = {key: value for key, value in fields.items() if key != "address"}
    if not words:
        return [rest], False
    if len(words) == 1 and words[0] != "-":
        return [{**rest, "address": words[0]}], False
    refuse_blanks_in_range(words)
    return [{**rest, "address": [line for word in words for line in _lines(word)]}], False


def refuse_blanks_in_range(words: Sequence[str]) -> None:
    """Raises UsageError for `a - b`, where the hyphen would be standard input, and a terminal would wait for lines."""
    if "-" in words[1:-1]:
        at = words.index("-", 1)
        raise UsageError("- is standard input, not a range", f"without blanks: {words[at - 1]}-{words[at + 1]}")


def _lines(word: str) -> Sequence[str]:
    if word != "-":
        return [word]
    data = sys.stdin.buffer.read(MOST_OCTETS + 1)
    if len(data) > MOST_OCTETS:
        raise UsageError(f"stdin is larger than {MOST_OCTETS // 1024 // 1024} MiB", "divide it: split -l 100000")
    return data.decode(errors="replace").splitlines()
