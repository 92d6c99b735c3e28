"""Lines that begin a part of a list: `[allow]`, `whitelist:`, `Name: good`. A part that is allowed is no list of bans."""

import re

from banlistd.core.feeds.parsers.commands.readings import SILENT, LineMeaning, LineReading
from banlistd.core.feeds.parsers.commands.rules import ALLOWS
from banlistd.core.feeds.parsers.text import LatePattern

_PART = LatePattern(
    r"\[([A-Za-z][\w .-]{0,40}+)\]|([A-Za-z][\w.-]{0,40}+(?: [\w.-]{1,20}+){0,2}+):|Name: (\S{1,64}+)", re.ASCII
)
_HEAD = LatePattern(r"(?:Name|Type|Revision|Header|Size in memory|References|Number of entries): \S.*|Members:|---|\.\.\.")
"""What `ipset list` says of a set; marks of YAML."""

ALLOWED_PART = LineReading(
    LineMeaning.DOUBT,
    (),
    "the name of a part that may be allowed, not banned",
    "write {type: pattern, ...} and say what is banned, or ask the publisher for a list of that alone",
)


def part_of(text: str) -> LineReading | None:
    """What a line says that names a part of a list; None for another one."""
    part = _PART.fullmatch(text)
    if part is not None and ALLOWS.search(next(name for name in part.groups() if name is not None)):
        return ALLOWED_PART
    return SILENT if _HEAD.fullmatch(text) else None
