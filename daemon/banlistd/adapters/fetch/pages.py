"""A list in several bodies, each an answer of its own: all of them together, or none."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from banlistd.core.config.model import Source
from banlistd.core.config.sections.pages import LINK, PARAMETER, Pages
from banlistd.core.credentials import shown_url
from banlistd.core.download.paging import is_page_url, with_parameter
from banlistd.core.download.redirects import Trail
from banlistd.core.download.request import Request
from banlistd.core.feeds.joined import joined_lists, memory_of
from banlistd.core.feeds.parsed_list import Download, ParsedList
from banlistd.errors import FetchError
from banlistd.model import NotModified, Validators

_LARGEST = 48 * 2**20
"""Bytes of addresses, 12 million of IPv4: as much as one body may have."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """An answer. `request`: the one that it answers, after redirects. `trail`: the addresses of that way. `link`: where its
    header says that the list goes on. `octets`: those of the body as it arrived.
    """

    answer: Download | NotModified
    request: Request
    trail: Trail
    link: str = ""
    octets: int = 0


@dataclass(frozen=True, slots=True)
class PageRequest:
    """`trail`: where the way to this request began. `octets`: that arrived before it."""

    request: Request
    trail: Trail
    octets: int = 0


Ask = Callable[[PageRequest], Awaitable[Arrived]]


async def all_pages(source: Source, pages: Pages, request: Request, ask: Ask, last_hash: str) -> Download | NotModified:
    """Every page, from the first one on. `last_hash`: the body hash of the list that the source had last, or empty.

    Raises as `ask` does, and FetchError for pages without an end.
    """
    parts: list[Download] = []
    question: PageRequest | None = PageRequest(_first(request, pages), Trail(public_only=source.public_only))
    seen: set[str] = set()
    octets = 0
    while question is not None:
        if question.request.url in seen:
            raise FetchError(f"page {len(parts) + 1} is one that was read before: {shown_url(question.request.url)}")
        seen.add(question.request.url)
        arrived = await ask(replace(question, octets=octets))
        if isinstance(arrived.answer, NotModified):
            raise FetchError("the server answered 304 Not Modified to a request that had no condition")
        octets += arrived.octets
        if pages.next == PARAMETER and _is_end(arrived.answer, parts):
            break
        parts.append(arrived.answer)
        _refuse_too_many(parts)
        question = _next(source, pages, request, arrived, len(parts))
        if question is not None and len(parts) >= pages.most + (pages.next == PARAMETER):
            raise FetchError(
                f"the list is truncated: it goes on after {pages.most} pages", "raise `most` of its `pages`, if that is right"
            )
    return await _whole(parts, pages, last_hash)


def _first(request: Request, pages: Pages) -> Request:
    if pages.next != PARAMETER:
        return request
    return replace(request, url=with_parameter(request.url, pages.parameter, str(pages.first)))


def _is_end(answer: Download, before: Sequence[Download]) -> bool:
    """Whether a page by number is the one after the last."""
    parsed, number = answer.parsed, len(before) + 1
    if before and before[-1].validators.body_hash == answer.validators.body_hash and parsed.entries:
        hint = "does the server know the `parameter` of `pages`?"
        raise FetchError(f"page {number} is the same as page {number - 1}", hint)
    if not before or parsed.entries:
        return False
    if parsed.rejected or parsed.is_html:
        hint = "name the format of the list, and for JSON the path of its addresses"
        raise FetchError(f"page {number} has no address and is not empty, so it may be an error and no end", hint)
    return True


def _next(source: Source, pages: Pages, first: Request, arrived: Arrived, number: int) -> PageRequest | None:
    """The request for the page after the one that arrived, the `number`th; None if that was the last."""
    if pages.next == PARAMETER:
        url = with_parameter(first.url, pages.parameter, str(pages.first + number * pages.step))
        return PageRequest(replace(first, url=url), Trail(public_only=source.public_only))
    parsed = arrived.answer.parsed if isinstance(arrived.answer, Download) else None
    place = arrived.link if pages.next == LINK or parsed is None else parsed.next_page
    if not place:
        return None
    if pages.next != LINK and pages.parameter and not is_page_url(place):
        url = with_parameter(first.url, pages.parameter, place)
        return PageRequest(replace(first, url=url), Trail(public_only=source.public_only))
    if pages.next != LINK and not is_page_url(place):
        hint = "add the parameter of the url that it belongs to, as pages: {next: ..., parameter: cursor}"
        raise FetchError("the document names its next page by a cursor, not by an address", hint)
    return PageRequest(arrived.request.redirected_to(place), arrived.trail.continued())


def _refuse_too_many(parts: Sequence[Download]) -> None:
    if sum(memory_of(part.parsed.addresses) for part in parts) > _LARGEST:
        raise FetchError(
            "the pages hold more than 12 million addresses of IPv4, or 3 million of IPv6", "split the list into several"
        )


async def _whole(parts: Sequence[Download], pages: Pages, last_hash: str) -> Download | NotModified:
    digest = hashlib.sha256("\n".join(part.validators.body_hash for part in parts).encode()).hexdigest()
    validators = Validators("", "", digest)
    if digest == last_hash:
        return NotModified(validators)
    lists: list[ParsedList] = [part.parsed for part in parts]
    one = lists[0] if len(lists) == 1 else await asyncio.to_thread(joined_lists, lists)
    # Every place that was asked for has been followed to its end; a document may know of another one.
    return Download(replace(one, next_page=lists[-1].next_page if pages.next == LINK else ""), validators)
