"""The clock jumps by ten years, forward and back, between two starts and while the daemon runs: bans stay, nobody is asked in
a storm, nobody is forgotten.

A small library (support/wall_clock.c) gives the daemon, and nobody else, a wall clock that a test sets by writing a file; time
namespaces (time_namespaces(7)) shift the clocks that count from the machine's start.
"""

import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.feed_server import FeedServer, status
from support.network_namespace import in_network_namespace, nft
from support.wall_clock import WallClock
from system.daemon_process import Daemon, Installation, running
from system.kernel_view import expected, generation, standing

DAY = 86_400.0
YEARS = 3652 * DAY
NOON = 1_893_499_200.0  # of the first of January, 2030
"""When the tests begin, in seconds since the epoch."""

ALLOWED = "192.0.2.128/25"
ALLOWED_UNTIL_2032 = f"{{address: {ALLOWED}, until: 2032-01-01}}"

# More than banlistd asks side by side.
LISTS = {f"feed{number}": ["192.0.2.0/24", f"198.51.{number}.0/24", f"2001:db8:{number}::/48"] for number in range(6)}


@dataclass
class ClockFixture:
    """Six lists that are asked for once a day, one allow entry that runs out in 2032. `asked`: requests for each so far."""

    place: Installation
    server: FeedServer
    asked: int = 0

    def furnish(self) -> None:
        for name, entries in LISTS.items():
            self.server.serve(f"/{name}", "".join(f"{entry}\n" for entry in entries).encode(), etag='"1"')
        sources = (f'id: {name}, url: "{self.server.url(f"/{name}")}"' for name in LISTS)
        self.place.configure(*sources, allow=[ALLOWED_UNTIL_2032], every="1d")

    def are_asked_once(self, daemon: Daemon, since: int, now: float) -> None:
        """Each list, and by the clock of the moment it is due in a day."""
        for name in LISTS:
            daemon.wait_for("blocklist_import_skipped" if self.asked else "blocklist_import_completed", name, since=since)
        self.asked += 1
        # An event comes before its poll is written down; each answer is a turn of the ledger.
        for _ in range(100):
            timers = self.place.ask("timers")
            if all(abs(timer["polled_at"] - now) < DAY for timer in timers):
                break
        for timer in timers:
            assert DAY <= timer["due_at"] - timer["polled_at"] <= 1.1 * DAY
            assert abs(timer["polled_at"] - now) < DAY
        self.are_asked_no_more()

    def are_asked_no_more(self) -> None:
        # The ledger answers in turn, the timers' questions before these.
        self.place.ask("timers")
        self.place.ask("status")
        assert [self.server.hits(f"/{name}") for name in LISTS] == [self.asked] * len(LISTS)

    def stands(self, now: float) -> None:
        allowed = [ALLOWED] if now < NOON + 730 * DAY else []
        assert standing() == expected(LISTS, allowed)


@contextmanager
def world(folder: Path) -> Iterator[ClockFixture]:
    with FeedServer() as server:
        found = ClockFixture(Installation(folder), server)
        found.furnish()
        yield found


@pytest.fixture
def clock(clock: WallClock) -> WallClock:
    clock.set(NOON)
    return clock


JUMPS = pytest.mark.parametrize("jump", [YEARS, -YEARS], ids=["forward", "back"])


@JUMPS
@in_network_namespace
def test_a_jump_between_two_starts_costs_no_ban_and_one_question_to_each_server(
    tmp_path: Path, clock: WallClock, jump: float
) -> None:
    with world(tmp_path) as here:
        with running(here.place, through=clock.through) as daemon:
            here.are_asked_once(daemon, 0, NOON)
            assert daemon.terminate() == 0
        for now in (NOON + jump, NOON):
            clock.set(now)
            before = generation()
            with running(here.place, through=clock.through) as daemon:
                here.stands(now)
                assert jump > 0 or generation() == before
                here.are_asked_once(daemon, 0, now)
                assert daemon.terminate() == 0
            # Whoever restarts it every hour has every list asked for as often as before.
            for _ in range(2):
                with running(here.place, through=clock.through) as daemon:
                    here.are_asked_no_more()
                    assert daemon.terminate() == 0
            here.stands(now)


@JUMPS
@in_network_namespace
def test_a_jump_while_it_runs_costs_no_ban_and_no_question(tmp_path: Path, clock: WallClock, jump: float) -> None:
    with world(tmp_path) as here, running(here.place, through=clock.through) as daemon:
        here.are_asked_once(daemon, 0, NOON)
        for now in (NOON + jump, NOON):
            clock.set(now)
            since, before = len(daemon.events), generation()
            # The firewall is compared as often as ever; this calls for it at once.
            nft("delete element inet banlistd nets4 { 198.51.3.0/24 }")
            daemon.wait_for("firewall_drift_repaired", since=since)
            here.stands(now)
            assert jump > 0 or generation() == before + 2
            here.are_asked_no_more()
            for words in ("reload", "status", "sources", "timers", "history", "check 192.0.2.1"):
                assert here.place.ctl(*words.split()).returncode == 0
            here.are_asked_no_more()
            here.stands(now)
        assert daemon.terminate() == 0
    assert not daemon.words
    assert "source_stale" not in [event["event"] for event in daemon.events]


