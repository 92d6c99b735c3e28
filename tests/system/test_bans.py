"""Bans by hand on the real daemon and the real kernel: at once, to the moment, across restarts, flushes and kills."""

import json
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

from support.network_namespace import in_network_namespace, nft
from support.tracking import HOST, OTHER, OURS, connections_of, move_away, talk, track
from system.daemon_process import Installation, running
from system.kernel_view import KernelRanges, expected, generation, look, standing

LISTED = ["192.0.2.0/24", "2001:db8::/32"]


def installed(folder: Path, allow: list[str] | None = None) -> Installation:
    place = Installation(folder)
    (folder / "list").write_text("".join(f"{entry}\n" for entry in LISTED))
    place.configure(f'id: listed, path: "{folder / "list"}"', allow=allow or [], every="365d")
    return place


def by_hand(*entries: str) -> object:
    return expected({"manual": entries, "listed": LISTED})


@in_network_namespace
def test_a_ban_is_in_the_kernel_when_banlistctl_says_so_and_costs_one_transaction(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "listed") as daemon:
        before = generation()
        answer = place.ask("ban", "203.0.113.7", "--origin", "test", "--comment", "why not", "--for", "1d")
        assert standing() == by_hand("203.0.113.7")
        assert generation() == before + 1
        assert answer["expires_at"] - answer["created_at"] == 86400
        place.ask("ban", "192.0.2.7")
        place.ask("ban", "2001:db8:1::/48")
        assert standing() == by_hand("203.0.113.7", "192.0.2.7", "2001:db8:1::/48")
        assert [row["address"] for row in place.ask("bans")] == ["2001:db8:1::/48", "192.0.2.7", "203.0.113.7"]
        checked = place.ask("check", "203.0.113.7")
        assert (checked["owner"], checked["sources"][0]["bans"][0]["comment"]) == ("manual", "why not")
        for entry in ("203.0.113.7", "192.0.2.7", "2001:db8:1::/48"):
            place.ask("unban", entry)
        assert standing() == expected({"listed": LISTED})
        assert place.ctl("unban", "203.0.113.7").returncode == 1
        assert place.ctl("ban", "127.0.0.1").returncode == 65
        assert "loopback" in place.ctl("ban", "127.0.0.1").stderr
        assert daemon.terminate() == 0


