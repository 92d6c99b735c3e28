"""Lists from servers, over HTTP. What arrives is hostile until it is whole, within its bounds, and from where we meant.

aiohttp alone takes half a gzip body for a whole one, inflates a bomb and follows a redirect to 169.254.169.254
(measured): so decompression, bounds and redirects are ours.
"""

import asyncio
import itertools
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import aiohttp

from banlistd.adapters.fetch.connections import NO_LISTENERS, SYSTEM_NETWORK, FeedConnections, Listeners, OtherNetwork
from banlistd.adapters.fetch.credentials import read_credentials
from banlistd.adapters.fetch.http_faults import PROXY_LOGIN, concealed, fetch_faults, status_in_words
from banlistd.adapters.fetch.name_lookups import NameLookups
from banlistd.adapters.fetch.pages import Arrived, Collecting, PageRequest
from banlistd.adapters.fetch.receiving import Receiver, Spool
from banlistd.adapters.fetch.routes import Route, route_of
from banlistd.adapters.fetch.verifying.proving import Proving, arrived_whole, read_sidecar
from banlistd.adapters.fetch.verifying.whole_body import MemoryFile
from banlistd.adapters.system.own_threads import OwnThreads
from banlistd.core.config.model import Source
from banlistd.core.credentials import shown_url
from banlistd.core.download.archives.members import too_large
from banlistd.core.download.codings import content_coding
from banlistd.core.download.dates import Day
from banlistd.core.download.paging import next_link
from banlistd.core.download.redirects import MAX_REDIRECTS, REDIRECT_STATUSES, Trail
from banlistd.core.download.request import Request, Wish, is_one_body, secret_texts, usable_validator, wishes_for
from banlistd.core.download.retry import PASSING_STATUSES, backoff, parse_retry_after
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError, MismatchError, MissingError, ParseError, PassingError
from banlistd.model import NotModified, Validators
from banlistd.ports import Fetcher, ListParser, OnBody, Verifier

_HINTS = {
    401: "the server wants a login: see headers and ${credential:NAME}",
    403: "the server does not let us in: is a key needed, or was this host blocked?",
    404: "the list has moved or ended: look at its publisher's page",
    407: PROXY_LOGIN,
    410: "the list has ended: remove the source",
    429: "poll less often: raise `every` of the source",
}


_UNVERIFIED_AT_ONCE = 4
"""Lists that are in memory whole until they are verified, each of at most `max_bytes`."""

_TRIES_TO_MATCH = 2
"""A list and its sidecar that do not fit together are asked for once more: one of them may have been renewed in between."""

