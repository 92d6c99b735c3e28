"""A mirror whose name servers say nothing: the machine's three resolvers wait for them, and the next mirror has its turn all
the same. glibc would wait for half a minute, and no alarm ends that.
"""

import asyncio
import ctypes
import os
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from banlistd.adapters.fetch.fleet.pulling import MirrorPrograms
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.fleet.trust import KnownTrust, MirrorFault, WantedList
from support.fakes import FakeClock
from support.fleet_repository import Repository
from support.mirror import mirror_of
from support.network_namespace import in_network_namespace

_NEW_MOUNTS, _OWN_FOLDERS = 0x00020000, 0x00000200
_RESOLVERS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


def use_resolvers(file: Path) -> None:
    """For programs that this thread starts."""
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS | _OWN_FOLDERS):
        pytest.skip(f"no mounts of its own: {os.strerror(ctypes.get_errno())}")
    file.write_text("".join(f"nameserver {one}\n" for one in _RESOLVERS))
    for command in (["mount", "--make-rprivate", "/"], ["mount", "--bind", str(file), "/etc/resolv.conf"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no mounts of its own: {done.stderr.strip()}")


@in_network_namespace
def test_the_next_mirror_has_its_turn_where_the_name_of_one_is_not_resolved(tmp_path: Path) -> None:
    use_resolvers(tmp_path / "resolv.conf")
    repository = Repository(tmp_path / "repository")
    repository.publish()
    root = tmp_path / "root.json"
    root.write_bytes(repository.first_root)
    with ExitStack() as stack:
        for address in _RESOLVERS:
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((address, 53))
        good = stack.enter_context(mirror_of(repository.folder)).url
        fleet = Fleet(name="main", root=root, urls=("https://mirror.example", good))
        programs = MirrorPrograms(tmp_path, "1", FakeClock(time.time()))
        wanted = [WantedList("absent", "", None, "", 1 << 20)]
        pulled = asyncio.run(programs.pull(fleet, wanted, KnownTrust(), 24.0))
    assert (pulled.lists, pulled.state.mirror) == ({"absent": None}, good)
    assert [(one.mirror, one.fault) for one in pulled.refused] == [(fleet.urls[0], MirrorFault.ABSENT)]
