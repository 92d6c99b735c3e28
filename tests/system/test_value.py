"""What a list is worth, on the real daemon and the real kernel, with real packets."""

from pathlib import Path

from adapters.firewalls.street import BAD4, GUARD4, Street, laid_out
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from system.daemon_process import Installation, running


def installed(folder: Path, *tried: str) -> Installation:
    place = Installation(folder)
    (folder / "blocking").write_text(f"{BAD4}\n203.0.113.9\n")
    (folder / "tried").write_text(f"{BAD4}\n192.0.2.1\n192.0.2.2\n192.0.2.77\n")
    keys = ", ".join(("id: tried", f'path: "{folder / "tried"}"', "action: count", *tried))
    place.configure(f'id: blocking, path: "{folder / "blocking"}"', keys, allow=["192.0.2.77"], every="365d")
    return place


def tried_and_promoted(street: Street, place: Installation) -> None:
    with running(place, "blocking", "tried", through=["nsenter", f"--net={street.guard.path}"]) as daemon:
        for _ in range(3):
            assert not street.arrives(BAD4, GUARD4)
        rows = {row["id"]: row for row in place.ask("report")["lists"]}
        assert {name: (row["entries"], row["unique"], row["packets"], row["candidates"]) for name, row in rows.items()} == {
            "blocking": (2, 1, 3, 0),
            "tried": (4, 3, 3, 1),
        }
        assert rows["tried"]["met"][0]["address"] == "192.0.2.77"
        asked = place.ask("promote", "tried", "--config", str(place.config))
        found = asked["promotion"]
        assert (found["packets"], found["new_bans"], found["bans"], found["candidates"]) == (3, 3, 2, 1)
        assert not asked["written"]
        assert [line[0] for line in asked["change"]] == ["-", "+"]
        assert "shadow: 14d" in place.file.read_text()
        assert not place.ctl("ban", "192.0.2.200").returncode
        written = place.ctl("promote", "tried", "--write", "--config", str(place.config))
        assert (written.returncode, written.stderr) == (0, "")
        assert "it would add 3 bans to" in written.stdout
        assert "action: drop" in place.file.read_text()
        assert "shadow: 14d" not in place.file.read_text()
        assert place.ctl("check", "192.0.2.1").returncode == 0
        assert place.ctl("promote", "tried", "--config", str(place.config)).returncode == 64
        assert daemon.terminate() == 0


def test_a_list_in_shadow_is_tried_reported_and_promoted(tmp_path: Path) -> None:
    with laid_out("nftables", NftablesFirewall) as street:
        tried_and_promoted(street, installed(tmp_path, "shadow: 14d"))
