"""Tests of ours on Debian's own kernels: those whose outcome depends on what a kernel has."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from system.boot.kernels import kernel
from system.boot.machine_image import TOP

pytestmark = pytest.mark.boot

TESTS = (
    "tests/adapters/host/test_flowtable.py",
    "tests/adapters/host/test_connections.py",
    "tests/adapters/host/test_uncovered.py",
    "tests/adapters/firewalls/test_packets.py",
    "tests/adapters/firewalls/nftables/test_vrf.py",
    "tests/adapters/firewalls/nftables/test_lacking_parts.py",
)
SETTINGS = "export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8"
# The rules of ipset are tested on this computer's kernel.
CHOICE = ("-k", "not ipset")
PLUGINS = ("-p", "no:xdist", "-p", "no:cacheprovider")


def test_packets_flows_and_refused_rules(release: str, tmp_path: Path) -> None:
    """Flows in a flowtable end with a ban; a flood has no gap; a rule that the kernel refuses costs its source the action."""
    found = kernel(release)
    task = tmp_path / "task"
    words = shlex.join([sys.executable, "-m", "pytest", "-q", *PLUGINS, *CHOICE, *TESTS])
    task.write_text(f"{SETTINGS}\ncd {shlex.quote(str(TOP))} && {words}\n")
    said = found.run(task)
    assert re.search(r"^ended with 0\r?$", said, re.MULTILINE), said[-4000:]
    passed = re.search(r"(\d+) passed", said)
    assert passed
    assert int(passed[1]) >= 80
    assert "no flowtables" not in said
