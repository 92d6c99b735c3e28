"""Where lists come from, and what reads their bytes. The docstrings are contracts that tests check."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from banlistd.formats import Format
from banlistd.model import (
    NotModified,
    Validators,
)

if TYPE_CHECKING:
    # boot_restore needs neither of them, and boot waits for its imports.
    from banlistd.core.config.model import Source
    from banlistd.core.config.sections.verify import CheckKind, Verify
    from banlistd.core.feeds.parsed_list import Download, ParsedList


class ParserSession(Protocol):
    """One body on its way to its parser."""

    async def ready(self) -> None:
        """Wait until the parser has started and can read. Bytes may be fed before."""

    async def feed(self, data: bytes) -> None:
        """Take the next bytes as they arrived, compressed or not. Raises as `finish` where the parser has given up already."""

    async def finish(self) -> ParsedList:
        """After the last byte: the list.

        Raises FetchError for a body that is cut or too large, ParseError for one that is no list.
        """


class ListParser(Protocol):
    """Turns hostile bytes into addresses, within bounds of memory and time, and without any right."""

    def session(
        self,
        form: Format,
        max_bytes: int,
        seconds: float,
        encoding: str = "",
        next_path: str = "",
        publisher: str = "",
    ) -> AbstractAsyncContextManager[ParserSession]:
        """Begin with a body; to leave the block ends the parser, wherever it is. Entering may wait until other bodies are done.

        `max_bytes`: before and after decompression. `seconds`: of processor time. `encoding`: HTTP's Content-Encoding.
        `next_path`: where a JSON document says what its next page is. `publisher`: of a short text; a parser may read several
        lists of the same one, one after the other (`core.download.same_publisher`). Empty: it reads this one alone.
        """


@dataclass(frozen=True, slots=True)
class WholeBody:
    """A body that has arrived to its last byte and was not looked at. `descriptor`: of a file in memory with `size` bytes.

    `name`: the last part of its URL. `sha256`: 64 hexadecimal digits.
    """

    name: str
    descriptor: int
    size: int
    sha256: str


class Verifier(Protocol):
    """Proves that a body is its publisher's."""

    async def verify(self, kind: CheckKind, settings: Verify, body: WholeBody, sidecar: bytes) -> None:
        """Compare a body with what is published beside it: foreign bytes, at most 64 KiB.

        Raises MismatchError where the two do not fit together, and VerificationError for everything else that goes wrong.
        """


OnBody = Callable[[], Awaitable[None]]


class Fetcher(Protocol):
    """Where lists come from: a server or a file."""

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        """Get a list, whole and parsed, unless the validators say that it has not changed.

        `on_body` is awaited before any of a body is parsed, and only once; not for a body that is the same as last time.
        Raises FetchError for everything that goes wrong, also for a body that is cut, too large or too late, and ParseError for
        one that is no list.
        """
