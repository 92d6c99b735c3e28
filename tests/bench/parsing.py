"""banlistd's own reading of lists: files in, seconds out. A program of its own, so that nothing is warm."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from banlistd.adapters.system import allocator
from banlistd.core.addresses.sets import AddressSet, Ranges, union_of
from banlistd.core.download.decompression import unpack
from banlistd.core.feeds.parsers import parse
from banlistd.errors import BanlistdError
from banlistd.model import Family

_MAX_BYTES = 1 << 30


def read_and_merge(files: Sequence[Path]) -> Ranges:
    """Files on disk -> IPv4 of all of them, as merged ranges."""
    contents = [_addresses(file) for file in files]
    if len(contents) == 1:
        return contents[0].ranges(Family.IPV4)
    first, last = [], []
    for content in contents:
        first += [content.hosts4, content.nets4.first]
        last += [content.hosts4, content.nets4.last]
    return union_of(Family.IPV4, np.concatenate(first), np.concatenate(last))


def _addresses(file: Path) -> AddressSet:
    try:
        return parse(unpack(file.read_bytes(), _MAX_BYTES)).addresses
    except BanlistdError:
        return AddressSet.none()


def main(arguments: Sequence[str]) -> None:
    files = [Path(argument) for argument in arguments]
    allocator.tune_malloc()  # as the daemon does when it starts
    began = time.perf_counter()
    merged = read_and_merge(files)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "addresses": merged.count()}))


if __name__ == "__main__":
    main(sys.argv[1:])
