"""What the allocator's settings are for, measured in processes of their own: they cannot be taken back."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another libc than glibc")

_FAULTS = """
import resource, sys, threading
from banlistd.adapters.system import allocator
from banlistd.core.feeds.parsers import parse
if sys.argv[1] == "settled":
    allocator.tune_malloc()
with open(sys.argv[2], "rb") as file:
    body = file.read()
def work():
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    parse(body)
    print(resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""

_RESIDENT = """
import resource
from banlistd.adapters.system import allocator
allocator.tune_malloc()
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()
before = resident()
blocks = [bytearray(b"x" * 4096) for _ in range(8192)]
last = bytearray(b"x" * 4096)
full = resident()
blocks.clear()
allocator.trim_memory()
print(before, full, resident())
"""


def test_parsing_asks_the_system_for_a_fraction_of_the_pages(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_text("".join(f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}\n" for n in range(2**30, 2**30 + 500_000)))
    settled, learning = (int(_run(_FAULTS, how, str(lines))) for how in ("settled", "learning"))
    assert settled * 2 < learning


def test_pages_between_blocks_in_use_are_given_back() -> None:
    before, full, after = map(int, _run(_RESIDENT).split())
    assert after - before < (full - before) / 2


def _run(program: str, *words: str) -> str:
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout
