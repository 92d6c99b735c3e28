"""What is written down: how events are, and how long hits are kept."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from banlistd.core.config import kinds
from banlistd.core.config.keys import Key, Section


class LogFormat(StrEnum):
    """How events are written: `auto` is the journal where there is one, logfmt on stderr otherwise."""

    AUTO = "auto"
    LOGFMT = "logfmt"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Section):
    title = "log"
    intro = "These keys are set below `log:`."
    format: Annotated[
        LogFormat,
        Key(kinds.chosen(LogFormat, "a log format"), "`auto`: the journal where there is one, logfmt on stderr otherwise."),
    ] = LogFormat.AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits(Section):
    title = "hits"
    intro = "These keys are set below `hits:` at the top level, and bound what sources with `hits: yes` record."

    keep: Annotated[float, Key(kinds.duration_between("1h", "3650d"), "How long a hit is kept after its last sample.")] = (
        30 * 86400.0
    )
    # 100,000 rows are 21 MB with their indexes (measured).
    rows: Annotated[int, Key(kinds.whole(1000, 10_000_000), "The most hits that are kept; the oldest are forgotten.")] = 100_000
