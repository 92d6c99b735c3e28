"""The lists that are measured: real ones where the folder of real lists is, elsewhere lists of the same shape, seeded."""

import gzip
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from support.data import DATA

_SEED = 20261124
# Public unicast space, roughly: below it and above it nothing is banned.
_LOWEST, _HIGHEST = 1 << 24, 224 << 24
# The share of a real list that changes between two of its versions is 0.03 % to 1 %.
_CHURN = 200
_SMALL = 100

Numbers = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Listing:
    """A file and how many lines with an address it has. `real`: not made here."""

    path: Path
    entries: int
    real: bool

    def body(self) -> bytes:
        """Unpacked."""
        body = self.path.read_bytes()
        return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body

    def lines(self) -> list[str]:
        """Its addresses and networks as text, without comments."""
        return [line for line in self.body().decode("ascii").split("\n") if line and not line.startswith("#")]


class Inputs:
    """Makes what is absent in `folder`. `quick`: everything is made, at a hundredth of its size."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self._folder = folder
        self._quick = quick

    def million(self) -> Listing:
        """1,000,000 single addresses, sorted."""
        return self._listing("big/union_1m_sorted.txt", 1_000_000, lambda count: text_of(random_hosts(count)))

    def random_million(self) -> Listing:
        """As many, spread evenly over the address space and in no order: what a tree of intervals likes least."""
        return self._made("random_1m.txt", 1_000_000, _shuffled)

    def three_million(self) -> Listing:
        """3,200,000 single addresses in no order, in gzip."""
        return self._listing("big/union_3m2_shuffled.txt.gz", 3_200_000, lambda count: gzip.compress(_shuffled(count), 6))

    def networks(self) -> Listing:
        """213,288 IPv4 networks."""
        return self._listing("feeds/bitwire_inbound_networks_20260129.txt", 213_288, _networks4)

    def bogons6(self) -> Listing:
        """143,544 IPv6 networks."""
        return self._listing("feeds/fullbogons_ipv6_20240310.txt", 143_544, _networks6)

    def versions(self) -> tuple[Listing, Listing, Listing]:
        """Three versions of a list of some 100,000 addresses: seven days old, one day old, and the present one."""
        names = ("084_20260815T1606", "012_20260821T2006", "001_20260822T1806")
        return (
            self._listing(f"churn/datashield_{names[0]}.txt", 92_000, lambda count: text_of(_version(count, 10))),
            self._listing(f"churn/datashield_{names[1]}.txt", 100_000, lambda count: text_of(_version(count, 2))),
            self._listing(f"churn/datashield_{names[2]}.txt", 100_000, lambda count: text_of(_version(count, 0))),
        )

    def others(self, most: int | None) -> Listing:
        """3,200,000 addresses that none of the versions holds, or at most so many."""
        taken = {line for version in self.versions() for line in version.lines()}

        def make(count: int) -> bytes:
            return b"".join(line + b"\n" for line in _shuffled(count).split() if line.decode() not in taken)

        return self._made("others.txt", min(3_200_000, most or 3_200_000), make)

    def feeds(self) -> list[Path]:
        """Real feeds in all their formats; some plain ones where these are absent."""
        folder = DATA / "feeds"
        if folder.is_dir() and not self._quick:
            return sorted(path for path in folder.iterdir() if path.is_file())
        made = [
            self._made("hosts.txt", 100_000, lambda count: text_of(random_hosts(count))),
            self._made("networks.txt", 100_000, _networks4),
            self._made("commented.txt", 100_000, lambda count: text_of(random_hosts(count)).replace(b"\n", b" ; why\n")),
        ]
        return [listing.path for listing in made]

    def parts(self, listing: Listing, count: int) -> list[Path]:
        """The lines of a list, dealt out to so many files as cards are."""
        lines = listing.body().splitlines(keepends=True)
        folder = self._folder / f"{listing.path.name}-in-{count}"
        folder.mkdir(exist_ok=True)
        paths = [folder / f"part-{number:03}.txt" for number in range(1, count + 1)]
        for number, path in enumerate(paths):
            path.write_bytes(b"".join(lines[number::count]))
        return paths

    def _listing(self, name: str, entries: int, make: Callable[[int], bytes]) -> Listing:
        real = DATA / name
        if real.is_file() and not self._quick:
            return Listing(real, entries, real=True)
        return self._made(name.replace("/", "-"), entries, make)

    def _made(self, name: str, entries: int, make: Callable[[int], bytes]) -> Listing:
        count = max(_SMALL, entries // 100) if self._quick else entries
        path = self._folder / name
        if not path.exists():
            path.write_bytes(make(count))
        return Listing(path, count, real=False)


def random_hosts(count: int, seed: int = _SEED) -> Numbers:
    """So many different addresses of public space, sorted."""
    drawn = np.random.default_rng(seed).integers(_LOWEST, _HIGHEST, size=count + count // 8 + 16, dtype=np.uint32)
    ordered = np.sort(drawn)
    distinct = ordered[np.append(True, ordered[1:] != ordered[:-1])]
    return np.sort(np.random.default_rng(seed).permutation(distinct)[:count])


def _shuffled(count: int) -> bytes:
    return text_of(np.random.default_rng(_SEED).permutation(random_hosts(count)))


def _version(count: int, age: int) -> Numbers:
    """The list as it was `age` steps ago: one entry in 200 was another at each."""
    present = random_hosts(count)
    changed = age * count // _CHURN
    return np.sort(np.concatenate([present[changed:], random_hosts(changed, _SEED + age)])) if changed else present


def _networks4(count: int) -> bytes:
    bits = np.random.default_rng(_SEED).integers(24, 32, size=count)
    lines = [
        f"{_dotted(address >> (32 - width) << (32 - width))}/{width}\n"
        for address, width in zip(random_hosts(count).tolist(), bits.tolist(), strict=True)
    ]
    return "".join(lines).encode()


def _networks6(count: int) -> bytes:
    """Networks of 32 to 48 bits below 2000::/8, no two of the same first 32 bits."""
    lines = []
    for number, top in enumerate(np.random.default_rng(_SEED).permutation(1 << 24)[:count].tolist()):
        packed = struct.pack("!BBHHHQ", 0x20, top >> 16, top & 0xFFFF, number & 0xFFFF, 0, 0)
        lines.append(f"{socket.inet_ntop(socket.AF_INET6, packed)}/48\n")
    return "".join(lines).encode()


def text_of(addresses: Numbers) -> bytes:
    return "".join(f"{_dotted(address)}\n" for address in addresses.tolist()).encode()


def _dotted(address: int) -> str:
    return socket.inet_ntoa(struct.pack("!I", address))
