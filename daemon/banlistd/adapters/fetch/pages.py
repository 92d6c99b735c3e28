"""A list in several bodies, pages or answers of several URLs, each a document of its own: all of them together, or none."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from banlistd.core.config.model import Source
from banlistd.core.config.sections.pages import LINK, PARAMETER, Pages
from banlistd.core.credentials import shown_url
from banlistd.core.download.known_bodies import joint_validators
from banlistd.core.download.paging import is_page_url, with_parameter
from banlistd.core.download.redirects import Trail
from banlistd.core.download.request import Request, Wish
from banlistd.core.feeds.joined import joined_lists, memory_of
from banlistd.core.feeds.parsed_list import Download, ParsedList
from banlistd.core.printing import counted
from banlistd.errors import FetchError, MissingError
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

    @property
    def download(self) -> Download:
        """Raises FetchError for the answer that nothing changed."""
        if isinstance(self.answer, NotModified):
            raise FetchError("the server answered 304 Not Modified to a request that had no condition")
        return self.answer

    def as_one_of_several(self) -> Download | NotModified:
        """The answer; a list whose header says that it goes on is not whole, and the guard `truncated` decides."""
        if not self.link or isinstance(self.answer, NotModified):
            return self.answer
        return replace(self.answer, parsed=replace(self.answer.parsed, next_page=self.link))


@dataclass(frozen=True, slots=True)
class PageRequest:
    """`trail`: where the way to this request began. `octets`: that arrived before it."""

    request: Request
    trail: Trail
    octets: int = 0


Ask = Callable[[PageRequest], Awaitable[Arrived]]


class Collecting:
    """Gets the bodies of one list, once. `last_hash`: the body hash of what the source had last, or empty."""

    def __init__(self, source: Source, ask: Ask, last_hash: str) -> None:
        self._source = source
        self._ask = ask
        self._last_hash = last_hash
        self._octets = 0
        self._parts: list[Download] = []

    async def whole(self, wishes: Sequence[Wish]) -> Download | NotModified:
        """One body for each wish, or all its pages. Where some are unchanged and others are not, those are asked for again.

        Raises as `ask` does, and FetchError for pages without an end.
        """
        known: dict[str, Validators] = {}
        if self._source.pages is not None:
            for wish in wishes:
                await self._either(wish, self._all_pages)
        else:
            arrived = [await self._either(wish, self._one) for wish in wishes]
            if all(isinstance(each.answer, NotModified) for _, each in arrived):
                return NotModified()
            for request, each in arrived:
                body = each
                if isinstance(each.answer, NotModified):
                    body = await self._one(request.unconditional())
                self._add(body.download)
                known[request.key] = body.download.validators
        return await self._joined(known)

    async def _either(self, wish: Wish, get: Callable[[Request], Awaitable[Arrived]]) -> tuple[Request, Arrived]:
        """Of a list of today that is not there yet, that of yesterday."""
        for request in wish:
            try:
                return request, await get(request)
            except MissingError as error:
                if len(wish) == 1:
                    raise
                missing = error
        raise FetchError(f"{missing.message} for today and for yesterday", missing.hint) from missing

    async def _one(self, request: Request) -> Arrived:
        trail = Trail(public_only=self._source.public_only)
        arrived = await self._ask(PageRequest(request, trail, self._octets))
        self._octets += arrived.octets
        return replace(arrived, answer=arrived.as_one_of_several())

    async def _all_pages(self, first: Request) -> Arrived:
        pages = self._source.pages or Pages()
        wanted: PageRequest | None = self._page(_numbered(first, pages, 0))
        seen: set[str] = set()
        before: list[Download] = []
        while wanted is not None:
            number = len(before) + 1
            if wanted.request.url in seen:
                raise FetchError(f"page {number} is one that was read before: {shown_url(wanted.request.url)}")
            seen.add(wanted.request.url)
            arrived = await self._ask_for_page(wanted, number)
            self._octets += arrived.octets
            if pages.next == PARAMETER and _is_end(arrived.download, before):
                break
            before.append(arrived.download)
            self._add(arrived.download)
            wanted = self._next(pages, first, arrived, number)
            if wanted is not None and number >= pages.most + (pages.next == PARAMETER):
                raise FetchError(
                    f"the list is truncated: it goes on after {counted(pages.most, 'page', 'pages')}",
                    "raise `most` of its `pages`, if that is right",
                )
            if wanted is not None or pages.next != LINK:
                self._parts[-1] = _followed(self._parts[-1])
        return arrived

    async def _ask_for_page(self, wanted: PageRequest, number: int) -> Arrived:
        try:
            return await self._ask(replace(wanted, octets=self._octets))
        except MissingError as error:
            if number == 1:
                raise
            raise FetchError(
                f"page {number}: {error.message}", error.hint
            ) from error  # the list is there, and this is no end of it

    def _page(self, request: Request) -> PageRequest:
        return PageRequest(request, Trail(public_only=self._source.public_only))

    def _next(self, pages: Pages, first: Request, arrived: Arrived, number: int) -> PageRequest | None:
        """The request for the page after the one that arrived, the `number`th; None if that was the last."""
        if pages.next == PARAMETER:
            return self._page(_numbered(first, pages, number))
        place = arrived.link if pages.next == LINK else arrived.download.parsed.next_page
        if not place:
            return None
        if pages.next == LINK or is_page_url(place):
            return PageRequest(arrived.request.redirected_to(place), arrived.trail.continued())
        if not pages.parameter:
            hint = "add the parameter of the url that it belongs to, as pages: {next: ..., parameter: cursor}"
            raise FetchError("the document names its next page by a cursor, not by an address", hint)
        return self._page(replace(first, url=with_parameter(first.url, pages.parameter, place)))

    def _add(self, part: Download) -> None:
        self._parts.append(part)
        if sum(memory_of(each.parsed.addresses) for each in self._parts) > _LARGEST:
            message = "all bodies together hold more than 12 million addresses of IPv4, or 3 million of IPv6"
            raise FetchError(message, "split the list into several")

    async def _joined(self, known: Mapping[str, Validators]) -> Download | NotModified:
        digest = hashlib.sha256("\n".join(part.validators.body_hash for part in self._parts).encode()).hexdigest()
        validators = joint_validators(known, digest)
        if digest == self._last_hash:
            return NotModified(validators)
        lists: list[ParsedList] = [part.parsed for part in self._parts]
        one = lists[0] if len(lists) == 1 else await asyncio.to_thread(joined_lists, lists)
        return Download(one, validators, sum(part.octets for part in self._parts))


def _numbered(first: Request, pages: Pages, index: int) -> Request:
    """The request for a page by its index; where pages have no numbers, the first one."""
    if pages.next != PARAMETER:
        return first
    return replace(first, url=with_parameter(first.url, pages.parameter, str(pages.first + index * pages.step)))


def _followed(part: Download) -> Download:
    """A page whose next page is asked for; the last one by the header Link may know of another in its document."""
    return replace(part, parsed=replace(part.parsed, next_page=""))


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
