"""A list is proven before it is read: what its publisher has beside it is fetched, and compared with the bytes that arrived."""

from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from banlistd.adapters.fetch.verifying.whole_body import MemoryFile
from banlistd.core.config.model import Source
from banlistd.core.config.sections.verify import Verify
from banlistd.core.credentials import shown_url
from banlistd.core.download.archives.members import too_large
from banlistd.core.download.codings import content_coding
from banlistd.core.download.request import Request, Sidecar
from banlistd.errors import FetchError, MismatchError, VerificationError
from banlistd.ports import Verifier

LARGEST_SIDECAR = 65_536
"""Bytes. A signature has 1,000, a file of checksums 100 for each name."""

AskForSidecar = Callable[[Request], Awaitable[bytes]]


async def read_sidecar(response: aiohttp.ClientResponse) -> bytes:
    """The body of an answer. Raises FetchError for one that is too large, or packed."""
    if content_coding(", ".join(response.headers.getall("Content-Encoding", []))):
        raise FetchError("the server packs it, and was asked not to")
    arrived = b""
    async for piece in response.content.iter_any():
        arrived += piece
        if len(arrived) > LARGEST_SIDECAR:
            raise FetchError(f"it is larger than {LARGEST_SIDECAR} bytes")
    return arrived


@dataclass(frozen=True, slots=True)
class Proving:
    """How one list is proven. `ask`: fetches a sidecar; raises FetchError."""

    settings: Verify
    sidecars: tuple[Sidecar, ...]
    ask: AskForSidecar
    verifier: Verifier

    async def prove(self, body: MemoryFile) -> None:
        """Raises MismatchError and VerificationError."""
        for sidecar in self.sidecars:
            place = shown_url(sidecar.request.url)
            try:
                content = await self.ask(sidecar.request)
            except FetchError as error:
                words = f"the list is not verified: its {sidecar.check.kind.noun} cannot be fetched: {error.message}: {place}"
                raise VerificationError(words, error.hint, error.retry_after) from error
            try:
                await self.verifier.verify(sidecar.check.kind, self.settings, body.body(sidecar.list_name), content)
            except MismatchError as error:
                raise MismatchError(f"the list is not verified: {error.message}: {place}", error.hint) from error
            except VerificationError as error:
                raise VerificationError(f"the list is not verified: {error.message}: {place}", error.hint) from error


async def arrived_whole(chunks: AsyncIterable[bytes], source: Source, before: int, into: MemoryFile) -> None:
    """Keep a body as it arrives. `before`: bytes of other bodies of the same list. Raises FetchError."""
    try:
        async for chunk in chunks:
            if before + into.size + len(chunk) > source.max_bytes:
                raise too_large(source.max_bytes)
            into.write(chunk)
    except MemoryError as exc:
        raise FetchError("there is no memory for the list until it is verified", "lower its max_bytes") from exc
