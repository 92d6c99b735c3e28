"""Country and ASN from a local mmdb file, in any of the three key layouts, through maxminddb's C reader.

Other programs may replace, cut or overwrite the file at any moment. So a session reads a copy in memory: to read a mapped file
that is cut meanwhile would end the process (SIGBUS). Each session sees the file as it is when it begins.
"""

import asyncio
import mmap
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import maxminddb
import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.arrays import distinct
from banlistd.core.addresses.sets import FAMILIES, WIDTHS, Addresses, to_text
from banlistd.core.geo.mmdb_tree import Leaves, leaves_of
from banlistd.core.geo.records import origin_of
from banlistd.core.geo.tables import GeoTable, Layer, code_of, layer_of
from banlistd.core.geo.types import By, Located, Origin, nowhere
from banlistd.core.printing import quoted
from banlistd.errors import GeoError
from banlistd.model import Family
from banlistd.ports.geo import AskResolver

# The largest free databases (city, 2026) have 120 MB.
LARGEST_MMDB = 512 * 2**20

_LONGEST_METADATA = 128 * 1024  # as the format has it
_MARKER = b"\xab\xcd\xefMaxMind.com"
_BUILD_EPOCH = re.compile(rb"build_epoch([\x01-\x08])\x02(.{8})", re.DOTALL)
_LAST_EPOCH = 1 << 33

# Some milliseconds of a worker thread.
_AT_ONCE = 5000

_FAULTS = (maxminddb.InvalidDatabaseError, OSError, ValueError, KeyError, TypeError)

_AF = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}


class MmdbFile:
    """A GeoDatabase on one mmdb file."""

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
        opened = _opened(self.path)
        with _border(self.path):
            reader, _ = await asyncio.to_thread(opened.__enter__)

        async def ask(family: Family, addresses: Sequence[int]) -> Sequence[Located]:
            with _border(self.path):
                return await asyncio.to_thread(_located, reader, family, addresses)

        try:
            yield ask
        finally:
            opened.__exit__(None, None, None)

    async def table(self, by: By) -> GeoTable:
        def read() -> GeoTable:
            with _opened(self.path) as (reader, body):
                return _table(reader, body, by)

        with _border(self.path):
            return await asyncio.to_thread(read)

    async def made_at(self) -> float | None:
        return await asyncio.to_thread(_made_at, self.path)


def _made_at(path: Path) -> float | None:
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            file.seek(max(state.st_size - _LONGEST_METADATA, 0))
            tail = file.read(_LONGEST_METADATA)
    except OSError:
        return None
    # A map of text and numbers; this one is an unsigned integer of at most eight bytes (type 9: an extended one, less seven).
    found = _BUILD_EPOCH.search(tail, max(tail.rfind(_MARKER), 0))
    epoch = int.from_bytes(found[2][: found[1][0]], "big") if found else 0
    return float(epoch) if 0 < epoch < _LAST_EPOCH else state.st_mtime


@contextmanager
def _border(path: Path) -> Iterator[None]:
    try:
        yield
    except _FAULTS as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else quoted(str(exc))
        raise GeoError(f"{quoted(str(path))} cannot be used: {reason}", "is it a whole mmdb file?") from exc


@contextmanager
def _opened(path: Path) -> Iterator[tuple[maxminddb.Reader, mmap.mmap]]:
    """A reader on a copy in memory, and the bytes of the copy."""
    copy = os.memfd_create("banlistd-mmdb", os.MFD_CLOEXEC)
    try:
        _copy(path, copy)
        with mmap.mmap(copy, 0, prot=mmap.PROT_READ) as body, maxminddb.open_database(f"/proc/self/fd/{copy}") as reader:
            yield reader, body
    finally:
        os.close(copy)


def _copy(path: Path, copy: int) -> None:
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        if not 0 < before.st_size <= LARGEST_MMDB:
            raise ValueError(f"it has {before.st_size} bytes, and {LARGEST_MMDB} at most are read")
        at = 0
        while at < before.st_size and (sent := os.sendfile(copy, file.fileno(), at, before.st_size - at)):
            at += sent
        after = os.fstat(file.fileno())
        if at < before.st_size or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise ValueError("it changed while it was read")


def _located(reader: maxminddb.Reader, family: Family, addresses: Sequence[int]) -> list[Located]:
    """What the database says of each address; equal objects for neighbours in one network."""
    only_four = reader.metadata().ip_version == 4  # noqa: PLR2004 - the version's own number
    if family is Family.IPV6 and only_four:
        return [nowhere(family)] * len(addresses)
    answers: list[Located] = []
    octets = WIDTHS[family] // 8
    located: Located | None = None
    for address in addresses:
        if located is None or not located.first <= address <= located.last:
            record, length = reader.get_with_prefix_len(socket.inet_ntop(_AF[family], address.to_bytes(octets, "big")))
            below = (1 << (WIDTHS[family] - min(length, WIDTHS[family]))) - 1
            located = Located(family, address & ~below, address | below, origin_of(record))
        answers.append(located)
    return answers


def _table(reader: maxminddb.Reader, body: mmap.mmap, by: By) -> GeoTable:
    metadata = reader.metadata()
    # 16 bytes of zeros follow the tree, and belong to what is checked.
    tree = body[: metadata.node_count * metadata.record_size // 4 + 16]
    leaves = leaves_of(tree, metadata.node_count, metadata.record_size, metadata.ip_version)
    pointers = distinct(np.concatenate([leaves[family].pointer for family in FAMILIES]))
    codes = np.zeros(len(pointers), dtype=np.uint32)
    names: dict[int, str] = {}
    for at, origin in _origins(reader, leaves, pointers):
        code, name = code_of(origin, by)
        codes[at] = code
        if code and name:
            names.setdefault(code, name)
    layers = {}
    for family in FAMILIES:
        here = leaves[family]
        layers[family] = (
            layer_of(family, here.first, here.last, codes[np.searchsorted(pointers, here.pointer)])
            if len(here.first)
            else Layer.none(family)
        )
    return GeoTable(layers, names)


def _origins(
    reader: maxminddb.Reader, leaves: Mapping[Family, Leaves], pointers: NDArray[np.uint32]
) -> Iterator[tuple[int, Origin]]:
    """Each record once, read at one of the networks that point to it: there are a few hundred, and networks in millions."""
    left = np.ones(len(pointers), dtype=np.bool_)
    for family in FAMILIES:
        at = np.searchsorted(pointers, leaves[family].pointer)
        some = np.full(len(pointers), -1, dtype=np.int64)
        some[at] = np.arange(len(at))
        for number in np.flatnonzero((some >= 0) & left):
            address: Addresses = leaves[family].first[some[number]]
            yield int(number), origin_of(reader.get(to_text(family, address)))
        left[at] = False