@in_network_namespace
def test_a_ban_ends_the_connections_of_its_host(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure('id: none, path: "/dev/null", enabled: false')
    track()
    talk(HOST, OURS)
    talk(OTHER, OURS)
    move_away(HOST, OTHER)
    with running(place) as daemon:
        place.ask("ban", HOST)
        assert (connections_of(HOST), connections_of(OTHER)) == (0, 1)
        assert place.ask("status")["remarks"] == []
        assert daemon.terminate() == 0


@in_network_namespace
def test_bans_by_hand_outlive_a_kill_a_flush_and_a_restart_and_nothing_is_written_twice(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "listed") as daemon:
        place.ask("ban", "203.0.113.7", "--for", "1d")
        place.ask("ban", "198.51.100.0/24")
        rows, before = place.ask("bans"), generation()
        daemon.kill()
    with running(place) as daemon:
        assert standing() == by_hand("203.0.113.7", "198.51.100.0/24")
        assert generation() == before
        assert place.ask("bans") == rows
        nft("flush", "ruleset")
        daemon.wait_for("firewall_drift_repaired")
        assert standing() == by_hand("203.0.113.7", "198.51.100.0/24")
        assert daemon.terminate() == 0
    nft("flush", "ruleset")
    assert place.once() == 0
    assert standing() == by_hand("203.0.113.7", "198.51.100.0/24")
    assert set(look().contents) == {"manual", "listed"}


@in_network_namespace
def test_bans_of_some_packets_outlive_a_kill_a_flush_a_restart_and_a_boot(tmp_path: Path) -> None:
    place = installed(tmp_path)
    scoped = {"22": {4: expected({"manual": ["203.0.113.7"]})[4], 6: []}, "80 new": expected({"manual": ["203.0.113.0/24"]})}
    with running(place, "listed") as daemon:
        place.ask("ban", "203.0.113.7", "--ports", "22", "--protocols", "tcp")
        place.ask("ban", "203.0.113.0/24", "--ports", "80", "--connections", "new")
        place.ask("ban", "198.51.100.9")
        before, rows = generation(), place.ask("bans")
        assert [row["packets"] for row in rows] == ["", "tcp/udp to port 80 except answers", "tcp to port 22"]
        done = place.ctl("--json", "check", "203.0.113.7")
        checked = json.loads(done.stdout)
        assert (done.returncode, checked["banned"], {row["id"] for row in checked["partly"]}) == (1, False, {"manual"})
        daemon.kill()
    with running(place) as daemon:
        assert (_by_hand(look().scoped), generation(), place.ask("bans")) == (scoped, before, rows)
        nft("flush", "ruleset")
        daemon.wait_for("firewall_drift_repaired")
        assert (_by_hand(look().scoped), standing()) == (scoped, by_hand("198.51.100.9"))
        assert daemon.terminate() == 0
    nft("flush", "ruleset")
    assert place.run("--restore").returncode == 0
    assert (_by_hand(look().scoped), standing()) == (scoped, by_hand("198.51.100.9"))
    with running(place) as daemon:
        place.ask("unban", "203.0.113.7")
        place.ask("unban", "203.0.113.0/24")
        assert "scope" not in nft("list", "ruleset")
        assert daemon.terminate() == 0


def _by_hand(scoped: Mapping[str, Mapping[int, KernelRanges]]) -> Mapping[str, Mapping[int, KernelRanges]]:
    """Without the name of the scope in that of the source."""
    return {
        words: {
            version: [(first, last, owner.partition("-")[0]) for first, last, owner in ranges]
            for version, ranges in one.items()
        }
        for words, one in scoped.items()
    }


@in_network_namespace
def test_a_ban_ends_at_its_time_also_where_nothing_ran_meanwhile(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "listed") as daemon:
        place.ask("ban", "203.0.113.7", "--for", "1s")
        place.ask("ban", "203.0.113.8")
        ended = daemon.wait_for("manual_ban_expired")
        assert (ended["address"], ended["origin"]) == ("203.0.113.7", "operator")
        assert standing() == by_hand("203.0.113.8")
        place.ask("ban", "203.0.113.9", "--for", "1h")
        assert daemon.terminate() == 0
    place.change("UPDATE manual_bans SET expires_at = created_at WHERE expires_at IS NOT NULL")
    before = generation()
    with running(place) as daemon:
        assert standing() == by_hand("203.0.113.8")
        assert generation() == before + 1
        daemon.wait_for("manual_ban_expired")
    assert [row["expires_at"] for row in place.rows("SELECT * FROM manual_bans")] == [None]


@in_network_namespace
def test_a_ban_that_is_not_confirmed_ends_in_spite_of_kills_and_boots_and_a_confirmed_one_stays(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "listed") as daemon:
        for number in (7, 8, 9):
            place.ask("ban", f"203.0.113.{number}", "--confirm", "1h")
        place.ask("unban", "203.0.113.9")
        place.ask("confirm", "203.0.113.8")
        assert place.ctl("confirm", "203.0.113.9").returncode == 64
        assert place.ctl("ban", "203.0.113.8", "--confirm", "1h").returncode == 65
        before = generation()
        daemon.kill()
    with running(place) as daemon:
        assert standing() == by_hand("203.0.113.7", "203.0.113.8")
        assert generation() == before
        daemon.kill()
    place.change("UPDATE manual_bans SET confirm_by = created_at WHERE confirm_by IS NOT NULL")
    nft("flush", "ruleset")
    assert place.run("--restore").returncode == 0
    assert standing() == by_hand("203.0.113.8")
    with running(place) as daemon:
        assert daemon.wait_for("manual_ban_expired")["address"] == "203.0.113.7"
        assert daemon.terminate() == 0
    assert [row["confirm_by"] for row in place.rows("SELECT * FROM manual_bans")] == [None]


@in_network_namespace
def test_check_takes_several_networks_names_and_files(tmp_path: Path) -> None:
    place = installed(tmp_path)
    (tmp_path / "asked").write_text("192.0.2.7  # listed\n203.0.113.0/24\n")
    with running(place, "listed") as daemon:
        place.ask("ban", "203.0.113.0/25")
        several = place.ctl("check", f"@{tmp_path / 'asked'}", "localhost")
        assert (several.returncode, several.stderr) == (1, "")
        assert "203.0.113.0/24  in part" in several.stdout
        assert place.ctl("check", "192.0.2.7", "203.0.113.0/25").returncode == 0
        part = json.loads(place.ctl("--json", "check", "203.0.113.0/24").stdout)
        assert (part["banned_addresses"], part["addresses"]) == (128, 256)
        assert daemon.terminate() == 0


@in_network_namespace
def test_a_restore_at_boot_brings_them_back_but_not_what_has_run_out(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "listed") as daemon:
        for number, lasting in ((7, "1d"), (8, "1h"), (9, "2h")):
            place.ask("ban", f"203.0.113.{number}", "--for", lasting)
        place.ask("unban", "203.0.113.9")
        assert daemon.terminate() == 0
    place.change("UPDATE manual_bans SET expires_at = created_at WHERE first = x'cb007108'")
    nft("flush", "ruleset")
    for _ in range(2):
        assert place.run("--restore").returncode == 0
        assert standing() == by_hand("203.0.113.7")
    before = generation()
    with running(place) as daemon:
        daemon.wait_for("manual_ban_expired")
        assert standing() == by_hand("203.0.113.7")
    assert generation() == before


@in_network_namespace
def test_the_loss_of_the_database_costs_no_ban_by_hand(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "listed") as daemon:
        place.ask("ban", "203.0.113.7")
        place.ask("ban", "203.0.113.8")
        assert daemon.terminate() == 0
    place.lose_database()
    with running(place, "listed") as daemon:
        assert {row["address"] for row in place.ask("bans")} == {"203.0.113.7", "203.0.113.8"}
        place.ask("unban", "203.0.113.7")
        assert standing() == by_hand("203.0.113.8")
        place.lose_database()
        # A transaction finds that its file has gone.
        place.ask("ban", "203.0.113.9")
        daemon.wait_for("ledger_fault")
        place.ask("status")
        assert standing() == by_hand("203.0.113.8", "203.0.113.9")
        assert daemon.terminate() == 0
    assert len(place.rows("SELECT * FROM manual_bans")) == 2


@in_network_namespace
def test_many_concurrent_callers_get_true_answers(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "listed") as daemon:
        codes: dict[int, int] = {}

        def call(number: int) -> None:
            codes[number] = place.ctl("ban", f"203.0.113.{number}", "--origin", f"jail{number % 3}").returncode

        callers = [Thread(target=call, args=(number,)) for number in range(24)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert set(codes.values()) == {0}
        assert standing() == by_hand(*(f"203.0.113.{number}" for number in range(24)))
        assert len(json.loads(place.ctl("--json", "bans").stdout)) == 24
        assert daemon.terminate() == 0


@in_network_namespace
def test_what_is_allowed_later_is_freed_and_what_is_no_longer_is_banned_again(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "listed") as daemon:
        place.ask("ban", "203.0.113.0/24")
        for allow in (["203.0.113.7"], []):
            place.configure(f'id: listed, path: "{tmp_path / "list"}"', allow=allow, every="365d")
            since = len(daemon.events)
            daemon.reload()
            daemon.wait_for("config_reloaded", since=since)
            assert standing() == expected({"manual": ["203.0.113.0/24"], "listed": LISTED}, allow)
        assert daemon.terminate() == 0


@in_network_namespace
def test_what_is_allowed_by_command_outlives_a_kill_and_a_boot_and_ends_by_itself(tmp_path: Path) -> None:
    cut = ["192.0.2.0", "192.0.2.2-192.0.2.255", "2001:db8::/32"]
    place = installed(tmp_path)
    with running(place, "listed") as daemon:
        place.ask("ban", "203.0.113.7")
        place.ask("allow", "192.0.2.1", "--comment", "audit")
        place.ask("allow", "203.0.113.0/24")
        assert standing() == expected({"listed": cut})
        assert "allowed by command" in place.ctl("ban", "203.0.113.9").stderr
        assert "audit" in place.ctl("check", "192.0.2.1").stdout
        daemon.kill()
    nft("flush", "ruleset")
    assert place.run("--restore").returncode == 0
    assert standing() == expected({"listed": cut})
    with running(place) as daemon:
        assert standing() == expected({"listed": cut})
        assert [row["address"] for row in place.ask("allowed")] == ["192.0.2.1", "203.0.113.0/24"]
        assert place.ctl("disallow", "203.0.113.0/24").returncode == 0
        assert place.ctl("disallow", "203.0.113.0/24").returncode == 1
        place.ask("allow", "192.0.2.1", "--for", "1s")
        daemon.wait_for("manual_allow_expired")
        place.ask("allow", "198.51.100.1")  # its transaction comes after the one that follows the end
        assert standing() == by_hand("203.0.113.7")
        assert daemon.terminate() == 0
