"""What others do to the firewall while the daemon runs: its part is repaired at once, from what it knows; theirs is theirs."""

import itertools
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from support.network_namespace import in_network_namespace, nft, run_nft, skip_without_large_buffers
from system.daemon_process import PATIENCE, Installation, running
from system.kernel_view import contents, expected, generation, standing

ENTRIES = ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"]


def installed(folder: Path, entries: list[str]) -> Installation:
    place = Installation(folder)
    feed = folder / "feed.txt"
    feed.write_text("".join(f"{entry}\n" for entry in entries))
    # Longer than any test has patience: what is repaired is repaired because the kernel told of it.
    place.configure(f'id: feed, path: "{feed}"', every="365d")
    return place


def numbered(count: int) -> list[str]:
    """So many single addresses, far apart, none reserved."""
    return [f"{20 + n % 70}.{n // 70 % 256}.{n // 17920 % 256}.{n % 251}" for n in range(count)]


FOREIGN = (
    "flush ruleset",
    "delete table inet banlistd",
    "flush map inet banlistd nets4",
    "insert rule inet banlistd inbound accept",
)


@pytest.mark.parametrize("command", FOREIGN)
@in_network_namespace
def test_drift_is_repaired_and_attributed(tmp_path: Path, command: str) -> None:
    place = installed(tmp_path, ENTRIES)
    with running(place, "feed") as daemon:
        before = nft("-s", "list", "table", "inet", "banlistd")
        for _ in range(3):
            since = len(daemon.events)
            nft(command)
            event = daemon.wait_for("firewall_drift_repaired", since=since)
            assert event["culprit"].startswith("nft[")
            assert standing() == expected({"feed": ENTRIES})
            assert sorted(nft("-s", "list", "table", "inet", "banlistd").splitlines()) == sorted(before.splitlines())
        assert daemon.terminate() == 0
    assert [event["event"] for event in daemon.events].count("firewall_drift_repaired") == 3


@in_network_namespace
def test_a_rule_that_was_exchanged_while_nothing_ran_is_written_again_at_the_start(tmp_path: Path) -> None:
    place = installed(tmp_path, ENTRIES)
    with running(place, "feed") as daemon:
        before = nft("-s", "list", "table", "inet", "banlistd")
        assert daemon.terminate() == 0
    nft("flush chain inet banlistd from-feed; add rule inet banlistd from-feed accept")
    with running(place) as daemon:
        assert sorted(nft("-s", "list", "table", "inet", "banlistd").splitlines()) == sorted(before.splitlines())
        assert daemon.terminate() == 0


@in_network_namespace
def test_an_address_that_was_exchanged_for_another_comes_back(tmp_path: Path) -> None:
    place = installed(tmp_path, numbered(5000))
    with running(place, "feed") as daemon:
        victim = numbered(1)[0]
        nft(f"delete element inet banlistd hosts4 {{ {victim} }}; add element inet banlistd hosts4 {{ 203.0.113.9 : 1 }}")
        assert daemon.wait_for("firewall_drift_repaired")["culprit"].startswith("nft[")
        assert standing() == expected({"feed": numbered(5000)})


@in_network_namespace
def test_foreign_changes_elsewhere_cost_no_write_and_no_event(tmp_path: Path) -> None:
    place = installed(tmp_path, ENTRIES)
    with running(place, "feed") as daemon:
        place.ask("refresh")
        before, events = generation(), len(daemon.events)
        for number in range(50):
            nft("add", "table", "inet", f"other{number}")
        assert place.ask("status")["bans"] == len(ENTRIES)
        assert daemon.terminate() == 0
    assert generation() == before + 50
    assert [event["event"] for event in daemon.events[events:]] == ["service_stopped"]


