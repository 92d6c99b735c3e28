"""Content that must not reach the firewall, and why. Each guard looks at one thing; the first that refuses is named."""

from collections.abc import Callable, Mapping

from banlistd.core.config import Source
from banlistd.core.parsers import Parsed
from banlistd.model import Refusal

Guard = Callable[[Source, Parsed], str]
"""Returns the reason to refuse, or an empty string."""


def refuse(source: Source, parsed: Parsed) -> Refusal | None:
    """The first refusal, or None: the content may pass."""
    for name, guard in GUARDS.items():
        reason = guard(source, parsed)
        if reason:
            return Refusal(name, reason)
    return None


def _html(_: Source, parsed: Parsed) -> str:
    return "the answer is a web page, not a list" if parsed.looks_like == "html" else ""


def _unparseable(_: Source, parsed: Parsed) -> str:
    if parsed.rejected <= parsed.entries:
        return ""
    first = f", the first is line {parsed.samples[0].line}: {parsed.samples[0].text}" if parsed.samples else ""
    return f"{parsed.rejected} lines hold no address and only {parsed.entries} do{first}"


def _empty(source: Source, parsed: Parsed) -> str:
    return "" if parsed.entries or source.allow_empty else "the list is empty; say allow_empty: true if that may be"


GUARDS: Mapping[str, Guard] = {"html": _html, "unparseable": _unparseable, "empty": _empty}
