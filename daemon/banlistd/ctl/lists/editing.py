"""Edits of one source in the text of a configuration file: only its own lines change. Pure.

The text is searched line by line, not as YAML, so the caller compares what the file means before and after the edit.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_ITEM = re.compile(r"( *)- +(?=\S)")
_HEAD_OF_LIST = re.compile(r"(sources:)(\s*(?:#.*)?\s*)")
_FLOW = re.compile(r"( *- +\{.*)\}( *(?:#.*)?)")


class SourceLines(NamedTuple):
    """The lines of a source, `begin` to `end` exclusive. `column`: where its keys begin; `flow`: it is one line in braces."""

    begin: int
    end: int
    column: int
    flow: bool


def lines_of_source(lines: Sequence[str], source_id: str) -> list[SourceLines]:
    """Every place that may declare the source."""
    return [place for place in _items(lines) if _names(lines, place, source_id)]


def switched(text: str, place: SourceLines, *, on: bool) -> str:
    """The text with the source enabled or disabled."""
    return with_key(text, place, "enabled", "yes" if on else "no")


def with_key(text: str, place: SourceLines, key: str, value: str) -> str:
    """The text with another value of a key of the source, which is a plain word, or with the key."""
    lines = text.splitlines(keepends=True)
    if place.flow:
        line = lines[place.begin]
        changed, count = re.subn(rf"([{{,] *{key}: *)[^\s,}}]+", rf"\g<1>{value}", line, count=1)
        lines[place.begin] = changed if count else re.sub(_FLOW, rf"\g<1>, {key}: {value}}}\g<2>", line, count=1)
        return "".join(lines)
    at = _line_of(lines, place, key)
    if at is not None:
        found = re.match(rf"( *(?:- +)?{key}:[ ]*)[^\s#]+( *(?:#.*)?)", lines[at])
        if found:
            lines[at] = f"{found[1]}{value}{found[2]}{_ending(lines[at])}"
            return "".join(lines)
    ending = _ending(lines[place.begin]) or "\n"
    if not _ending(lines[place.end - 1]):
        lines[place.end - 1] += ending
    lines.insert(place.end, f"{' ' * place.column}{key}: {value}{ending}")
    return "".join(lines)


def without_key(text: str, place: SourceLines, key: str) -> str | None:
    """The text without a key of the source whose value is a plain word; None where it is at a dash, and cannot go."""
    lines = text.splitlines(keepends=True)
    if place.flow:
        lines[place.begin] = re.sub(rf", *{key}: *[^\s,}}]+|(?<={{){key}: *[^\s,}}]+, *", "", lines[place.begin], count=1)
        return "".join(lines)
    at = _line_of(lines, place, key)
    if at is None:
        return text
    if _ITEM.match(lines[at]):
        return None
    return "".join([*lines[:at], *lines[at + 1 :]])


def _line_of(lines: Sequence[str], place: SourceLines, key: str) -> int | None:
    begins = re.compile(rf" *(?:- +)?{key}:(?=\s)")
    return next(
        (n for n in range(place.begin, place.end) if begins.match(lines[n]) and _column_of(lines[n]) == place.column), None
    )


def removed(text: str, place: SourceLines) -> str:
    """The text without the lines of the source; `sources: []` where it was the last one there."""
    lines = text.splitlines(keepends=True)
    head = next((n for n in reversed(range(place.begin)) if _is_content(lines[n])), place.begin)
    behind = next(filter(_is_content, lines[place.end :]), "")
    if (found := _HEAD_OF_LIST.fullmatch(lines[head])) and not _ITEM.match(behind):
        lines[head] = f"{found[1]} []{found[2]}"
    return "".join([*lines[: place.begin], *lines[place.end :]])


def is_bare(text: str) -> bool:
    """Whether nothing is left but the comments that banlistctl wrote."""
    return all(line.strip() in ("", HEAD.strip()) for line in text.splitlines())


HEAD = "# written by banlistctl add\n"


def _items(lines: Sequence[str]) -> Iterator[SourceLines]:
    if any(re.match(r"(id|use): ", line) for line in lines):  # the file is one source
        yield _trimmed(lines, SourceLines(0, len(lines), 0, flow=False))
        return
    for at, line in enumerate(lines):
        found = _ITEM.match(line)
        if found is None:
            continue
        if line[found.end()] == "{":
            if _FLOW.match(line):
                yield SourceLines(at, at + 1, found.end(), flow=True)
            continue
        indent = len(found[1])
        end = next((n for n in range(at + 1, len(lines)) if _is_content(lines[n]) and _indent(lines[n]) <= indent), len(lines))
        yield _trimmed(lines, SourceLines(at, end, found.end(), flow=False))


def _trimmed(lines: Sequence[str], place: SourceLines) -> SourceLines:
    """Without the comments and blank lines around it, which belong to what is before or behind."""
    begin, end = place.begin, place.end
    while begin < end and not _is_content(lines[begin]):
        begin += 1
    while end > begin and not _is_content(lines[end - 1]):
        end -= 1
    return place._replace(begin=begin, end=end)


def _names(lines: Sequence[str], place: SourceLines, source_id: str) -> bool:
    """Whether the id of a place, or without an id its name in the catalogue, is the one that is wanted."""
    found = {
        key: value
        for line in lines[place.begin : place.end]
        if place.flow or _column_of(line) == place.column
        for key, value in re.findall(r"(?:^|[\s{,])(id|use): *[\"']?([a-z0-9-]+)[\"']?(?=\s|,|\}|$)", line)
    }
    return found.get("id", found.get("use")) == source_id


def _column_of(line: str) -> int:
    """Where a key begins, behind the dash of an item."""
    found = _ITEM.match(line)
    return found.end() if found else _indent(line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]
