"""Where the pages of a list are: the header Link (RFC 8288), and parameters of a URL."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, urlsplit, urlunsplit

# One link, or one parameter of it, at a time, so that a hostile header costs no more than its length.
_TARGET = re.compile(r"<([^<>]*)>")
_PARAMETER = re.compile(r'\s*;\s*([A-Za-z0-9*_.-]*)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;,"<>]*))?')


def next_link(headers: Iterable[str]) -> str:
    """The target of the first link whose relation is `next`, as it is written; empty if there is none."""
    return next((target for header in headers for target, relations in _links(header) if "next" in relations), "")


def _links(header: str) -> Iterator[tuple[str, frozenset[str]]]:
    at = 0
    while found := _TARGET.search(header, at):
        target, at = found[1].strip(), found.end()
        relations: frozenset[str] = frozenset()
        is_ours = True
        while given := _PARAMETER.match(header, at):
            name, value, at = given[1].lower(), (given[2] or "").strip('"'), given.end()
            if name == "rel" and not relations:  # RFC 8288 3.3: the first one counts
                relations = frozenset(value.lower().split())
            is_ours = is_ours and name != "anchor"
        if is_ours and target:
            yield target, relations


def is_page_url(place: str) -> bool:
    """Whether the place of a page is a URL, whole or relative, and no cursor or number."""
    return "://" in place or place.startswith(("/", "?", "./", "../"))


def with_parameter(url: str, name: str, value: str) -> str:
    """A URL whose query has this parameter once, at its end where it was not there."""
    parts = urlsplit(url)
    written = f"{quote(name, safe='')}={quote(value, safe='')}"
    named = {name, quote(name, safe="")}
    query, placed = [], False
    for each in parts.query.split("&") if parts.query else []:
        if each.partition("=")[0] not in named:
            query.append(each)
        elif not placed:
            query.append(written)
            placed = True
    return urlunsplit(parts._replace(query="&".join(query if placed else [*query, written])))
