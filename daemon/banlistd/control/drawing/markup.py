"""HTML and SVG as text. Every text that is not `Markup` is escaped, so that foreign text stays text. Pure."""

from collections.abc import Iterable
from html import escape

from banlistd.core.printing import printable

_VOID = frozenset({"meta", "col"})
"""Elements of HTML without an end tag."""


class Markup(str):
    """Text that is HTML or SVG already. Made by `tag` and `markup_lines` only, and of literals."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element. `attributes`: an underscore becomes a hyphen, one at the end (`class_`) goes; None leaves it out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(printable(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{''.join(map(_text, children))}</{name}>")


def markup_lines(parts: Iterable[Markup], between: str = "\n") -> Markup:
    return Markup(between.join(parts))


def _text(child: object) -> str:
    return child if isinstance(child, Markup) else escape(printable(child), quote=False)


def cut(text: str, longest: int) -> str:
    """Text for a label; a longer one ends with `...`."""
    safe = printable(text)
    return safe if len(safe) <= longest else f"{safe[: longest - 3]}..."
