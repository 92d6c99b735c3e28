"""Tests of ours on Debian's own kernels: those whose outcome depends on what a kernel has."""

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from system.boot.kernels import kernel
from system.boot.machine_image import TOP

pytestmark = pytest.mark.boot

_Choice = TypeVar("_Choice")

STAGING = "tests/adapters/firewalls/nftables/test_staging.py::test_"
PACKETS = "tests/adapters/firewalls/test_packets.py::test_"
FLOWTABLES = ("tests/adapters/host/test_flowtable.py", "tests/system/test_offloaded_flows.py")
"""What the kernels of other computers may not have."""
OTHERS = (
    ("tests/adapters/firewalls/nftables/test_lacking_parts.py",),
    (
        "tests/adapters/host/test_connections.py",
        f"{STAGING}what_another_process_does_to_a_set_that_is_filled_is_made_good",
        f"{STAGING}allowed_addresses_and_services_are_filled_beside_on_a_kernel_without_counts",
    ),
    (
        "tests/adapters/host/coverage/test_early_paths.py",
        f"{PACKETS}a_banned_address_reaches_neither_the_host_nor_what_is_behind_it",
    ),
)
# A flood takes an emulated machine the longest.
FLOODS = (
    f"{PACKETS}there_is_no_gap_while_contents_sources_and_actions_change",
    f"{PACKETS}there_is_no_gap_while_single_addresses_become_networks_and_networks_single_addresses",
    f"{PACKETS}there_is_no_gap_while_maps_are_outgrown_and_written_beside",
)
SETTINGS = "export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 BANLISTD_TEST_PATIENCE=5"
# The rules of ipset are tested on this computer's kernel.
CHOICE = ("-k", "not ipset")
PLUGINS = ("-p", "no:xdist", "-p", "no:cacheprovider")


def test_packets_flows_and_refused_rules(release: str, day: int | None, tmp_path: Path) -> None:
    """Flows in a flowtable end with a ban; a flood has no gap; a rule that the kernel refuses costs its source the action.

    One of the others and one of the floods, another each day, because all take 14 minutes of a slow computer. `-m boot`: all.
    """
    found = kernel(release)
    chosen = [*FLOWTABLES, *(name for some in _of(day, OTHERS) for name in some), *_of(day, FLOODS)]
    task = tmp_path / "task"
    words = shlex.join([sys.executable, "-m", "pytest", "-v", "-rs", "--color=no", *PLUGINS, *CHOICE, *chosen])
    task.write_text(f"{SETTINGS}\ncd {shlex.quote(str(TOP))} && {words}\n")
    said = found.run(task)
    assert re.search(r"^ended with 0\r?$", said, re.MULTILINE), said[-4000:]
    for name in chosen:
        assert re.search(rf"^{re.escape(name)}.* PASSED", said, re.MULTILINE), f"{name}: {said[-4000:]}"
    assert "no flowtables" not in said


def _of(day: int | None, choices: Sequence[_Choice]) -> Sequence[_Choice]:
    return choices if day is None else [choices[day % len(choices)]]
