"""What the daemon keeps of a result file."""

import os
from pathlib import Path

import numpy as np

from banlistd.adapters.parser_process.answer import Answer, Status
from banlistd.adapters.parser_process.result import taken_result
from banlistd.core.addresses.sets import AddressSet


def taken(hosts: int) -> AddressSet:
    result = os.memfd_create("result", os.MFD_ALLOW_SEALING)
    try:
        os.write(result, np.arange(1, hosts + 1, dtype="=u4").tobytes())
        return taken_result(result, Answer(Status.PARSED, hosts, 0, 0, 0))[0]
    finally:
        os.close(result)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_short_lists_in_force_keep_no_descriptor_and_a_long_one_keeps_its_own() -> None:
    before = open_descriptors()
    short = [taken(100) for _ in range(5)]
    assert open_descriptors() == before
    long = taken(20_000)
    assert open_descriptors() == before + 1
    assert [len(one) for one in (*short, long)] == [100] * 5 + [20_000]
