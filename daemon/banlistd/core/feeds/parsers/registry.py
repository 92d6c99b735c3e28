"""The functions that the declarations of the formats name."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.formats import Format, FormatType

Parser = Callable[[bytes, Format, Harvest], Format]
"""(normalised body, format as configured, collector) -> the format as it was read. Raises ParseError."""

Recogniser = Callable[[Sequence[str]], Format | None]
"""The first lines of a body, stripped, at least one, without comments -> the format that they are in, or None."""


@cache
def parser_of(kind: FormatType) -> Parser:
    parser: Parser = _named(kind.kind.parser)
    return parser


@cache
def recognisers() -> Sequence[Recogniser]:
    """In the order in which they are asked; the last one always answers."""
    kinds = sorted((kind.kind for kind in FormatType if kind.kind.recogniser), key=lambda kind: kind.precedence)
    return [_named(kind.recogniser) for kind in kinds]


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(f"banlistd.core.feeds.parsers.{module}"), name)