_Taken = TypeVar("_Taken")
_Take = Callable[[aiohttp.ClientResponse, PageRequest], Awaitable[_Taken]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The source whose list is asked for, and the hash of the body that it had last. `reached`: the hosts connected to."""

    source: Source
    body_hash: str
    on_body: OnBody
    reached: list[str]
    route: Route


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` tries; `sleep`, `chance` (0 to 1) and `now` (seconds since the epoch) serve the pauses in between."""

    attempts: int = 3
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    now: Callable[[], float] = time.time


class Downloads:
    """A Fetcher for every source: those with a `url` over HTTP, the others through `local`.

    Bytes go to `parser` as they arrive, or once it is known that they are not the same as last time.

    `credentials`: systemd's $CREDENTIALS_DIRECTORY. `verifier`: for sources with `verify`. Each hop has a connection of
    its own, so that no cookie and no open socket passes from one list to another; nothing is to be closed.
    """

    def __init__(
        self,
        version: str,
        local: Fetcher,
        parser: ListParser,
        verifier: Verifier,
        credentials: Path | None = None,
        *,
        listeners: Listeners = NO_LISTENERS,
        retry: RetryPolicy = RetryPolicy(),
        network: OtherNetwork = SYSTEM_NETWORK,
    ) -> None:
        self._user_agent = f"banlistd/{version}"
        self._local = local
        self._parser = parser
        self._verifier = verifier
        self._unverified = asyncio.Semaphore(_UNVERIFIED_AT_ONCE)
        self._spool = Spool()
        self._certificates = OwnThreads("certificate", 4)
        self._credentials = credentials
        self._connections = FeedConnections(network.resolver or NameLookups(), listeners.on_connection, network.tls)
        self._listeners = listeners
        self._retry = retry

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        if source.url is None:
            return await self._local.fetch(source, validators, on_body)
        reached: list[str] = []
        secrets = await asyncio.to_thread(read_credentials, self._credentials, source)
        try:
            route = await self._route(source, secrets)
            now = self._retry.now()
            days = [_day_at(now), _day_at(now - 86_400.0)]
            wishes = wishes_for(source, validators, secrets, self._user_agent, days)
            # Several bodies are parsed before it is known whether all of them together are the same as last time.
            wanted = _Wanted(source, validators.body_hash if is_one_body(source) else "", _only_once(on_body), reached, route)
            async with AsyncExitStack() as stack:
                if source.verify is not None:
                    await stack.enter_async_context(self._unverified)
                return await self._fetch_in_time(wishes, wanted, validators.body_hash)
        except (FetchError, ParseError) as error:
            if isinstance(error, FetchError):
                error.was_sent = bool(reached)
            if not source.is_confidential:
                raise
            # Without its cause: aiohttp's own messages carry the URL, and a traceback would show it.
            raise concealed(error, secret_texts(source, secrets)) from None

    async def _route(self, source: Source, secrets: Mapping[str, str]) -> Route:
        """Certificates are files, which may be on a network disk that does not answer. Raises FetchError."""
        work = partial(route_of, source, secrets, self._credentials)
        if source.ca is None and source.client_certificate is None:
            return work()
        try:
            async with asyncio.timeout(source.timeout):
                return await self._certificates.run(source.id, work)
        except TimeoutError as exc:
            raise FetchError(f"its certificates were not read within {source.timeout:g} s", "does their disk answer?") from exc
        except OSError as exc:  # an earlier attempt has not come back, or no thread can be started
            raise FetchError(f"its certificates cannot be read: {exc.strerror}") from exc

    async def _fetch_in_time(self, wishes: Sequence[Wish], wanted: _Wanted, last_hash: str) -> Download | NotModified:
        """One deadline over everything: all tries, all redirects, and the parser."""
        timeout = wanted.source.timeout
        faults: list[PassingError] = []
        try:
            async with asyncio.timeout(timeout) as deadline:
                ask = partial(self._ask_for_list, wanted, deadline, faults)
                if not is_one_body(wanted.source):
                    return await Collecting(wanted.source, ask, last_hash).whole(wishes)
                arrived = await ask(PageRequest(wishes[0][0], Trail(public_only=wanted.source.public_only)))
                return arrived.as_one_of_several()
        except TimeoutError as exc:
            hint = "raise `timeout` of the source, if the server is known to be slow"
            before = f"; the try before failed: {faults[-1].message}" if faults else ""
            raise FetchError(f"no whole answer from {shown_url(wishes[0][0].url)} within {timeout:g} s{before}", hint) from exc

    async def _ask_for_list(
        self, wanted: _Wanted, deadline: asyncio.Timeout, faults: list[PassingError], question: PageRequest
    ) -> Arrived:
        take = partial(self._receive, wanted, deadline, faults)
        arrived = await self._ask_patiently(wanted, deadline, faults, take, question)
        if is_one_body(wanted.source):
            self._listeners.on_arrival(wanted.source, arrived.trail.moved_to)
        return arrived

    async def _ask_patiently(
        self,
        wanted: _Wanted,
        deadline: asyncio.Timeout,
        faults: list[PassingError],
        take: _Take[_Taken],
        question: PageRequest,
    ) -> _Taken:
        """Try again after a fault that may pass. Each of them is added to `faults`. `take`: what is made of a good answer."""
        for attempt in itertools.count(1):
            try:
                return await self._follow(question, wanted, take)
            except PassingError as error:
                faults.append(error)
                pause = max(backoff(attempt - 1, self._retry.chance()), error.retry_after or 0.0)
                once = wanted.source.minimum is not None and wanted.reached  # this publisher has had its request
                most = min(self._retry.attempts, _TRIES_TO_MATCH) if isinstance(error, MismatchError) else self._retry.attempts
                if once or attempt >= most or asyncio.get_running_loop().time() + pause >= (deadline.when() or math.inf):
                    raise
            await self._retry.sleep(pause)
        raise AssertionError  # the count does not end

    async def _follow(self, question: PageRequest, wanted: _Wanted, take: _Take[_Taken]) -> _Taken:
        question = replace(question, trail=question.trail.copy())
        for _ in range(MAX_REDIRECTS + 1):
            outcome = await self._get(question, wanted, take)
            if not isinstance(outcome, Request):
                return outcome
            question = replace(question, request=outcome)
            question.trail.redirected(outcome.url)
        raise FetchError(f"the server redirects more than {MAX_REDIRECTS} times")

    async def _get(self, question: PageRequest, wanted: _Wanted, take: _Take[_Taken]) -> _Taken | Request:
        """One request; a Request is what it redirects to."""
        request = question.request
        with fetch_faults(request.url):
            session, proxy = await self._connections.session(request, question.trail, wanted.route, wanted.reached.append)
            async with (
                session,
                session.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    data=request.body,
                    allow_redirects=False,
                    proxy=proxy,
                ) as response,
            ):
                if response.status in REDIRECT_STATUSES and "Location" in response.headers:
                    question.trail.answered(response.status)
                    return request.redirected_to(response.headers["Location"], response.status)
                self._refuse_status(response, request)
                return await take(response, question)

    async def _receive(
        self,
        wanted: _Wanted,
        deadline: asyncio.Timeout,
        faults: list[PassingError],
        response: aiohttp.ClientResponse,
        question: PageRequest,
    ) -> Arrived:
        """The list in an answer."""
        source = wanted.source
        if response.status == HTTPStatus.NOT_MODIFIED:
            return Arrived(NotModified(), question.request, question.trail)
        if (response.content_length or 0) + question.octets > source.max_bytes:
            raise too_large(source.max_bytes)
        encoding = content_coding(", ".join(response.headers.getall("Content-Encoding", [])))
        link = next_link(response.headers.getall("Link", []))
        etag, last_modified = (usable_validator(response.headers.get(name, "")) for name in ("ETag", "Last-Modified"))
        receiver = Receiver(source, encoding, wanted.body_hash, wanted.on_body, self._parser, self._spool, question.octets)
        if source.verify is None:
            answer = await receiver.receive(response.content.iter_any(), etag, last_modified, deadline)
            return Arrived(answer, question.request, question.trail, link, receiver.arrived - question.octets)
        ask = partial(self._sidecar, wanted, deadline, faults)
        proving = Proving(source.verify, question.request.sidecars, ask, self._verifier)
        with MemoryFile() as body:
            await arrived_whole(response.content.iter_any(), source, question.octets, body)
            if body.sha256 != wanted.body_hash:  # what is known was proven when it came
                await proving.prove(body)
            answer = await receiver.receive(body.pieces(), etag, last_modified, deadline)
            return Arrived(answer, question.request, question.trail, link, body.size)

    async def _sidecar(self, wanted: _Wanted, deadline: asyncio.Timeout, faults: list[PassingError], request: Request) -> bytes:
        """What is published beside a list."""

        async def take(response: aiohttp.ClientResponse, _: PageRequest) -> bytes:
            return await read_sidecar(response)

        question = PageRequest(request, Trail(public_only=wanted.source.public_only))
        return await self._ask_patiently(wanted, deadline, faults, take, question)

    def _refuse_status(self, response: aiohttp.ClientResponse, request: Request) -> None:
        status = response.status
        if status == HTTPStatus.OK:
            return
        if status == HTTPStatus.NOT_MODIFIED:
            if request.is_conditional:
                return
            raise FetchError("the server answered 304 Not Modified to a request that had no condition")
        message, hint = f"the server answered {status_in_words(status)}", _HINTS.get(status, "")
        if status in PASSING_STATUSES:
            raise PassingError(message, hint, parse_retry_after(response.headers.get("Retry-After", ""), self._retry.now()))
        raise (MissingError if status == HTTPStatus.NOT_FOUND else FetchError)(message, hint)


def _day_at(moment: float) -> Day:
    """Seconds since the epoch."""
    year, month, day = time.strftime("%Y %m %d", time.gmtime(moment)).split()
    return year, month, day


def _only_once(on_body: OnBody) -> OnBody:
    """A list that is asked for again has a body again, and is one attempt all the same."""
    left = [on_body]

    async def at_first_body() -> None:
        if left:
            await left.pop()()

    return at_first_body
