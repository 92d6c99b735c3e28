"""Country and ASN from a service on the Internet, in the form of ip-api.com's batch. Only where the configuration says so.

The addresses that are asked for leave this host, and nothing else does. Never more than 100 in a request nor 15 requests a
minute, and none while the service says that none is left.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import aiohttp

from banlistd.adapters.fetch.credentials import read_credential
from banlistd.adapters.fetch.name_lookups import NameLookups
from banlistd.core.credentials import conceal, credential_names, fill_url, shown_url
from banlistd.core.geo.online import BATCH_LIMIT, MAX_PAUSE, PAUSE, batch_url, body_of, located_of, pause_after
from banlistd.core.geo.types import Located
from banlistd.errors import FetchError, GeoError
from banlistd.model import Family
from banlistd.ports.geo import AskResolver

_TIMEOUT = 30.0
_LARGEST = 2**20


class OnlineService:
    """A Resolver. `credentials`: systemd's $CREDENTIALS_DIRECTORY; `sleep`, `monotonic`: seconds, for its limits."""

    limit = BATCH_LIMIT

    def __init__(
        self,
        url: str,
        version: str,
        credentials: Path | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._user_agent = f"banlistd/{version}"
        self._credentials = credentials
        self._sleep = sleep
        self._monotonic = monotonic
        self._free_at = 0.0
        self._lookups = NameLookups()

    @property
    def name(self) -> str:
        return shown_url(self._url)

    def is_there(self) -> bool:
        return True

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AskResolver]:
        try:
            secrets = {
                name: await asyncio.to_thread(read_credential, self._credentials, name) for name in credential_names(self._url)
            }
        except FetchError as error:
            raise GeoError(f"{self.name} cannot be asked: {error.message}", error.hint) from error

        async def ask(family: Family, addresses: Sequence[int]) -> Sequence[Located]:
            try:
                body = await self._post(batch_url(fill_url(self._url, secrets)), body_of(family, addresses))
                return located_of(body, family, addresses)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
                reason = conceal(_words_of(exc), secrets.values())
                # Without its cause: aiohttp's own messages carry the URL.
                raise GeoError(f"{self.name} does not answer as it should: {reason}") from None

        yield ask

    async def _post(self, url: str, body: bytes) -> bytes:
        """The body of a good answer. A service that says "too many" once is believed, waited for, and asked again."""
        for last in (False, True):
            await self._sleep(max(0.0, self._free_at - self._monotonic()))
            status, headers, answer = await self._send(url, body)
            pause = pause_after(headers)
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                pause = pause or MAX_PAUSE / 2
            self._free_at = self._monotonic() + max(pause, PAUSE)
            if status == HTTPStatus.OK:
                return answer
            if last or status != HTTPStatus.TOO_MANY_REQUESTS:
                break
        raise ValueError(f"it answered {status}")

    async def _send(self, url: str, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"User-Agent": self._user_agent, "Content-Type": "application/json", "Accept-Encoding": "identity"}
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=self._lookups),
                timeout=timeout,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=True,
            ) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            answer = b""
            async for chunk in response.content.iter_any():
                answer += chunk
                if len(answer) > _LARGEST:
                    raise ValueError("its answer is too large")
            return response.status, response.headers.copy(), answer


def _words_of(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no whole answer within {_TIMEOUT:g} s"
    if isinstance(error, OSError) and error.errno and error.strerror:
        return error.strerror
    return type(error).__name__ if isinstance(error, aiohttp.ClientError) else str(error)
