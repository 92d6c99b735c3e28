"""Blocks of several lines, made lines of one entry each: sets of nftables, defines, tables of pf, `geo` of nginx; and what
stands between signs of a comment is taken out.

Only where a body has the sign of such a block near its beginning. What a block allows becomes an exception: `!` before it.
"""

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.core.feeds.parsers.commands.rules import ALLOWS
from banlistd.core.feeds.parsers.commands.rules_of_lines import rules_as_lines
from banlistd.errors import ParseError

_LOOK = 1 << 16
"""Octets in which the sign of a block is looked for: in the whole of a large list that would take longer than to read it."""

_ELEMENTS = re.compile(
    rb"^[ \t]*+(?:set|map|vmap)[ \t]++(\S++)[ \t]*+\{[^{}]*?\belements[ \t]*+=[ \t]*+\{([^{}]*+)\}[^{}]*+\}"
    rb"|^[ \t]*+define[ \t]++(\S++)[ \t]*+=[ \t]*+[\[{]([^][{}]*+)[]}];?"
    rb"|^[ \t]*+table[ \t]*+<([^>\s]++)>[^{}\n]*+\{([^{}]*+)\}",
    re.MULTILINE,
)
_FRAME = re.compile(
    rb"^[ \t]*+(?:table[ \t]++(?:(?:ip6?|inet|arp|bridge|netdev)[ \t]++)?+\S++[ \t]*+\{"
    rb"|(?:set|map)[ \t]++\S++[ \t]*+\{[^{}]*+\})[^\n]*+$",
    re.MULTILINE,
)
_PASSING = re.compile(rb"^[^\n@$<]*+[@$<]([^\s>]++)>?+[^\n]*?\s(?:accept|return)\b", re.MULTILINE)
"""Sets from which a rule lets packets pass."""

_TAIL = re.compile(rb" (?:timeout|expires|counter|comment|packets) .*| ?\\ ?")
_VERDICT = re.compile(rb" : (\S++)")
_GEO = re.compile(rb"^[ \t]*+geo[ \t]++(?:\$\w++[ \t]*+){1,2}\{([^{}]*+)\}", re.MULTILINE)
_GEO_VALUE = re.compile(rb"(\S++)\s++(?:\"([^\"]*+)\"|'([^']*+)'|(\S++))")
_NO_VALUE = frozenset({b"0", b"", b"no", b"off", b"false"})
_COMMENTS = ((b"/*", b"*/"), (b"<!--", b"-->"))
_MARKS = re.compile(rb"^[ \t]*+(?:/\*|<!--)", re.MULTILINE)


def blocks_as_lines(body: bytes) -> bytes:
    """The body, with a line for each entry of such a block. Raises ParseError for a block that says what is not banned."""
    look = body[:_LOOK]
    body = rules_as_lines(body)
    for block in _BLOCKS:
        if any(word in look for word in block.words) and block.find(look) is not None:
            body = block.rewrite(body)
    return body


def _without_comments(body: bytes) -> bytes:
    """Without comments that begin a line. Their lines stay, empty. One without an end is left."""
    parts: list[bytes] = []
    at = 0
    while (mark := _MARKS.search(body, at)) is not None:
        closing = next(end for begin, end in _COMMENTS if mark[0].endswith(begin))
        end = body.find(closing, mark.end())
        if end < 0:
            break
        end += len(closing)
        parts += [body[at : mark.start()], b"\n" * body.count(b"\n", mark.start(), end)]
        at = end
    return b"".join([*parts, body[at:]]) if parts else body


def _sets_as_lines(body: bytes) -> bytes:
    passing = {found[1] for found in _PASSING.finditer(body)}
    return _FRAME.sub(b"", _ELEMENTS.sub(lambda block: _written_set(block, passing), body))


def _written_set(block: re.Match[bytes], passing: AbstractSet[bytes]) -> bytes:
    name, elements = next((block[at], block[at + 1]) for at in (1, 3, 5) if block[at] is not None)
    allows = name in passing or ALLOWS.search(name.decode("latin-1")) is not None
    code = b"\n".join(line.partition(b"#")[0] for line in elements.split(b"\n"))
    # pf's tables may have blanks alone between their entries.
    separator = re.compile(rb"[,\s\\]++" if block[5] is not None else rb",")
    words = (_TAIL.sub(b"", b" ".join(word.split())) for word in separator.split(code))
    return b"\n" + b"".join(_entry(word, allows=allows) for word in words if word)


