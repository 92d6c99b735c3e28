"""How a list that comes in pages goes on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from banlistd.core.config import kinds, web
from banlistd.core.config.keys import Key, Section

LINK = "link"
PARAMETER = "parameter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages(Section):
    """Where the next page of a list is. All pages are one list, or none of them is taken."""

    title = "pages"
    intro = "Every page is read as a document of its own, and all are one list. Where one page fails, none is taken."

    next: Annotated[
        str,
        Key(
            web.NEXT_PAGE,
            "Where the next page is: `link`, the header Link with rel=next; or keys of the JSON document joined by dots, as "
            "`links.next`, with an address or a cursor; or `parameter`, pages by number, up to the first one that is empty.",
        ),
    ] = LINK
    parameter: Annotated[
        str, Key(web.QUERY_PARAMETER, "The parameter of the url for the number of a page, or for the cursor of the document.")
    ] = ""
    first: Annotated[int, Key(kinds.whole(0, 1_000_000), "The number of the first page.")] = 1
    step: Annotated[
        int, Key(kinds.whole(1, 1_000_000), "By how much the number grows from page to page: 100 for an offset.")
    ] = 1
    most: Annotated[int, Key(kinds.whole(1, 1000), "The most pages. A list that goes on beyond them is refused.")] = 100

    def complaints(self) -> Iterator[tuple[str, str]]:
        if self.next == PARAMETER and not self.parameter:
            yield "has no parameter", "write {next: parameter, parameter: page}"
        if self.next == LINK and self.parameter:
            yield "has a parameter, and the header Link has whole addresses", "delete one of them"

    @property
    def path(self) -> str:
        """Where a JSON document says what its next page is; empty: nowhere."""
        return "" if self.next in (LINK, PARAMETER) else self.next
