"""banlistctl catalogue credits: the attributions that the sources in use ask for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import Command, PageContext, no_fields
from banlistd.control.page import Page
from banlistd.core.printing import printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts


class CreditRow(TypedDict):
    """One source that is enabled. `use`: its name in the catalogue; empty: it is not from there. Others: empty if not known."""

    id: str
    use: str
    attribution: str
    licence: str
    home: str


async def _answer(parts: "Parts", _: tuple[()]) -> list[CreditRow]:
    return [
        {
            "id": source.id,
            "use": source.use or "",
            "attribution": source.attribution,
            "licence": source.licence,
            "home": source.home,
        }
        for source in parts.service.config.sources
        if source.enabled and (source.attribution or source.licence)
    ]


def _page(rows: Sequence[CreditRow], _: PageContext) -> Page:
    if not rows:
        return ["of no source in use the terms are known"]
    return [line for row in rows for line in _lines(row)]


def _lines(row: CreditRow) -> list[str]:
    credit = printable(row["attribution"]) or "no credit is asked for, as far as is known"
    terms = "; ".join(printable(text) for text in (row["licence"], row["home"]) if text)
    return [f"{printable(row['id'])}: {credit}", *([f"    {terms}"] if terms else [])]


CATALOGUE_CREDITS: "Command[tuple[()], list[CreditRow]]" = Command(
    name="catalogue credits",
    help="the credit and the terms of every list in use",
    details="A source may have `attribution`, `licence` and `home` of its own; one of the catalogue has those of its entry.",
    method="GET",
    example=[
        {
            "id": "dshield-block",
            "use": "dshield-block",
            "attribution": "SANS Technology Institute, Internet Storm Center, https://isc.sans.edu",
            "licence": "CC BY-NC-SA 2.5; a business may protect itself with it, resale is forbidden",
            "home": "https://www.dshield.org/",
        }
    ],
    read=no_fields,
    answer=_answer,
    page=_page,
)