@JUMPS
@in_network_namespace
def test_a_shrunken_list_settles_by_polls_and_not_by_jumps(tmp_path: Path, clock: WallClock, jump: float) -> None:
    place = Installation(tmp_path)
    whole, part = ([f"192.0.2.{number}" for number in range(1, most)] for most in (100, 20))
    with FeedServer() as server:
        server.serve("/feed", "\n".join(whole).encode())
        place.configure(f'id: feed, url: "{server.url("/feed")}", guards: {{settle: 6h}}')
        with running(place, "feed", through=clock.through) as daemon:
            server.serve("/feed", "\n".join(part).encode())
            for now in (NOON, NOON + jump, NOON, NOON):
                clock.set(now)
                assert place.ctl("refresh").stdout.startswith("feed: refused: shrunk")
            since = len(daemon.events)
            for hour in range(1, 7):
                # A jump may count as two intervals, an hour each, and no more.
                assert hour > 4 or standing() == expected({"feed": whole})
                clock.set(NOON + hour * 3600)
                place.ctl("refresh")
            assert "because it has stayed so" in daemon.wait_for("blocklist_import_completed", since=since)["message"]
            assert standing() == expected({"feed": part})


@in_network_namespace
def test_after_ten_years_ahead_a_list_grows_stale_by_the_right_clock_and_its_bans_stay(
    tmp_path: Path, clock: WallClock
) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        server.serve("/feed", b"192.0.2.0/24\n")
        place.configure(f'id: feed, url: "{server.url("/feed")}"')
        clock.set(NOON + YEARS)
        with running(place, "feed", through=clock.through) as daemon:
            assert place.ctl("refresh").returncode == 0  # everything about the poll is written down by its end
            server.behave("/feed", status(404))
            for days, stale in ((0, 0), (6, 0), (8, 1), (9, 1)):
                clock.set(NOON + days * DAY)
                assert place.ctl("refresh").returncode == 69
                told = [event["message"] for event in daemon.events if event["event"] == "source_stale"]
                assert told == ["feed: no good list for 8.0 days; the bans of the last one stay"] * stale
                assert place.ask("status")["stale"] == stale
            server.serve("/feed", b"192.0.2.0/24\n")
            assert place.ctl("refresh").returncode == 0
            assert place.ask("status")["stale"] == 0
            assert standing() == expected({"feed": ["192.0.2.0/24"]})


@in_network_namespace
def test_a_certificate_that_the_wrong_clock_finds_invalid_is_a_failed_poll_like_any_other(
    tmp_path: Path, clock: WallClock
) -> None:
    certificate, context = tmp_path / "server.pem", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _make_certificate(certificate)
    context.load_cert_chain(certificate)
    place, through = Installation(tmp_path), [*clock.through, f"SSL_CERT_FILE={certificate}"]
    with FeedServer(tls=context) as server:
        server.serve("/feed", b"192.0.2.0/24\n", etag='"1"')
        place.configure(f'id: feed, url: "{server.url("/feed")}"')
        clock.set(time.time())
        with running(place, "feed", through=through) as daemon:
            for jump, reason in ((YEARS, "certificate has expired"), (-YEARS, "certificate is not valid yet")):
                clock.set(time.time() + jump)
                assert place.ctl("refresh").returncode == 69
                assert reason in place.ask("sources")[0]["error"]
                assert standing() == expected({"feed": ["192.0.2.0/24"]})
            clock.set(time.time())
            assert place.ctl("refresh").returncode == 0
            assert daemon.terminate() == 0


def _make_certificate(place: Path) -> None:
    """For 127.0.0.1, signed by itself, good for two days, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{place}.key", "-out", str(place)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    place.write_bytes(place.read_bytes() + Path(f"{place}.key").read_bytes())


@in_network_namespace
def test_new_monotonic_origin_causes_no_poll_and_no_write(tmp_path: Path) -> None:
    later = ["unshare", "--time", f"--monotonic={YEARS:.0f}", f"--boottime={YEARS:.0f}"]
    probe = subprocess.run([*later, "cat", "/proc/uptime"], capture_output=True, text=True, check=False)
    if probe.returncode or float(probe.stdout.split()[0]) < YEARS:
        pytest.skip(f"no time namespace that a program enters when it starts (Linux 6.3): {probe.stderr.strip()}")
    with world(tmp_path) as here:
        for through in ([], later, [], later):
            before = generation()
            with running(here.place, through=through) as daemon:
                if here.asked:
                    here.are_asked_no_more()
                    assert generation() == before
                else:
                    here.are_asked_once(daemon, 0, time.time())
                assert daemon.terminate() == 0
            assert standing() == expected(LISTS, [ALLOWED] if time.time() < NOON + 730 * DAY else [])
