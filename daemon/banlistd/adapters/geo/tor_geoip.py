"""Countries from Debian's tor-geoipdb: one of its two files of CSV, read whole. It knows no ASN."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

from banlistd.core.geo.tables import GeoTable, located_in
from banlistd.core.geo.tor_geoip import family_of, table_of
from banlistd.core.geo.types import By, Located, nowhere
from banlistd.core.printing import quoted
from banlistd.errors import GeoError
from banlistd.model import Family
from banlistd.ports.geo import AskResolver

# The file for IPv6 has 16 MB (2026).
LARGEST_TOR_GEOIP = 256 * 2**20

_HEAD = 8192
_GENERATED = re.compile(rb"^# Generated: ([ -~]{10,40})$", re.MULTILINE)
_AT_ONCE = 5000


class TorGeoip:
    """A GeoDatabase on `/usr/share/tor/geoip` or `geoip6`."""

    limit = _AT_ONCE

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return str(self.path)

    def is_there(self) -> bool:
        return self.path.is_file()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AskResolver]:
        with _border(self.path):
            mine = family_of(await asyncio.to_thread(_read, self.path, _HEAD))
        table: GeoTable | None = None

        async def ask(family: Family, addresses: Sequence[int]) -> Sequence[Located]:
            nonlocal table
            if family is not mine:
                return [nowhere(family)] * len(addresses)
            # Not before the first question: it takes a quarter of a second (measured).
            table = table or await self.table(By.COUNTRY)
            return await asyncio.to_thread(located_in, table.layers[family], addresses)

        yield ask

    async def table(self, by: By) -> GeoTable:
        if by is not By.COUNTRY:
            return GeoTable.none()
        with _border(self.path):
            return await asyncio.to_thread(lambda: table_of(_read(self.path, LARGEST_TOR_GEOIP)))

    async def made_at(self) -> float | None:
        return await asyncio.to_thread(_made_at, self.path)


def _made_at(path: Path) -> float | None:
    try:
        with path.open("rb") as file:
            said, changed = _GENERATED.search(file.read(_HEAD)), os.fstat(file.fileno()).st_mtime
        return parsedate_to_datetime(said[1].decode("ascii")).timestamp() if said else changed
    except ValueError:
        return changed
    except OSError:
        return None


@contextmanager
def _border(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else quoted(str(exc))
        hint = "what does not end in .mmdb is read as tor-geoipdb's CSV: first,last,CC"
        raise GeoError(f"{quoted(str(path))} cannot be used: {reason}", hint) from exc


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        body = file.read(limit)
        after = os.fstat(file.fileno())
    # Half a file is in good form too: its line breaks are its only bounds.
    if len(body) < min(before.st_size, limit) or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise ValueError("it changed while it was read")
    return body
