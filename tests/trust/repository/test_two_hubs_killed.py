"""SIGKILL before every call of a hub that asks for a signature, that signs for another, and that publishes what both signed."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from banlistd.trust.repository.publishing import publish
from support.fleet import Node, new_content
from trust.repository.test_killed import STRIDE, killed_at
from trust.repository.test_two_hubs import Pair, now


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Both hubs have signed one content, and what was deleted of an earlier one is no part of the publication."""
    pair = Pair(tmp_path)
    pair.ask({"drop": new_content("one")})
    pair.agree(drop="one")
    assert pair.pulled() == b"one"
    return pair


def killed_everywhere(pair: Pair, work: Callable[[], object], after: Callable[[bytes | None], object]) -> int:
    """Each day another third of the calls. `after`: gets what a node then pulls; the hubs begin each time as they are now."""
    folders = {hub.folder.path: pair.path / f"before-{hub.folder.path.name}" for hub in (pair.a, pair.b)}
    for folder, copy in folders.items():
        shutil.copytree(folder, copy)
    number = 1 + datetime.now(UTC).toordinal() % STRIDE
    while not killed_at(number, work):
        shutil.copytree(pair.node.path, pair.path / "copy")
        node = Node(pair.path / "copy", pair.owners, is_new=False)
        after(node.pull(pair.a.folder.public, "drop/full.blz"))
        shutil.rmtree(pair.path / "copy")
        for folder, copy in folders.items():
            shutil.rmtree(folder)
            shutil.copytree(copy, folder)
        number += STRIDE
    return number


def test_a_hub_that_is_killed_while_it_asks_asks_again(pair: Pair) -> None:
    job = replace(pair.a.job({"drop": new_content("two", "one")}, "drop"))

    def after(pulled: bytes | None) -> None:
        assert pulled == b"one"
        assert publish(job, now())["proposals"]["drop"]["lacking"] == 1
        pair.agree(drop="two")
        assert pair.a.folder.public.joinpath("pending.json").exists()
        assert publish(pair.a.job({}, "drop"), now())["lists"]["drop"]["contents"][0]["content"] == new_content("two").content
        assert not list(pair.a.folder.public.rglob("*.unfinished"))

    assert killed_everywhere(pair, partial(publish, job, now()), after) > 10


def test_a_hub_that_is_killed_while_it_signs_for_another_signs_again(pair: Pair) -> None:
    pair.ask({"drop": new_content("two")})

    def after(pulled: bytes | None) -> None:
        assert pulled == b"one"
        # What it had signed before, or what it signs now, and never half of it.
        assert pair.ask({}, pair.b.cosigned)["proposals"].keys() <= {"drop"}
        pair.agree(drop="two")
        assert pair.pulled_by_another() == b"two"

    assert killed_everywhere(pair, partial(pair.b.cosign, pair.a, drop="two"), after) > 3


def test_a_hub_that_is_killed_while_it_publishes_what_both_have_signed_goes_on(pair: Pair) -> None:
    pair.ask({"drop": new_content("two", "one")})
    pair.b.cosign(pair.a, drop="two")
    job, seen = replace(pair.a.job({}, "drop"), cosigned=(pair.b.cosigned,)), set()

    def after(pulled: bytes | None) -> None:
        assert pulled in (b"one", b"two")
        seen.add(pulled)
        assert publish(job, now())["proposals"] == {}
        assert pair.pulled_by_another() == b"two"

    assert killed_everywhere(pair, partial(publish, job, now()), after) > 10
    assert b"one" in seen
