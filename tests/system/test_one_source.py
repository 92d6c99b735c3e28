"""banlistctl sources ID, on the real daemon: everything about one list."""

from pathlib import Path

from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running


@in_network_namespace
def test_everything_about_a_source_is_shown(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    (tmp_path / "one").write_text("198.51.100.0/24\n203.0.113.5\nnonsense\n")
    place.configure(
        f'id: one, path: "{tmp_path / "one"}", action: reject', 'id: two, path: "/dev/null"', allow=["198.51.100.7"]
    )
    with running(place, "one") as daemon:
        assert place.ctl("pause", "one").returncode == 0
        [row] = place.ask("sources", "one")
        details = row["details"]
        settings = {one["key"]: (one["value"], one["origin"]) for one in details["settings"]}
        assert settings["action"] == ("reject", "banlistd.yaml:8")
        assert settings["every"] == ("1h", "defaults, banlistd.yaml:4")
        assert settings["timeout"] == ("1m", "built in")
        assert details["content_hash"] == place.accepted()["one"]
        assert details["octets"] == 37
        assert [run["id"] for run in details["runs"]] == [run["id"] for run in place.runs() if run["source_id"] == "one"]
        assert (details["versions"], details["oldest"]["run"]) == (1, details["runs"][0]["id"])
        assert (details["cuts"], details["cut"]) == (1, [{"addresses": "198.51.100.7", "reason": "allowed"}])
        assert [one["kind"] for one in details["suspensions"]] == ["paused"]
        assert (details["hits"], details["met"]) == (0, [])
        page = place.ctl("sources", "one").stdout
        for words in (
            "  action  reject  (banlistd.yaml:8)\n",
            "built in: ",
            "size in octets: 37",
            "paused since",
            "1 version is kept",
            "line 3: nonsense (",
            "  198.51.100.7 (allowed)\n",
            f"  run {details['runs'][0]['id']}  ",
        ):
            assert words in page, page
        assert [one["details"] for one in place.ask("sources")] == [None, None]
        assert daemon.terminate() == 0
