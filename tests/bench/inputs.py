"""The lists that are measured: real ones where the folder of real lists is, lists of the same shape, seeded, elsewhere."""

import gzip
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data import DATA

_SEED = 20261124
# Public unicast space, roughly: below it and above it nothing is banned.
_LOWEST, _HIGHEST = 1 << 24, 224 << 24


@dataclass(frozen=True, slots=True)
class Listing:
    """A file and how many lines with an address it has. `real`: not made here."""

    path: Path
    entries: int
    real: bool


class Inputs:
    """Makes what is absent in `folder`. `quick`: everything is made, at a hundredth of the size."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self._folder = folder
        self._quick = quick

    def million(self) -> Listing:
        """1,000,000 single addresses, sorted as text is."""
        return self._listing("big/union_1m_sorted.txt", 1_000_000, lambda n: "".join(_lines(random_hosts(n))).encode())

    def _listing(self, name: str, entries: int, make: Callable[[int], bytes]) -> Listing:
        real = DATA / name
        if real.is_file() and not self._quick:
            return Listing(real, entries, real=True)
        count = max(100, entries // 100) if self._quick else entries
        path = self._folder / name.replace("/", "-")
        if not path.exists():
            path.write_bytes(make(count))
        return Listing(path, count, real=False)


def random_hosts(count: int, seed: int = _SEED) -> NDArray[np.uint32]:
    """So many different addresses of public space, sorted."""
    drawn = np.random.default_rng(seed).integers(_LOWEST, _HIGHEST, size=count + count // 8 + 16, dtype=np.uint32)
    distinct = np.sort(drawn)
    distinct = distinct[np.append(True, distinct[1:] != distinct[:-1])]
    chosen = np.random.default_rng(seed + 1).permutation(len(distinct))[:count]
    return np.sort(distinct[chosen])


def _lines(addresses: NDArray[np.uint32]) -> Sequence[str]:
    return [f"{socket.inet_ntoa(struct.pack('!I', address))}\n" for address in addresses.tolist()]


def read_lines(listing: Listing) -> list[str]:
    """The addresses of a listing of bare lines, as text."""
    body = listing.path.read_bytes()
    if body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    return body.decode("ascii").split()
