"""banlistctl prove on the real daemon and the real kernel: packets that take every path, and nothing that stays behind."""

import json
import signal
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from support.fail2ban_server import Fail2ban, serving
from support.ipset_host import Iptables
from support.network_namespace import NetworkNamespace, in_network_namespace, nft
from system.daemon_process import PATIENCE, Installation, running
from system.kernel_view import standing

PATHS = [(path, family) for path in ("input", "forward", "published") for family in ("ipv4", "ipv6")]


def installed(folder: Path, *, forwards: bool = True) -> Installation:
    place = Installation(folder)
    place.configure('id: none, path: "/dev/null", enabled: false')
    for switch in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        (Path("/proc/sys/net") / switch).write_text("1" if forwards else "0", encoding="ascii")
    return place


def proof(place: Installation, code: int) -> Mapping[str, Any]:
    done = place.ctl("--json", "prove")
    assert done.returncode == code, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def findings(answer: Mapping[str, Any]) -> Mapping[tuple[str, str], str]:
    return {(row["path"], row["family"]): row["finding"] for row in answer["paths"]}


def links() -> str:
    return subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout


def assert_nothing_is_left(place: Installation) -> None:
    assert place.ask("bans") == []
    assert "blprove" not in links()
    assert "banlistd-prove" not in nft("list", "tables")
    assert not any(standing().values())


@in_network_namespace
def test_a_ban_is_proven_on_every_path_and_nothing_stays_behind(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place) as daemon:
        answer = proof(place, 0)
        assert (answer["verdict"], answer["bypasses"]) == ("PROTECTED", [])
        assert findings(answer) == dict.fromkeys(PATHS, "stopped")
        assert_nothing_is_left(place)
        page = place.ctl("prove")
        assert (page.returncode, page.stdout.splitlines()[0]) == (0, "PROTECTED")
        assert daemon.terminate() == 0


@in_network_namespace
def test_a_host_that_does_not_forward_proves_its_input(tmp_path: Path) -> None:
    place = installed(tmp_path, forwards=False)
    with running(place) as daemon:
        found = findings(proof(place, 0))
        assert {path for path, finding in found.items() if finding == "stopped"} == set(PATHS[:2])
        assert {path for path, finding in found.items() if finding == "unused"} == set(PATHS[2:])
        assert daemon.terminate() == 0


@in_network_namespace
def test_a_firewall_that_stops_nothing_is_open(tmp_path: Path) -> None:
    place = installed(tmp_path)
    place.file.write_text("backend: memory\n" + place.file.read_text(encoding="utf-8"), encoding="utf-8")
    with running(place) as daemon:
        answer = proof(place, 2)
        assert answer["verdict"] == "OPEN"
        assert findings(answer) == dict.fromkeys(PATHS, "passed")
        assert daemon.terminate() == 0


@in_network_namespace
def test_a_path_that_another_firewall_closes_is_proven_by_the_counter_of_the_ban(tmp_path: Path) -> None:
    place = installed(tmp_path, forwards=False)
    nft("add table inet other; add chain inet other input { type filter hook input priority 0; policy drop; }")
    with running(place) as daemon:
        answer = proof(place, 0)
        assert answer["verdict"] == "PROTECTED"
        assert {findings(answer)[path] for path in PATHS[:2]} == {"counted"}
        assert daemon.terminate() == 0


@in_network_namespace
def test_a_path_that_is_closed_before_the_bans_is_not_proven(tmp_path: Path) -> None:
    place = installed(tmp_path, forwards=False)
    nft("add table inet other; add chain inet other early { type filter hook prerouting priority -400; policy drop; }")
    with running(place) as daemon:
        answer = proof(place, 1)
        assert answer["verdict"] == "DEGRADED"
        assert {findings(answer)[path] for path in PATHS[:2]} == {"closed"}
        assert daemon.terminate() == 0


@in_network_namespace
def test_a_proof_on_a_host_without_a_default_route_protects_no_network_more(tmp_path: Path) -> None:
    place = installed(tmp_path)
    for words in ("link add lan0 type veth peer name lan1", "address add 198.51.100.1/24 dev lan0", "link set lan0 up"):
        subprocess.run(["ip", *words.split()], check=True)
    (tmp_path / "list").write_text("198.51.100.0/24\n", encoding="ascii")
    place.configure(f'id: listed, path: "{tmp_path / "list"}"', every="365d")
    with running(place, "listed") as daemon:
        since = len(daemon.events)
        assert proof(place, 0)["verdict"] == "PROTECTED"
        assert "network of lan0" not in {row["reason"] for row in place.ask("protected")}
        carved = [event for event in daemon.events[since:] if "198.51.100.0/24" in str(event)]
        assert carved == []
        assert daemon.terminate() == 0


@in_network_namespace
def test_with_ipset_a_ban_is_proven_on_every_path(tmp_path: Path) -> None:
    Iptables("").skip_if_missing()
    place = installed(tmp_path)
    place.file.write_text("backend: ipset\n" + place.file.read_text(encoding="utf-8"), encoding="utf-8")
    with running(place) as daemon:
        assert findings(proof(place, 0)) == dict.fromkeys(PATHS, "stopped")
        assert daemon.terminate() == 0


