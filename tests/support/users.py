"""Other users than the one that runs the tests."""

import os
from pathlib import Path

import pytest


def need_another_user() -> None:
    """Skips the test where no process can become user 65534."""
    first, _, count = Path("/proc/self/uid_map").read_text(encoding="ascii").split()[:3]
    if os.geteuid() != 0 or int(first) != 0 or int(count) <= 65534:
        pytest.skip("another user can only be taken on by root")
