"""How events are written."""

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
