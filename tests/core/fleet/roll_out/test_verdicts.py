"""Which versions a node refuses: by a guard, by its firewall, by its operator."""

from dataclasses import replace
from typing import Any

import pytest

from banlistd.core.feeds.quarantine import Quarantined
from banlistd.core.feeds.versions.suspension import Suspension, SuspensionKind
from banlistd.core.feeds.versions.version import Version
from banlistd.core.fleet.roll_out.refusals import RefusedVersion
from banlistd.core.fleet.roll_out.verdicts import refused_versions
from banlistd.model import ContentHash, ImportRun, PolicyHash, RunState, SourceId

D = SourceId("d")
A, B, C = (ContentHash(letter * 64) for letter in "abc")
HELD = Quarantined(D, B, b"", "wide", "10.0.0.0/8", 3, 0, 1.0, 1.0)
FAILED = ImportRun(7, D, B, RunState.FAILED, 1, 2, 3, 0, 0, 0, "no room", PolicyHash(""), 1.0, 2.0)
PIN = Suspension(D, SuspensionKind.PINNED, 50.0, 0, 1, A)


def refused(quarantined: Quarantined | None = None, newest: ImportRun | None = None, *pins: Suspension) -> Any:
    versions = [Version(3, D, 3, C, 1, 30.0, None), Version(2, D, 2, B, 1, 20.0, 30.0), Version(1, D, 1, A, 1, 10.0, 20.0)]
    return refused_versions("drop", quarantined, newest, pins, versions)


def test_a_guard_refuses_a_version_unless_it_only_waits_or_is_approved() -> None:
    assert refused(HELD) == (RefusedVersion("drop", B, "wide", "10.0.0.0/8"),)
    assert refused(replace(HELD, guard="hold")) == refused(replace(HELD, approved=True)) == refused() == ()


def test_what_is_refused_goes_with_the_content_that_it_was_compared_with() -> None:
    assert [one.base for one in refused_versions("drop", HELD, FAILED, [PIN], [], A)] == [A, A]
    (one,) = refused_versions(
        "drop", None, None, [PIN], [Version(2, D, 2, B, 1, 20.0, None), Version(1, D, 1, A, 1, 1.0, 2.0)], B
    )
    assert one.base == B


@pytest.mark.parametrize(
    "run", [replace(FAILED, attempts=1), replace(FAILED, content_hash=None), replace(FAILED, state=RunState.COMPLETED)]
)
def test_a_firewall_refuses_what_it_has_not_taken_twice(run: ImportRun) -> None:
    assert refused(None, FAILED) == (RefusedVersion("drop", B, "health", "no room"),)
    assert refused(None, run) == ()


def test_an_operator_refuses_what_had_come_after_the_content_that_is_pinned() -> None:
    assert [one.content_hash for one in refused(None, None, PIN)] == [B, C]
    assert {one.guard for one in refused(None, None, PIN)} == {"operator"}
    assert [one.content_hash for one in refused(None, None, replace(PIN, content_hash=B))] == [C]
    assert refused(None, None, replace(PIN, content_hash=C)) == ()
    assert refused(None, None, replace(PIN, content_hash=ContentHash("e" * 64))) == ()
    assert refused(None, None, Suspension(D, SuspensionKind.PAUSED, 50.0)) == ()


@pytest.mark.parametrize("after", [(), (Version(4, D, 1, A, 1, 51.0, None),)])
def test_it_does_so_also_where_the_clock_was_set_back_before(after: tuple[Version, ...]) -> None:
    versions = [*after, Version(2, D, 2, B, 1, 3600.0, 51.0), Version(1, D, 1, A, 1, 10.0, 3600.0)]
    assert [one.content_hash for one in refused_versions("drop", None, None, [PIN], versions)] == [B]


def test_what_came_before_a_pin_of_the_content_in_force_is_not_refused() -> None:
    versions = [Version(3, D, 1, A, 1, 30.0, None), Version(2, D, 2, B, 1, 20.0, 30.0), Version(1, D, 1, A, 1, 10.0, 20.0)]
    assert refused_versions("drop", None, None, [PIN], versions) == ()
