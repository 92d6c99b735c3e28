"""Settings of hypothesis, options of the boot tests, the end of tests that hang, and the marker `fast`, which is set here by
folder and file.
"""

import faulthandler
import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

# No test measures time: on a busy machine a single example may take long.
settings.register_profile("banlistd", deadline=None)
settings.register_profile("thorough", settings.get_profile("banlistd"), max_examples=2000)
settings.load_profile("banlistd")

_TESTS = Path(__file__).parent

# What takes minutes begins first: at the end it would keep one process at work alone.
_FIRST = [_TESTS / name for name in ("system/boot/test_kernels.py", "system/boot", "system/kill", "system/cockpit", "system")]

_FAST = [
    _TESTS / name
    for name in (
        "core",
        "control/commands",
        "control/test_page.py",
        "ctl",
        "documents",
        "events",
        "test_floors.py",
        "test_names.py",
    )
]

# They start programs, read large lists or try every cut of a file.
_SLOW = {
    _TESTS / name
    for name in (
        "core/download/test_decompression.py",
        "core/feeds/parsers/test_fuzz.py",
        "core/feeds/test_real_lists.py",
        "core/geo/test_mmdb_tree.py",
        "ctl/test_commands.py",
        "ctl/test_local.py",
        "ctl/test_program.py",
        "documents/test_packaging.py",
    )
}


# After so many seconds a test hangs: no test that passes takes half of it. More where the run asks for all kills or machines.
_LONGEST, _LONGEST_ALONE = 900, 3600
_STDERR = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_STDERR] = os.dup(2)  # before pytest catches what a test writes there


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """End the process of a test that hangs, and say where each thread is: pytest-xdist calls the test failed and goes on."""
    alone = item.config.getoption("markexpr") in {"sweep", "boot"}
    faulthandler.dump_traceback_later(_LONGEST_ALONE if alone else _LONGEST, exit=True, file=item.config.stash[_STDERR])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """What a test may leave to the collector is collected while its filter is in force, not in a later test, which fails."""
    try:
        return (yield)
    finally:
        if any("Unraisable" in str(word) for mark in item.iter_markers("filterwarnings") for word in mark.args):
            gc.collect()


def pytest_addoption(parser: pytest.Parser) -> None:
    """For the tests that boot machines; each may be repeated. Without them: the release of this computer, owner: no."""
    group = parser.getgroup("booted machines")
    group.addoption("--release", action="append", choices=("bookworm", "trixie", "noble"), help="release of booted machines")
    group.addoption("--owner", action="append", choices=("yes", "no"), help="key owner of the configuration on booted machines")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m fast`, do not even read the other files: that alone takes longer than the fast tests."""
    if config.getoption("markexpr") != "fast" or collection_path.suffix not in {"", ".py"}:
        return None
    related = any(path in {collection_path, *collection_path.parents} or collection_path in path.parents for path in _FAST)
    return None if related and collection_path not in _SLOW else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)
    for item in items:
        in_fast_place = any(path in {item.path, *item.path.parents} for path in _FAST) and item.path not in _SLOW
        if in_fast_place and not is_hypothesis_test(getattr(item, "function", None)):
            item.add_marker("fast")


def _place(item: pytest.Item) -> int:
    return next((place for place, path in enumerate(_FIRST) if path in {item.path, *item.path.parents}), len(_FIRST))
