"""SIGKILL before every call of a publication that changes a file: a node gets the old lists or the new ones, whole."""

import os
import shutil
import signal
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from banlistd.core.fleet.publish_job import PublishJob
from banlistd.trust.repository.publishing import publish
from support.fleet import Hub, Node, Owners, hash_of, new_content

STRIDE = 3
CALLS = ("open", "write", "fsync", "rename", "mkdir", "unlink", "chmod", "utime")


def test_a_node_gets_the_old_lists_or_the_new_ones_and_the_next_publication_goes_on(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "owners", "hub-a")
    hub = Hub(tmp_path / "hub", owners, "hub-a")
    hub.install()
    hub.promote()
    publish(hub.job({"drop": new_content("one"), "ssh": new_content("other")}), _now())
    first = Node(tmp_path / "node", owners)
    assert first.pull(hub.folder.public, "drop/full.blz") == b"one"
    # The next publication has a new root as well.
    owners.revoke("anna")
    owners.sign("ben", "cleo", "targets")
    hub.install()
    shutil.copytree(hub.folder.path, tmp_path / "before")
    job = hub.job({"drop": new_content("two", "one"), "ssh": new_content("another", "other")})
    # Each day another third of the calls: all take half a minute.
    seen, number = set(), 1 + datetime.now(UTC).toordinal() % STRIDE
    while not killed_at(number, partial(publish, job, _now())):
        shutil.copytree(first.path, tmp_path / "copy")
        node = Node(tmp_path / "copy", owners, is_new=False)
        got = (node.pull(hub.folder.public, "drop/full.blz"), node.pull(hub.folder.public, "ssh/full.blz"))
        assert got in ((b"one", b"other"), (b"two", b"another")), f"killed before call {number}"
        seen.add(got)
        # What the hub believes to be published is what nodes get, so that it publishes the rest.
        said = publish(PublishJob(str(hub.folder.path), "", ("drop", "ssh"), {}), _now())["lists"]
        believed = tuple(said[name]["contents"][0]["content"] for name in ("drop", "ssh"))
        assert believed == tuple(hash_of(octets.decode()) for octets in got), f"killed before call {number}"
        assert publish(job, _now())["lists"]["drop"]["contents"][0]["content"] == hash_of("two")
        assert node.pull(hub.folder.public, f"drop/{hash_of('one')[:16]}.bld") == b"one to two"
        assert not list(hub.folder.public.rglob("*.unfinished"))
        for folder in (hub.folder.path, tmp_path / "copy"):
            shutil.rmtree(folder)
        shutil.copytree(tmp_path / "before", hub.folder.path)
        number += STRIDE
    assert (b"one", b"other") in seen
    assert first.pull(hub.folder.public, "drop/full.blz") == b"two"
    assert number > 40


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Do it in a process that is killed before that call; whether it came to its end before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12: this process may have threads
        child = os.fork()
    if child == 0:
        try:
            counter = [0]
            for name in CALLS:
                setattr(os, name, partial(_counted, getattr(os, name), counter, number))
            work()
        finally:
            os._exit(7)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 7
    return not os.WIFSIGNALED(status)


def _counted(call: Callable[..., Any], counter: list[int], number: int, *arguments: Any, **named: Any) -> Any:
    counter[0] += 1
    if counter[0] == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return call(*arguments, **named)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
