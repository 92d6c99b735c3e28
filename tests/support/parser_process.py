"""Lists through the process that parses, and what hostile ones cost."""

import asyncio
import resource
from pathlib import Path

from banlistd.adapters.parser_process.process import ParserProcesses
from banlistd.core.feeds.parsed_list import ParsedList
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType

MIB = 2**20

BOMBS = {
    "one endless line": (b"1.2.3.4," * (3 * MIB), FormatType.AUTO),
    "empty containers": (b"[" + b"[]," * (6 * MIB) + b"[]]", FormatType.JSON),
    "empty strings": (b"[" + b'"",' * (6 * MIB) + b'""]', FormatType.JSON),
    "open brackets": (b"[" * (8 * MIB), FormatType.AUTO),
    "one short line, often": (b"1.2.3.4\n" * (5 * MIB), FormatType.PLAIN),
}


async def read(
    body: bytes, form: Format | None = None, *, parsers: ParserProcesses | None = None, max_bytes: int = 48 * MIB
) -> ParsedList:
    async with (parsers or ParserProcesses()).session(form or Format(), max_bytes, 60.0) as session:
        for at in range(0, len(body), MIB):
            await session.feed(body[at : at + MIB])
        await session.ready()
        return await session.finish()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def cost_of(bomb: str) -> tuple[str, int, int]:
    """The error, how many octets this process grew by, and the peak of the one that parses, in KiB."""
    body, kind = BOMBS[bomb]
    before, message = resident(), ""
    try:
        asyncio.run(read(body, Format(kind)))
    except ParseError as error:
        message = error.message
    return message, resident() - before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