def _entry(word: bytes, *, allows: bool) -> bytes:
    verdict = _VERDICT.search(word)
    word = word if verdict is None else word[: verdict.start()]
    excepted = allows or (verdict is not None and verdict[1] in (b"accept", b"return"))
    # An exception of an exception is no ban.
    return (b"!" + word.lstrip(b"! ") if excepted else word) + b"\n"


def _geo_as_lines(body: bytes) -> bytes:
    """nginx: an address whose value is 0, empty or absent is none of the list's."""
    return _GEO.sub(_written_geo, body)


def _written_geo(block: re.Match[bytes]) -> bytes:
    lines: list[bytes] = []
    code = b"\n".join(line.partition(b"#")[0] for line in block[1].split(b"\n"))
    for part in code.split(b";"):
        found = _GEO_VALUE.fullmatch(part.strip())
        if found is None or found[1] in (b"include", b"proxy", b"delete"):
            continue
        value = next((one for one in found.groups()[1:] if one is not None), b"")
        if found[1] == b"default":
            if value not in _NO_VALUE:
                raise ParseError(
                    "a geo block of nginx with a default: its entries may be the addresses that are not banned",
                    "write {type: pattern, ...} and say what in it is banned",
                )
        elif found[1] != b"ranges":
            lines.append((b"!" if value in _NO_VALUE else b"") + found[1] + b"\n")
    return b"\n" + b"".join(lines)


_BULLET = re.compile(
    rb"^(?:---|[ \t]*+[A-Za-z][\w -]{0,40}+:)[ \t]*+\n(?:[ \t]*+(?:#[^\n]*+)?\n)*+[ \t]*+-[ \t]++['\"]?+[0-9A-Fa-f.:]"
    rb"|\A(?:[ \t]*+(?:#[^\n]*+)?\n)*+[ \t]*+\*[ \t]++['\"]?+[0-9A-Fa-f.:]",
    re.MULTILINE,
)
"""A dash alone may take an address away."""

_BULLETS = re.compile(rb"^[ \t]*+[-*][ \t]++", re.MULTILINE)
_ADDED = re.compile(rb"^[ \t]*+\+", re.MULTILINE)


def _without_bullets(body: bytes) -> bytes:
    """`- 192.0.2.1` below the key of YAML, and `* 192.0.2.1`. Where other lines begin with a plus, the dash takes away."""
    return body if _ADDED.search(body) is not None else _BULLETS.sub(b"", body)


_FEWEST_CELLS = 64
_ONE_LINE = re.compile(rb"[ \t]*+(?:\"?+[0-9A-Fa-f.:/-]{2,60}+\"?+[ \t]*+,[ \t]*+){%d}" % _FEWEST_CELLS)
_NO_CELLS = bytes(set(range(256)) - set(b'0123456789abcdefABCDEF.:/-," \t\n'))


def _cells_as_lines(body: bytes) -> bytes:
    """One line of many addresses between commas, however long (StopForumSpam's bannedips.csv)."""
    return body.replace(b",", b"\n") if len(body.translate(None, _NO_CELLS)) == len(body) else body


@dataclass(frozen=True, slots=True)
class _Block:
    """`words`: of which a text with its sign has one at least. They are found in a thirtieth of the time that a search for the
    sign takes, which is more than to read the addresses (measured).
    """

    words: tuple[bytes, ...]
    find: Callable[[bytes], re.Match[bytes] | None]
    rewrite: Callable[[bytes], bytes]


_BLOCKS = (
    _Block((b"/*", b"<!--"), _MARKS.search, _without_comments),
    _Block(
        (b"{", b"define", b"elements"),
        re.compile(
            rb"^[ \t]*+(?:(?:table|set|map)[ \t]++[^\n{]*+\{|define[ \t]++\S++[ \t]*+=[ \t]*+[\[{]|elements[ \t]*+=)",
            re.MULTILINE,
        ).search,
        _sets_as_lines,
    ),
    _Block((b"geo",), re.compile(rb"^[ \t]*+geo[ \t]++[^\n{]*+\{", re.MULTILINE).search, _geo_as_lines),
    _Block((b"- ", b"-\t", b"* ", b"*\t"), _BULLET.search, _without_bullets),
    _Block((b",",), re.compile(rb"\s*+" + _ONE_LINE.pattern).match, _cells_as_lines),
)
