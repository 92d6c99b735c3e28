"""What `banlistctl check` is to look at, as the command line and its files name it. banlistctl imports this."""

import sys
from collections.abc import Iterator, Mapping, Sequence

from banlistd.control.commands.manual_bans.targets import refuse_blanks_in_range
from banlistd.core.printing import counted
from banlistd.errors import UsageError

MOST_TARGETS = 1000
_LARGEST_FILE = 256 * 1024  # octets, which is six times what so many addresses need


def requests_of(fields: Mapping[str, object]) -> tuple[Sequence[Mapping[str, object]], bool]:
    """A request for each target, and whether the answer is a list: it is for more than one argument, and for a file.

    Raises UsageError for a file that cannot be read, is too long, or names nothing.
    """
    given = fields["address"]
    words = [str(word) for word in given] if isinstance(given, list) else [str(given)]
    refuse_blanks_in_range(words)
    targets = [target for word in words for target in _targets(word)]
    if len(targets) > MOST_TARGETS:
        found = counted(len(targets), "address", "addresses")
        raise UsageError(f"{found} are more than {MOST_TARGETS:,}", "ask for them in parts: split -l 1000")
    others = {key: value for key, value in fields.items() if key != "address"}
    return [{"address": target, **others} for target in targets], len(words) > 1 or _file_of(words[0]) is not None


def _file_of(word: str) -> str | None:
    """The file that an argument names: `@FILE`, or `-` for standard input; None where it names a target itself."""
    return word if word == "-" else word[1:] if word.startswith("@") else None


def _targets(word: str) -> Sequence[str]:
    name = _file_of(word)
    if name is None:
        return [word]
    text = _read(name)
    if len(text) > _LARGEST_FILE:
        raise UsageError(f"{name} is larger than {_LARGEST_FILE // 1024} KiB", "ask for it in parts: split -l 1000")
    found = list(_lines(text.decode(errors="replace")))
    if not found:
        raise UsageError(f"{name} names no address", "one address, network, range or host name a line; # begins a comment")
    return found


def _read(name: str) -> bytes:
    try:
        if name == "-":
            return sys.stdin.buffer.read(_LARGEST_FILE + 1)
        with open(name, "rb") as file:  # noqa: PTH123 - pathlib costs 10 ms
            return file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {name}: {reason}", "banlistctl reads it, as the user who calls it") from error


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if target := line.partition("#")[0].strip():
            yield target
