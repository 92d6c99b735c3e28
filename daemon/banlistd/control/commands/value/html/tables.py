"""Tables beside the drawings of a report: every figure that is drawn, as text."""

from collections.abc import Sequence

from banlistd.control.drawing.markup import Markup, tag
from banlistd.control.page import Column

LONGEST_TEXT = 200
"""Characters of a text that is not ours, as a comment or the name of a network."""


def table(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[object]], *, bounded: bool = False) -> Markup:
    """The first cell of a row is its head. `bounded`: it scrolls on a screen, and is whole on paper."""
    heads = [tag("th", one.head, scope="col", class_="number" if one.right else None) for one in columns]
    body = [
        tag(
            "tr",
            tag("th", _shortened(row[0]), scope="row"),
            *(
                tag("td", _shortened(cell), class_="number" if column.right else None)
                for cell, column in zip(row[1:], columns[1:], strict=True)
            ),
        )
        for row in rows
    ]
    whole = tag("table", tag("caption", caption), tag("thead", tag("tr", *heads)), tag("tbody", *body))
    # A part that scrolls must be reachable by keyboard.
    return tag("div", whole, class_="scroll bounded" if bounded else "scroll", tabindex="0", role="region", aria_label=caption)


def _shortened(cell: object) -> object:
    if isinstance(cell, Markup):
        return cell
    text = str(cell)
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."
