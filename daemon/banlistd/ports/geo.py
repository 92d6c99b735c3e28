"""The interfaces of geography: resolvers and their cache. The docstrings are contracts that tests check."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from banlistd.core.geo.tables import GeoTable
from banlistd.core.geo.types import By, GeoEntry, GeoNegEntry, Located
from banlistd.model import Family


class GeoCache(Protocol):
    """Country and operator of networks that were looked up. Each call is one transaction.

    Entries never overlap: a newer entry replaces the range that it covers; wider existing entries are
    split. Within one call the later one is newer. Raises LedgerError where the database cannot be used.
    """

    async def find(self, family: Family, addresses: Sequence[int], now: float) -> Sequence[GeoEntry | GeoNegEntry | None]:
        """The entry that contains each address, in their order; None if there is none, or it has expired."""

    async def bulk_upsert_entries_and_neg_entries(
        self, entries: Sequence[GeoEntry], neg_entries: Sequence[GeoNegEntry]
    ) -> None:
        """Remember where networks belong, and which networks no resolver knows, in one transaction. An entry is newer than a
        negative one.
        """

    async def page(self, after: GeoEntry | None, limit: int, now: float) -> Sequence[GeoEntry]:
        """At most `limit` entries that have not expired, in order, from the one after `after` on."""

    async def prune(self, now: float, limit: int) -> int:
        """Delete at most `limit` expired entries, the oldest first; returns how many."""


AskResolver = Callable[[Family, Sequence[int]], Awaitable[Sequence[Located]]]
"""Of each address (as a number) what is known, in their order, with the network that it holds for. Raises GeoError."""


class Resolver(Protocol):
    """A file or a service that knows the country and the operator of addresses."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def limit(self) -> int:
        """Addresses in one question, at most."""

    def is_there(self) -> bool:
        """Whether it can be asked: for a file, whether it exists. Blocks for a look at the disk."""

    def session(self) -> AbstractAsyncContextManager[AskResolver]:
        """For some questions in a row; a file is read as it is when the session begins. Raises GeoError."""


class GeoDatabase(Resolver, Protocol):
    """A Resolver that is a file on this machine's disk."""

    @property
    def path(self) -> Path:
        """The file."""

    async def table(self, by: By) -> GeoTable:
        """All of it, by country or ASN; empty where it does not know that. In under a second. Raises GeoError."""

    async def made_at(self) -> float | None:
        """When its data was made (Unix seconds): as it says itself, else the time of the file. None: it is not there."""
