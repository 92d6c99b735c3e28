"""Names in the allowlist of the real daemon, with a real name server and the real kernel."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.name_server import HostFiles, NameServer
from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running
from system.kernel_view import expected, standing

LISTED = ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"]
OFFICE, NAS = "office.example.org", "nas.example.org"
ZONE = [
    f"{OFFICE}. 3000 CNAME gate.example.org.",
    "gate.example.org. 1800 A 192.0.2.1",
    "gate.example.org. 2400 AAAA 2001:db8::1",
    "vpn.example.org. 7 A 198.51.100.7",
]


@contextmanager
def installed(folder: Path) -> Iterator[tuple[Installation, NameServer]]:
    HostFiles(folder, "nameserver 127.0.0.1\n", hosts=f"127.0.0.1 localhost\n192.0.2.9 {NAS}\n")
    place = Installation(folder)
    (folder / "list").write_text("".join(f"{entry}\n" for entry in LISTED))
    place.configure(f'id: listed, path: "{folder / "list"}"', allow=[OFFICE, NAS])
    with NameServer(ZONE) as server:
        yield place, server


def without(*allowed: str) -> object:
    return expected({"listed": LISTED}, allowed)


def seconds_to_next(place: Installation, source_id: str) -> float:
    rows = place.rows("SELECT source_id, due_at - polled_at AS seconds FROM polls")
    return next(float(row["seconds"]) for row in rows if row["source_id"] == source_id)


@in_network_namespace
def test_names_follow_their_ttl_those_of_the_host_are_asked_every_five_minutes_and_failures_keep_them(tmp_path: Path) -> None:
    with installed(tmp_path) as (place, server), running(place, "listed", "office-example-org", "nas-example-org"):
        assert standing() == without("192.0.2.1", "2001:db8::1", "192.0.2.9")
        assert 1800 <= seconds_to_next(place, "office-example-org") <= 1980, "the least TTL along the aliases"
        assert 300 <= seconds_to_next(place, "nas-example-org") <= 330
        server.records[1] = "gate.example.org. 1 A 192.0.2.2"
        assert place.ctl("refresh", "office-example-org").returncode == 0
        assert standing() == without("192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.9"), "an old address stays for an hour"
        assert 60 <= seconds_to_next(place, "office-example-org") <= 66
        server.records.clear()
        assert place.ctl("refresh", "office-example-org").returncode != 0
        assert standing() == without("192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.9")
        assert 30 <= seconds_to_next(place, "office-example-org") <= 60
        rows = {row["address"]: row for row in place.ask("allowed")}
        assert rows[OFFICE]["addresses"] == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
        assert rows[OFFICE]["answered_at"] < rows[OFFICE]["asked_at"]
        assert "asked again in" in place.ctl("allowed").stdout


@in_network_namespace
def test_a_name_that_is_allowed_by_command_says_when_it_is_asked_for_again(tmp_path: Path) -> None:
    with installed(tmp_path) as (place, _), running(place, "listed", "office-example-org", "nas-example-org"):
        assert "asked for again in 1 min" in place.ctl("allow", "vpn.example.org").stdout
        assert standing() == without("192.0.2.1", "2001:db8::1", "192.0.2.9", "198.51.100.7")
        (row,) = [row for row in place.ask("allowed") if row["address"] == "vpn.example.org"]
        assert row["addresses"] == ["198.51.100.7"]
        assert 60 <= row["asked_at"] - row["answered_at"] <= 66.1
