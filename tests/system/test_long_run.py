"""What adds up: many imports of lists that change wholly, storms of signals, ends in the middle of an import."""

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.network_namespace import in_network_namespace
from system.daemon_process import Daemon, Installation, running
from system.kernel_view import expected, standing

COMPLETED = "blocklist_import_completed"
ENTRIES = 5000


def lists() -> Iterator[list[str]]:
    """One list after another, none of which has much in common with the one before."""
    chance = random.Random(1)
    while True:
        numbers = chance.sample(range(80 << 16), ENTRIES)
        yield [f"{20 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.7" for n in numbers]


def installed(folder: Path) -> tuple[Installation, Path]:
    place, path = Installation(folder), folder / "list"
    place.configure(f'id: feed, path: "{path}", guards: {{shrink: off, grow: off, turnover: off}}')
    return place, path


def write(path: Path, entries: list[str]) -> None:
    new = path.with_suffix(".new")
    new.write_text("".join(f"{entry}\n" for entry in entries))
    new.rename(path)


def resident(daemon: Daemon) -> int:
    """Octets."""
    return int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_things(daemon: Daemon) -> tuple[int, int]:
    """Descriptors and threads."""
    own = Path(f"/proc/{daemon.process.pid}")
    return len(list((own / "fd").iterdir())), len(list((own / "task").iterdir()))


@in_network_namespace
def test_many_imports_of_other_lists_leave_nothing_behind(tmp_path: Path) -> None:
    place, path = installed(tmp_path)
    each = lists()
    write(path, next(each))
    with running(place, "feed") as daemon:
        seen = []
        for _ in range(20):
            entries = next(each)
            write(path, entries)
            assert place.ctl("refresh", "feed").returncode == 0
            seen.append((resident(daemon), *open_things(daemon)))
        assert standing() == expected({"feed": entries})
        # The first ones fill what is kept.
        (memory, descriptors, threads), last = seen[7], seen[-1]
        assert last[0] <= memory + 8_000_000
        assert last[1] <= descriptors + 2
        assert last[2] <= threads + 2
        assert place.runs("pending") == []
        assert daemon.terminate() == 0


@in_network_namespace
def test_a_storm_of_sighups_ends_with_the_last_configuration_in_force(tmp_path: Path) -> None:
    place, path = installed(tmp_path)
    write(path, ["203.0.113.1"])  # few enough to be lifted without being named
    with running(place, "feed") as daemon:
        before = resident(daemon)
        for number in range(300):
            if number == 299:
                path.with_name("other").write_text("192.0.2.1\n")
                place.configure(f'id: other, path: "{path.with_name("other")}"')
            daemon.reload()
        daemon.wait_for(COMPLETED, "other")
        assert [source["id"] for source in place.ask("sources")] == ["other"]
        assert standing() == expected({"other": ["192.0.2.1"]})
        assert resident(daemon) <= before + 8_000_000
        assert daemon.terminate() == 0


@in_network_namespace
def test_ends_in_the_middle_of_imports_are_clean_and_lose_nothing(tmp_path: Path) -> None:
    place, path = installed(tmp_path)
    chance, each = random.Random(2), lists()
    write(path, next(each))
    for _ in range(8):
        with running(place) as daemon:
            entries = next(each)
            since = len(daemon.events)
            write(path, entries)
            refresh = subprocess.Popen(
                place.ctl_command("refresh", "feed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            daemon.wait_for("blocklist_import_started", "feed", since=since)
            if chance.random() < 0.3:
                daemon.find(COMPLETED, source_id="feed", since=since)
            assert daemon.terminate() == 0
            refresh.wait()
            assert daemon.words == []
    with running(place) as daemon:
        assert place.ctl("refresh", "feed").returncode == 0
        assert place.runs("pending") == []
        assert standing() == expected({"feed": entries})
        assert daemon.terminate() == 0