@in_network_namespace
def test_guests_whose_packets_pass_no_rule_degrade_the_proof(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place) as daemon, NetworkNamespace() as guest:
        for words in (
            "link add g0 type veth peer name g1",
            "link set g0 up",
            "link add mv0 link g0 type macvlan mode bridge",
            f"link set mv0 netns {guest.path}",
        ):
            subprocess.run(["ip", *words.split()], check=True)
        guest.command("ip", "link", "set", "mv0", "up")
        answer = proof(place, 1)
        assert answer["verdict"] == "DEGRADED"
        assert [row["message"].split(":")[0] for row in answer["bypasses"]] == ["bans do not cover the macvlan guests on g0"]
        assert daemon.terminate() == 0


@in_network_namespace
def test_an_address_that_a_list_has_is_not_used(tmp_path: Path) -> None:
    place = installed(tmp_path)
    (tmp_path / "list").write_text("203.0.113.0/24\n2001:db8:b1::/48\n", encoding="ascii")
    place.configure(f'id: listed, path: "{tmp_path / "list"}"', every="365d")
    with running(place, "listed") as daemon:
        assert proof(place, 0)["verdict"] == "PROTECTED"
        assert daemon.terminate() == 0


@in_network_namespace
def test_without_a_free_address_nothing_is_proven(tmp_path: Path) -> None:
    place = installed(tmp_path)
    place.configure('id: none, path: "/dev/null", enabled: false', allow=["2001:db8::/32"])
    with running(place) as daemon:
        done = place.ctl("prove")
        assert (done.returncode, done.stdout) == (71, "")
        assert "every test address of ipv6" in done.stderr
        assert daemon.terminate() == 0


@in_network_namespace
def test_in_another_network_namespace_than_the_daemons_nothing_is_proven(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place) as daemon, NetworkNamespace() as other:
        done = other.run(partial(place.ctl, "prove"))
        assert (done.returncode, done.stdout) == (71, "")
        assert "another network namespace" in done.stderr
        assert f"nsenter --target {daemon.process.pid} --net" in done.stderr
        assert place.ask("bans") == []
        assert daemon.terminate() == 0


REMAINS = "add table inet banlistd-prove; add chain inet banlistd-prove publish { type nat hook prerouting priority -100; }"


@in_network_namespace
def test_a_start_removes_what_a_killed_proof_left_and_not_what_one_under_way_needs(tmp_path: Path) -> None:
    place = installed(tmp_path)
    nft("add table inet other")
    nft(REMAINS)
    with running(place) as daemon:
        assert "banlistd-prove" not in nft("list", "tables")
        assert "other" in nft("list", "tables")
        assert daemon.terminate() == 0
    nft(REMAINS)
    subprocess.run(["ip", "link", "add", "blprove0", "type", "veth", "peer", "name", "other0"], check=True)
    with running(place) as daemon:
        assert "banlistd-prove" in nft("list", "tables")
        assert daemon.terminate() == 0


@pytest.mark.parametrize(
    ("protocols", "forwards", "code", "inwards", "through"),
    [
        ("tcp,udp", False, 0, "stopped", "unused"),
        ("tcp,udp", True, 2, "stopped", "passed"),
        ("tcp", False, 2, "passed", "unused"),
    ],
)
@in_network_namespace
def test_with_fail2ban_it_is_proven_what_the_action_of_the_jail_stops(
    tmp_path: Path, protocols: str, forwards: bool, code: int, inwards: str, through: str
) -> None:
    """`nftables-allports` of fail2ban has a rule for what comes in, of these protocols, and none for what is forwarded."""
    fail2ban, place = Fail2ban(tmp_path / "fail2ban"), installed(tmp_path, forwards=forwards)
    fail2ban.install_shipped()
    jail = {"enabled": "true", "filter": "banlistd", "logpath": "/dev/null", "bantime": "-1"}
    fail2ban.configure(banlistd={**jail, "action": f'nftables-allports[name=banlistd, protocol="{protocols}"]'})
    keys = f"backend: fail2ban\nfail2ban: {{socket: {fail2ban.socket}}}\n"
    place.file.write_text(keys + place.file.read_text(encoding="utf-8").replace("owner: no\n", ""), encoding="utf-8")
    with serving(fail2ban), running(place) as daemon:
        found = findings(proof(place, code))
        assert {found[path] for path in PATHS if path[0] == "input"} == {inwards}
        assert {found[path] for path in PATHS if path[0] != "input"} == {through}
        assert fail2ban.banned("banlistd") == set()
        assert daemon.terminate() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@in_network_namespace
def test_a_proof_that_is_ended_leaves_nothing_that_the_next_does_not_remove(tmp_path: Path, number: signal.Signals) -> None:
    place = installed(tmp_path)
    with running(place) as daemon:
        process = subprocess.Popen(place.ctl_command("prove"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        daemon.wait_for("manual_ban_added")
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        if number != signal.SIGKILL:
            assert process.returncode == 130
            assert_nothing_is_left(place)
        else:
            daemon.kill()
    if number == signal.SIGKILL:
        with running(place) as daemon:
            assert all(row["expires_at"] - row["created_at"] == 60 for row in place.ask("bans"))
            assert proof(place, 0)["verdict"] == "PROTECTED"
            assert_nothing_is_left(place)
            assert daemon.terminate() == 0
