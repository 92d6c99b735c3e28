"""Sources that are made of others, with the real program and the real kernel: followed at once, also after a SIGKILL."""

from collections.abc import Sequence
from pathlib import Path

from banlistd.core.addresses.canonical import hash_of
from banlistd.core.feeds.parsers import parse
from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running
from system.kernel_view import contents, expected, generation, look, standing

LOOSE = "guards: {shrink: off, grow: off, turnover: off}"
EXCLUDED = "198.51.100.0/24"


def installed(folder: Path, *more: str) -> Installation:
    """A combination of two files without a third; the files belong to it alone."""
    place = Installation(folder)
    for name, body in (("a", "192.0.2.1"), ("b", f"192.0.2.2\n{EXCLUDED}"), ("c", EXCLUDED)):
        (folder / name).write_text(f"{body}\n")
    parts = [f'id: {name}, path: "{folder / name}", action: none, {LOOSE}' for name in "abc"]
    place.configure(f"id: both, merge: [a, b], exclude: [c], {LOOSE}", *parts, *more, every="365d")
    return place


def content_hash_of(entries: Sequence[str]) -> str:
    return hash_of(parse("".join(f"{entry}\n" for entry in entries).encode()).addresses.encode())


@in_network_namespace
def test_a_combination_follows_its_files_and_they_ban_nothing_by_themselves(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "both") as daemon:
        assert standing() == expected({"both": ["192.0.2.1", "192.0.2.2"]})
        assert contents().keys() == {"both", "a", "b", "c"}
        seen = len(daemon.events)
        (tmp_path / "a").write_text("192.0.2.7\n")
        daemon.wait_for("blocklist_import_completed", "both", since=seen)
        assert standing() == expected({"both": ["192.0.2.2", "192.0.2.7"]})
        rows = {row["id"]: row for row in place.ask("sources")}
        assert (rows["a"]["action"], rows["a"]["owned"], rows["a"]["entries"]) == ("none", 0, 1)
        assert rows["both"]["combination"] == "addresses in a or b, not in c"
        assert place.ask("status")["kept"] == 3
        answer = place.ask("check", "192.0.2.7")
        assert (answer["owner"], answer["sources"][0]["parts"]) == ("both", ["a"])
        words = place.ctl("check", "192.0.2.7").stdout
        assert "is banned by both (drop), which lists 192.0.2.7" in words
        assert "(it is in a)" in words
        assert "although listed by b, c: with action none a list bans nothing" in place.ctl("check", "198.51.100.9").stdout


@in_network_namespace
def test_a_change_of_a_part_is_followed_exactly_once_whenever_the_daemon_is_killed(tmp_path: Path) -> None:
    place = installed(tmp_path)
    moments = [
        ("blocklist_import_started", "a"),
        ("blocklist_import_completed", "a"),
        ("blocklist_import_started", "both"),
        ("blocklist_import_completed", "both"),
    ]
    for number, (event, source_id) in enumerate(moments, start=10):
        with running(place) as daemon:
            if number == 10:
                daemon.wait_for("blocklist_import_completed", "both")
            seen = len(daemon.events)
            (tmp_path / "a").write_text(f"192.0.2.{number}\n")
            daemon.wait_for(event, source_id, since=seen)
            daemon.kill()
        wanted = ["192.0.2.2", f"192.0.2.{number}"]
        with running(place) as daemon:
            if contents()["both"] != content_hash_of(wanted):
                daemon.wait_for("blocklist_import_completed", "both")
            assert standing() == expected({"both": wanted})
            assert contents()["both"] == content_hash_of(wanted)
            before = generation()
            assert [row["outcome"] for row in place.ask("refresh")] == ["skipped"] * 4
            assert generation() == before
            daemon.terminate()
    runs = [run for run in place.runs() if run["source_id"] == "both"]
    assert [run["state"] for run in runs] == ["completed"] * (1 + len(moments))
    assert len({run["content_hash"] for run in runs}) == len(runs)


@in_network_namespace
def test_lists_of_action_none_leave_no_chain_and_come_into_force_with_another_action(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "both") as daemon:
        chains = {item["chain"]["name"] for item in look().listing if "chain" in item}
        assert not {"from-a", "from-b", "from-c"} & chains
        place.file.write_text(place.file.read_text().replace("action: none, ", "", 1))
        daemon.reload()
        daemon.wait_for("config_reloaded")
        assert "from-a" in {item["chain"]["name"] for item in look().listing if "chain" in item}
    place.file.write_text(place.file.read_text().replace("id: c, path", "id: d, path"))
    refused = place.run("--check")
    assert refused.returncode == 78
    assert 'exclude[0]: no source is called "c"' in refused.stderr


@in_network_namespace
def test_a_part_that_is_taken_out_of_the_configuration_is_not_taken_out_of_a_combination(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "both") as daemon:
        lines = place.file.read_text().splitlines()
        place.file.write_text("\n".join(line for line in lines if "id: b" not in line or "both" in line))
        daemon.reload()
        refused = daemon.wait_for("config_rejected")
        assert "configuration has NOT been changed" in refused["message"]
        assert 'merge[1]: no source is called "b"' in refused["message"]
        assert standing() == expected({"both": ["192.0.2.1", "192.0.2.2"]})
