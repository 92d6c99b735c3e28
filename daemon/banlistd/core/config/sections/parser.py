"""Bounds of the process that parses lists."""

from dataclasses import dataclass
from typing import Annotated

from banlistd.core.config import kinds
from banlistd.core.config.keys import Key, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class ParserSettings(Section):
    """The process without rights that decompresses and parses lists."""

    title = "parser"
    intro = "These keys are set below `parser:`."

    memory: Annotated[
        int,
        Key(
            kinds.size_at_least("128MiB"),
            "The most memory that one such process may take for data. A list that needs more fails. JSON needs 12.5 bytes for "
            "each byte of the document, and 96 MiB beside.",
        ),
    ] = 512 * 2**20
