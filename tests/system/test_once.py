"""`banlistd --once`, the real process: lists from a real server and from files, into the tables of a real kernel."""

import gzip
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from banlistd.adapters.system.config_file import load_catalogue
from banlistd.core.config.catalogue.terms import ListState, Permission, Purpose
from support.feed_server import FeedServer, cut_length, status
from support.network_namespace import in_network_namespace, nft
from support.tracking import HOST, OTHER, OURS, connections_of, move_away, talk, track
from system.daemon_process import Installation
from system.kernel_view import KernelRanges, expected, generation, standing

PLAIN = ["192.0.2.1", "198.51.100.0/24", "203.0.113.5", "2001:db8:1::/48", "10.1.2.3", "192.168.0.0/16", "fe80::1", "::1"]
RECORDS = ["198.51.100.128/25", "198.51.101.0/24", "2001:db8:1::5", "2001:db8:2::7"]
TABLE = ["203.0.113.0/24", "192.0.2.1", "203.0.114.9"]
PEERS = ["203.0.113.200-203.0.115.3", "192.0.2.9-192.0.2.9"]
ALLOW = ["198.51.100.64/26", "2001:db8:2::/64", "203.0.113.5"]
LISTS = {"plain": PLAIN, "records": RECORDS, "table": TABLE, "peers": PEERS}


def furnish(place: Installation, server: FeedServer) -> None:
    """Four lists in four formats that overlap in many ways."""
    server.serve("/plain", "\n".join(["# a comment", *PLAIN, ""]).encode(), gzipped=True, etag='"p1"')
    records = "".join(f'{{"cidr": "{entry}", "note": "x"}}\n' for entry in RECORDS)
    server.serve("/records", records.encode(), last_modified="Mon, 01 Jan 2024 00:00:00 GMT")
    table = place.config / "table.csv"
    table.write_text("when,address\n" + "".join(f"2024-01-01,{entry}\n" for entry in TABLE))
    peers = gzip.compress("".join(f"some name:{entry}\n" for entry in PEERS).encode())
    server.serve("/peers.gz", peers, etag='"g1"')
    place.configure(
        f'id: plain, url: "{server.url("/plain")}", format: plain',
        f'id: records, url: "{server.url("/records")}", format: {{type: jsonl, field: cidr}}',
        f'id: table, path: "{table}", format: {{type: csv, column: address}}, action: count',
        f'id: peers, url: "{server.url("/peers.gz")}", format: p2p, action: reject',
        allow=ALLOW,
    )


def whole() -> Mapping[int, KernelRanges]:
    """What shall stand: what blocks comes before what only counts."""
    return expected({name: LISTS[name] for name in ("plain", "records", "peers", "table")}, ALLOW)


