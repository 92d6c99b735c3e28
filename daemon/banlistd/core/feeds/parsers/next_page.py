"""Whether a JSON document is one page of several, and where the next one is. What it says is foreign text."""

import json
from typing import Any

from banlistd.core.feeds.parsed_list import LONGEST_NEXT
from banlistd.core.feeds.parsers.json.texts import documents_of
from banlistd.errors import ParseError

# Where interfaces say that there is more; each seen in the documents of one (GitHub, Django, HAL, OData, TAXII 2.1 3.7, AWS).
_PLACES = (
    *("next", "next_page", "next_page_url", "next_url", "next_link", "nextPage", "nextLink", "@odata.nextLink", "next.href"),
    *("next_cursor", "nextCursor", "next_token", "nextToken", "NextToken", "nextPageToken", "cursor.next", "meta.next_token"),
    *("links.next", "links.next.href", "_links.next", "_links.next.href", "paging.next", "paging.cursors.after"),
    *(
        "pagination.next",
        "pagination.next_page",
        "pagination.next_url",
        "pagination.next_cursor",
        "meta.next",
        "meta.next_page",
    ),
    *("meta.pagination.next", "page.next", "response_metadata.next_cursor", "paging.next.link"),
)
_FLAGS = ("more", "has_more", "hasMore", "has_next", "hasNext", "pagination.has_more", "meta.has_more", "has_next_page")

# One of them is in each document that says so at one of these places.
_TRACES = (b'"next', b'"Next', b"nextLink", b'"after"', b'"more"', b'"has')


def next_page(body: bytes, path: str) -> str:
    """Where the page after a JSON document is, an address or a cursor; empty where it is the last, or is no page of several.

    `path`: keys joined by dots; empty: every place that is usual. Then a document that says no more than that it goes on
    gives the name of the flag. Raises ParseError.
    """
    if not path:
        if body[:200].lstrip()[:1] != b"{" or not any(trace in body for trace in _TRACES):
            return ""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return ""
        return _usual(document)
    *_, document = documents_of(body) or [None]
    found = _written(_at(document, path))
    if not found and (usual := _usual(document)):
        hint = "name the place of the next page as the `next` of `pages`"
        raise ParseError(f"nothing is at {path}, and the document goes on elsewhere ({usual[:60]})", hint)
    return found


def _usual(document: object) -> str:
    found = next((text for place in _PLACES if (text := _written(_at(document, place)))), "")
    return found or next((flag for flag in _FLAGS if _at(document, flag) is True), "")


def _at(document: Any, path: str) -> object:
    if isinstance(document, dict) and path in document:
        return document[path]
    for key in path.split("."):
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def _written(value: object) -> str:
    """A number counts from 1: pages begin there, and 0 is nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = value.strip() if isinstance(value, str) else str(value) if 0 < value < 1 << 63 else ""
    if len(text.encode("utf-8", "replace")) > LONGEST_NEXT:
        raise ParseError(f"the place of the next page has more than {LONGEST_NEXT} octets")
    return text
