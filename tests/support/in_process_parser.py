"""The ListParser of tests that are about other things: no process, the same answers, and the body is kept to be looked at."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from banlistd.adapters.fetch.connections import OtherNetwork
from banlistd.adapters.fetch.file import LocalFiles
from banlistd.adapters.fetch.http import Downloads, RetryPolicy
from banlistd.adapters.signatures.verifier import PublisherProofs
from banlistd.core.download.decompression import Unpacking
from banlistd.core.feeds.parsed_list import Download, ParsedList
from banlistd.core.feeds.reading.whole_list import parsed_list
from banlistd.formats import Format
from banlistd.model import NotModified

ONE_TRY = RetryPolicy(attempts=1)


@dataclass(frozen=True, eq=False)
class KeptList(ParsedList):
    """A list with the body that it was parsed from."""

    body: bytes = b""


@dataclass
class InProcessSession:
    form: Format
    unpacking: Unpacking
    next_path: str = ""

    async def feed(self, data: bytes) -> None:
        self.unpacking.feed(data)

    async def ready(self) -> None: ...

    async def finish(self) -> ParsedList:
        body = self.unpacking.finish()
        parsed = parsed_list(body, self.form, self.next_path)
        return KeptList(**{one.name: getattr(parsed, one.name) for one in fields(ParsedList)}, body=body)


class InProcessParser:
    """`now`: Unix seconds, for entries that end; 0 where none do."""

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        self._now = now

    @asynccontextmanager
    async def session(
        self, form: Format, max_bytes: int, seconds: float, encoding: str = "", next_path: str = "", publisher: str = ""
    ) -> AsyncIterator[InProcessSession]:
        yield InProcessSession(replace(form, now=int(self._now())), Unpacking(max_bytes, encoding, form.members), next_path)

    async def close(self) -> None: ...


async def ignored() -> None:
    """For tests that do not ask when the body began."""


def body_of(outcome: Download | NotModified) -> bytes:
    assert isinstance(outcome, Download)
    assert isinstance(outcome.parsed, KeptList)
    return outcome.parsed.body


def downloads(version: str, credentials: Path | None = None, closed: Sequence[Path] = (), **settings: Any) -> Downloads:
    """A fetcher of both kinds of lists, without a process. `resolver` and `tls` are those of its network."""
    parser = InProcessParser()
    network = OtherNetwork(settings.pop("resolver", None), settings.pop("tls", None))
    local = LocalFiles(parser, closed)
    return Downloads(version, local, parser, PublisherProofs(), credentials, network=network, **settings)