@pytest.mark.parametrize("count", [10_000, 100_000])
@in_network_namespace
def test_a_flush_of_many_bans_is_repaired(tmp_path: Path, count: int, record_property: Callable[[str, object], None]) -> None:
    skip_without_large_buffers()
    entries = numbered(count)
    assert len(set(entries)) == count
    place = installed(tmp_path, entries)
    with running(place, "feed") as daemon:
        nft("flush", "ruleset")
        repaired = daemon.wait_for("firewall_drift_repaired")
        assert repaired["added"] == place.ask("status")["bans"]
        assert daemon.terminate() == 0
    record_property("milliseconds until all bans stood again", repaired["duration_ms"])


@contextmanager
def other_table_that_never_rests() -> Iterator[None]:
    """One commit of another program after another, as fast as nft sends them."""
    nft("add table ip other; add set ip other s { type ipv4_addr; }")
    with subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as busy:
        assert busy.stdin is not None
        over = threading.Event()
        writing = threading.Thread(target=_add_elements, args=(busy.stdin, over))
        writing.start()
        try:
            yield
        finally:
            over.set()
            writing.join()
            busy.kill()


def _add_elements(script: IO[str], over: threading.Event) -> None:
    for number in itertools.count():
        if over.is_set():
            return
        script.write(f"add element ip other s {{ 1.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255} }}\n")
        script.flush()


@in_network_namespace
def test_imports_go_through_while_another_table_changes_all_the_time(tmp_path: Path) -> None:
    place = installed(tmp_path, numbered(5000))
    with running(place, "feed") as daemon, other_table_that_never_rests():
        before = generation()
        for count in (6000, 7000):
            (tmp_path / "feed.txt").write_text("".join(f"{entry}\n" for entry in numbered(count)))
            since = len(daemon.events)
            assert place.ctl("refresh", "feed").returncode == 0
            assert daemon.wait_for("blocklist_import_completed", since=since)["added"] == 1000
        assert generation() > before + 100
        assert {event["event"] for event in daemon.events} & {"service_fault", "firewall_drift_repaired"} == set()
        assert place.ask("status")["bans"] == 7000


@pytest.mark.parametrize("pause", [0.0, 0.3])
@in_network_namespace
def test_whoever_deletes_the_table_again_and_again_loses(tmp_path: Path, pause: float) -> None:
    entries = numbered(5000)
    place = installed(tmp_path, entries)
    with running(place, "feed"):
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            run_nft("delete", "table", "inet", "banlistd")
            time.sleep(pause)
        while standing() != expected({"feed": entries}):
            assert time.monotonic() < end + PATIENCE
        assert place.ask("status")["bans"] == len(entries)


@in_network_namespace
def test_a_table_that_is_deleted_again_and_again_is_seldom_gone_and_one_event_says_so(tmp_path: Path) -> None:
    # Where other programs keep the processor from the daemon for a moment, the next run counts.
    assert any(_share_without_a_table(tmp_path / str(run)) < 0.4 for run in range(3))


def _share_without_a_table(folder: Path) -> float:
    """The part of the time in which the table is gone, while another program deletes it again and again."""
    folder.mkdir()
    place = installed(folder, ENTRIES)
    with running(place, "feed") as daemon:
        began, gone = time.monotonic(), []
        for _ in range(12):
            deleted = time.monotonic()
            nft("delete", "table", "inet", "banlistd")
            while not contents():
                assert time.monotonic() < deleted + PATIENCE
            gone.append(time.monotonic() - deleted)
            # As long as some repairs, from what the first ones took: a pause after each repair would have grown beyond it.
            time.sleep(5 * max(gone[:3]))
        whole = time.monotonic() - began
        assert daemon.terminate() == 0
    assert standing() == expected({"feed": ENTRIES})
    events = [event["event"] for event in daemon.events]
    assert events.count("firewall_drift_recurring") == 1
    assert events.count("firewall_drift_repaired") == 3
    (recurring,) = [event for event in daemon.events if event["event"] == "firewall_drift_recurring"]
    assert recurring["culprit"].startswith("nft[")
    assert "," not in recurring["culprit"]
    return sum(gone) / whole
