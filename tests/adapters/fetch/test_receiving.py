"""Bodies that may be the same as last time."""

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from banlistd.adapters.fetch.receiving import Receiver, Spool
from banlistd.core.config.model import Source
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError
from banlistd.formats import Format
from banlistd.model import NotModified, SourceId, Validators
from support.in_process_parser import InProcessParser, InProcessSession, body_of

LIST = b"".join(b"192.0.2.%d\n" % number for number in range(256))
CHUNKS = [LIST[at : at + 500] for at in range(0, len(LIST), 500)]
SAME = hashlib.sha256(LIST).hexdigest()
SOURCE = Source(id=SourceId("a-list"), url="http://feed.invalid/", max_bytes=1 << 20)


class CountedParser(InProcessParser):
    """`arrived`: chunks that had arrived when each session began."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0
        self.arrived: list[int] = []

    @asynccontextmanager
    async def session(
        self, form: Format, max_bytes: int, seconds: float, encoding: str = "", next_path: str = "", publisher: str = ""
    ) -> AsyncIterator[InProcessSession]:
        self.arrived.append(self.taken)
        async with super().session(form, max_bytes, seconds, encoding, next_path, publisher) as session:
            yield session


class Attempts:
    """An OnBody that counts."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self) -> None:
        self.count += 1


def receive(
    parser: CountedParser,
    last_hash: str,
    spool: Spool,
    *,
    attempts: Attempts | None = None,
    chunks: Sequence[bytes] = CHUNKS,
    source: Source = SOURCE,
) -> Download | NotModified:
    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            parser.taken += 1
            yield chunk

    async def scenario() -> Download | NotModified:
        async with asyncio.timeout(60) as deadline:
            receiver = Receiver(source, "", last_hash, attempts or Attempts(), parser, spool)
            return await receiver.receive(arriving(), "etag", "date", deadline)

    return asyncio.run(scenario())


def test_the_same_bytes_start_no_parser_and_are_no_attempt() -> None:
    parser, spool, attempts = CountedParser(), Spool(), Attempts()
    outcome = receive(parser, SAME, spool, attempts=attempts)
    assert outcome == NotModified(Validators("etag", "date", SAME))
    assert parser.arrived == []
    assert attempts.count == 0
    assert spool.room == Spool().room


def test_a_first_list_meets_a_parser_that_starts_while_it_arrives() -> None:
    parser, spool, attempts = CountedParser(), Spool(), Attempts()
    chunks = [LIST * 10] * 5
    assert body_of(receive(parser, "", spool, attempts=attempts, chunks=chunks)) == LIST * 50
    assert parser.arrived == [3]
    assert attempts.count == 1
    assert spool.room == Spool().room


def test_a_short_first_list_keeps_no_parser_while_it_arrives() -> None:
    parser, attempts = CountedParser(), Attempts()
    assert body_of(receive(parser, "", Spool(), attempts=attempts)) == LIST
    assert parser.arrived == [len(CHUNKS)]
    assert attempts.count == 1


def test_a_changed_list_is_parsed_whole_once_it_is_there() -> None:
    parser, spool, attempts = CountedParser(), Spool(), Attempts()
    assert body_of(receive(parser, "another", spool, attempts=attempts)) == LIST
    assert parser.arrived == [len(CHUNKS)]
    assert attempts.count == 1
    assert spool.room == Spool().room


@pytest.mark.parametrize("last_hash", ["another", SAME])
def test_a_body_that_the_spool_cannot_keep_goes_to_the_parser_as_it_arrives(last_hash: str) -> None:
    parser, spool = CountedParser(), Spool(1200)
    outcome = receive(parser, last_hash, spool)
    if last_hash == SAME:
        assert isinstance(outcome, NotModified)
    else:
        assert body_of(outcome) == LIST
    assert parser.arrived == [3]
    assert spool.room == 1200


def test_a_body_beyond_max_bytes_starts_no_parser_and_frees_the_spool() -> None:
    parser, spool = CountedParser(), Spool()
    with pytest.raises(FetchError, match="larger"):
        receive(parser, SAME, spool, source=dataclasses.replace(SOURCE, max_bytes=1500))
    assert parser.arrived == []
    assert spool.room == Spool().room


def test_many_bodies_share_the_spool() -> None:
    spool = Spool(len(LIST) + 10)

    async def scenario() -> list[list[int]]:
        gate, both = asyncio.Event(), asyncio.Barrier(2)
        parsers = [CountedParser(), CountedParser()]

        async def arriving(parser: CountedParser) -> AsyncIterator[bytes]:
            for chunk in CHUNKS:
                parser.taken += 1
                yield chunk
            if parser is parsers[0]:
                gate.set()
            await both.wait()

        async def one(parser: CountedParser) -> None:
            if parser is parsers[1]:
                await gate.wait()
            async with asyncio.timeout(60) as deadline:
                receiver = Receiver(SOURCE, "", "another", Attempts(), parser, spool)
                assert body_of(await receiver.receive(arriving(parser), "", "", deadline)) == LIST

        await asyncio.gather(*map(one, parsers))
        return [parser.arrived for parser in parsers]

    assert asyncio.run(scenario()) == [[len(CHUNKS)], [1]]
    assert spool.room == len(LIST) + 10
