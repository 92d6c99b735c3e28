"""A machine without a fleet has nothing of it in memory, and no program but those of `trust/` has python-tuf."""

import gc
import subprocess
import sys

import pytest

from banlistd.adapters.parser_process.confinement import ConfinementError
from banlistd.trust import pull

WITHOUT = """
import sys
import {module}
print(*(name for name in sys.modules if name.split(".")[0] in ("tuf", "securesystemslib", "urllib3")
        or name.startswith(("banlistd.services.fleet.", "banlistd.adapters.fetch.fleet.", "banlistd.trust"))))
"""


def imported_by(module: str) -> list[str]:
    command = [sys.executable, "-c", WITHOUT.format(module=module)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()


def test_the_daemon_imports_nothing_of_a_fleet_without_one() -> None:
    assert imported_by("banlistd.compose") == []


def test_a_node_s_daemon_does_not_import_tuf() -> None:
    found = imported_by("banlistd.services.fleet.fleet_lists, banlistd.adapters.fetch.fleet.pulling")
    assert set(found) == {"banlistd.services.fleet.fleet_lists", "banlistd.adapters.fetch.fleet.pulling"}


def test_a_pull_does_not_wait_for_numpy() -> None:
    command = [sys.executable, "-c", "import sys, banlistd.trust.taking; print('numpy' in sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"


def test_the_program_of_a_pull_imports_tuf_only_once_it_has_no_capability() -> None:
    """Unless root runs it, it starts a second time for that, and would wait for these imports twice."""
    assert set(imported_by("banlistd.trust.pull")) == {"banlistd.trust", "banlistd.trust.pull"}


def test_the_program_of_a_pull_looks_for_no_garbage_among_the_modules_that_it_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """It did so for an eighth of its processor time (measured)."""
    looks = []

    def unprivileged(_: int, *, is_first: bool) -> None:
        looks.append((is_first, gc.isenabled()))
        raise ConfinementError

    monkeypatch.setattr(pull, "become_unprivileged", unprivileged)
    try:
        assert pull.run_pull(["first", "1"]) == 78
    finally:
        gc.enable()
    assert looks == [(True, False)]