@in_network_namespace
def test_kernel_has_all_lists_by_ownership_and_a_second_run_writes_nothing(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        furnish(place, server)
        first = place.run("--once")
        assert first.returncode == 0, first.stderr
        assert standing() == whole()
        assert len(place.runs("completed")) == 4
        before, asked = generation(), len(server.requests)
        assert place.once() == 0
        assert generation() == before
        again = {request.path: request.headers for request in server.requests[asked:]}
        assert again["/plain"]["if-none-match"] == '"p1"'
        assert again["/peers.gz"]["if-none-match"] == '"g1"'
        assert again["/records"]["if-modified-since"] == "Mon, 01 Jan 2024 00:00:00 GMT"
        assert standing() == whole()
        assert [run["attempts"] for run in place.runs()] == [1, 1, 1, 1]


@in_network_namespace
def test_a_flushed_ruleset_comes_back_from_the_database_when_the_servers_are_gone(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        furnish(place, server)
        assert place.once() == 0
    before = nft("list", "ruleset")
    nft("flush", "ruleset")
    third = place.run("--once")
    assert third.returncode == 69, third.stderr
    assert nft("list", "ruleset") == before
    assert standing() == whole()


@in_network_namespace
def test_a_list_that_goes_from_a_to_b_and_back_ends_as_a(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    one, other = ["192.0.2.1", "192.0.2.2", "2001:db8::/33"], ["192.0.2.2", "198.51.100.0/24"]
    with FeedServer() as server:
        place.configure(f'id: feed, url: "{server.url("/feed")}"')
        for version, entries in enumerate((one, other, one)):
            server.serve("/feed", "\n".join(entries).encode(), etag=f'"{version}"')
            assert place.once() == 0
            assert standing() == expected({"feed": entries})
    runs = place.runs()
    assert [run["state"] for run in runs] == ["completed", "completed"]
    assert [(run["attempts"], run["added"], run["removed"]) for run in runs] == [(1, 1, 2), (2, 2, 1)]


@in_network_namespace
def test_a_failing_source_keeps_no_other_out_and_the_exit_code_is_of_its_class(tmp_path: Path) -> None:
    for path, name, code in (("/cut", "cut", 69), ("/gone", "gone", 69), ("/page", "page", 65), ("/empty", "empty", 65)):
        folder = tmp_path / name
        folder.mkdir()
        place = Installation(folder)
        nft("flush", "ruleset")
        with FeedServer() as server:
            server.serve("/good", b"192.0.2.1\n")
            server.behave("/cut", cut_length(b"198.51.100.1\n" * 9))
            server.behave("/gone", status(503))
            server.serve("/page", b"<!DOCTYPE html><html><body>198.51.100.1</body></html>")
            server.serve("/empty", b"# nothing today\n")
            place.configure(f'id: bad, url: "{server.url(path)}"', f'id: good, url: "{server.url("/good")}"')
            assert (name, place.once()) == (name, code)
        assert standing() == expected({"good": ["192.0.2.1"]})
        assert [run["source_id"] for run in place.runs("failed")] == ["bad"]


def test_check_accepts_what_is_right_and_names_file_and_line_of_what_is_wrong(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure('id: feed, url: "https://lists.example/feed"')
    assert place.run("--check").returncode == 0
    place.configure('id: feed, url: "https://lists.example/feed"', 'id: feed, urll: "https://lists.example/feed"')
    bad = place.run("--check")
    assert bad.returncode == 78
    wrong = place.file.read_text().splitlines().index('  - {id: feed, urll: "https://lists.example/feed"}') + 1
    assert f"banlistd.yaml:{wrong}:" in bad.stderr
    assert not place.state.exists()


def test_check_accepts_every_entry_of_the_catalogue(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    entries = load_catalogue().values()
    lists = [one.id for one in entries if one.purpose is Purpose.BAN]
    references = [one.id for one in entries if one.purpose is Purpose.ALLOW]
    place.configure(*(f"use: {name}" for name in lists), *(f"use: {name}, action: none" for name in references))
    done = place.run("--check")
    assert (done.returncode, f"is right: {len(entries)} sources" in done.stdout) == (0, True)
    gone = [one.id for one in entries if one.state is not ListState.ALIVE]
    assert [f"the list {name} is " in done.stderr for name in gone] == [True] * len(gone)
    assert done.stderr.count("the list ") == len(gone)


def test_check_refuses_a_business_exactly_the_lists_that_are_not_for_it(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    lists = [one for one in load_catalogue().values() if one.purpose is Purpose.BAN]
    refused = [one.id for one in lists if one.commercial is Permission.NO]
    place.configure(*(f"use: {one.id}" for one in lists))
    place.file.write_text(place.file.read_text() + "use_for: commercial\n")
    done = place.run("--check")
    assert (done.returncode, done.stderr.count("forbid commercial use")) == (78, len(refused))
    assert [f"the terms of {name} forbid commercial use" in done.stderr for name in refused] == [True] * len(refused)
    place.configure(*(f"use: {one.id}{', enabled: no' if one.id in refused else ''}" for one in lists))
    place.file.write_text(place.file.read_text() + "use_for: commercial\n")
    assert place.run("--check").returncode == 0


def test_check_warns_of_a_list_that_is_gone_and_names_its_successor(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure("use: spamhaus-edrop")
    done = place.run("--check")
    assert done.returncode == 0
    assert "banlistd: warning: spamhaus-edrop: the list spamhaus-edrop is dead: " in done.stderr
    assert "    use: spamhaus-drop\n" in done.stderr


def test_check_refuses_a_business_what_is_not_for_it(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure("use: dataplane-telnet", "use: spamhaus-drop")
    place.file.write_text(place.file.read_text() + "use_for: commercial\n")
    done = place.run("--check")
    assert done.returncode == 78
    (line,) = [line for line in done.stderr.splitlines() if "use_for" in line]
    assert "the terms of dataplane-telnet forbid commercial use" in line
    assert "its licence: non-commercial use only" in line


def test_no_thread_is_started_for_matrices_on_any_core(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure()
    main = f"from banlistd.__main__ import main; main(['--check', '--config', {str(tmp_path / 'config')!r}])"
    # A thread that was joined may be listed a moment longer; those for matrices never end.
    threads = "import os, numpy; print(min(len(os.listdir('/proc/self/task')) for _ in range(1000)))"
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", f"{main}; {threads}"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "1"


@in_network_namespace
def test_a_dry_run_prints_the_changes_and_touches_neither_folder_nor_kernel(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        furnish(place, server)
        before = generation()
        rehearsed = place.run("--dry-run")
        assert rehearsed.returncode == 0, rehearsed.stderr
        assert "+ 192.0.2.1" in rehearsed.stdout
        assert "would be banned\nnothing was changed" in rehearsed.stdout
        assert rehearsed.stderr == ""
        assert not place.state.exists()
        assert not place.runtime.exists()
        assert generation() == before
        assert nft("list", "ruleset") == ""


@in_network_namespace
def test_a_dry_run_shows_lines_that_are_skipped_and_lists_that_are_not_asked_for(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        place.configure(f'id: feed, url: "{server.url("/feed")}", minimum: 1h')
        server.serve("/feed", b"192.0.2.1\nwhat\x1b\n" + b"192.0.2.2\n" * 9)
        skipped = 'feed: 1 line skipped (line 2 "what\\x1b": no address at its beginning)\n'
        assert skipped in place.run("--dry-run").stdout
        assert place.once() == 0
        rehearsed = place.run("--dry-run").stdout
        assert "feed: not asked now, its last content is shown: the publisher allows one request in 1h\n" + skipped in rehearsed
        assert server.hits("/feed") == 2


@in_network_namespace
def test_a_dry_run_beside_a_real_state_leaves_it_as_it_is(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        place.configure(f'id: feed, url: "{server.url("/feed")}"')
        server.serve("/feed", b"192.0.2.1\n")
        assert place.once() == 0
        server.serve("/feed", b"192.0.2.2\n")
        before, rows = generation(), place.runs() + place.rows("SELECT * FROM polls")
        rehearsed = place.run("--dry-run")
        assert "+ 192.0.2.2" in rehearsed.stdout
        assert "- 192.0.2.1" in rehearsed.stdout
        assert generation() == before
        assert place.runs() + place.rows("SELECT * FROM polls") == rows


@in_network_namespace
def test_a_dry_run_says_of_events_only_what_is_wrong_unless_verbose(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure(f'id: feed, path: "{tmp_path}/missing"')
    short = place.run("--dry-run")
    assert short.returncode == 69
    assert short.stderr.startswith(f"banlistd: warning: feed: cannot read {tmp_path}/missing: No such file")
    assert short.stderr.count("\n") == 1
    assert short.stdout == "write tables, chains and rules\nnothing was changed; 0 bans would be in force\n"
    assert "blocklist_import_started" in place.run("--dry-run", "--verbose").stderr


def test_unknown_argument_is_a_usage_error(tmp_path: Path) -> None:
    done = Installation(tmp_path).run("--onze")
    assert done.returncode == 64
    assert "usage" in done.stderr


@in_network_namespace
def test_verbose_adds_details_of_banlistd_and_asyncio_alone(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    listing = tmp_path / "list.txt"
    listing.write_text("192.0.2.1\n")
    place.configure(f'id: feed, path: "{listing}"')
    done = place.run("--once", "--verbose")
    assert done.returncode == 0, done.stderr
    details = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert any(line.startswith("banlistd.services.importer: feed: content ") for line in details)
    assert any("elements written" in line for line in details)
    assert any(line.startswith("asyncio: ") for line in details)
    assert all(line.startswith(("banlistd.", "asyncio: ")) for line in details), details
    again = place.run("--once")
    assert all(line.startswith("{") for line in again.stderr.splitlines())


@in_network_namespace
def test_connections_of_what_it_bans_have_ended_when_it_ends(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    track()
    for source, target in ((HOST, OURS), (OTHER, OURS)):
        talk(source, target)
    move_away(HOST, OTHER)
    listed = place.config / "list"
    listed.write_text(f"{HOST}\n")
    place.configure(f'id: listed, path: "{listed}"')
    assert place.once() == 0
    assert (connections_of(HOST), connections_of(OTHER)) == (0, 1)
