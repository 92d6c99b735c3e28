"""What the running daemon says of packets that met its lists: logged, sampled and counted, in a real kernel."""

import socket
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.firewalls.nftables.test_translated import nat64, sixtofour
from adapters.firewalls.street import BAD4, BAD6, GOOD4, GUARD4, GUARD6, INNER4, INNER6, Street, laid_out
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from support.network_namespace import in_network_namespace, nft
from system.daemon_process import Installation, running


def installed(folder: Path) -> Installation:
    place = Installation(folder)
    for name, entry in (("bad", "198.51.100.0/24"), ("watched", "203.0.113.9")):
        (folder / name).write_text(f"{entry}\n")
    place.configure(
        f'id: bad, path: "{folder / "bad"}", direction: out, log: yes, log_group: 77, hits: yes',
        f'id: watched, path: "{folder / "watched"}", direction: out, action: count, hits: yes',
        every="365d",
    )
    return place


def send(to: str, port: int, count: int) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
        for _ in range(count):
            try:
                sender.sendto(b"x", (to, port))
            except PermissionError:
                continue  # dropped on its way out


def route() -> None:
    """A way to every address; no host is there."""
    for words in (
        "link add d0 type veth peer name d1",
        "link set d1 up",
        "address add 10.0.0.1/24 dev d0",
        "link set d0 up",
        "route add default dev d0",
    ):
        subprocess.run(["ip", *words.split()], check=True)


def packets_of(place: Installation) -> dict[str, Any]:
    return {row["id"]: row["packets"] for row in place.ask("sources")}


@in_network_namespace
def test_what_met_a_list_is_sampled_with_entry_and_run_and_counted_over_kill_flush_and_stop(tmp_path: Path) -> None:
    route()
    place = installed(tmp_path)
    with running(place, "bad", "watched"):
        send("198.51.100.7", 53, 3)
        send("203.0.113.9", 123, 2)
        send("192.0.2.1", 53, 5)
        rows: list[Any] = []
        while sum(row["samples"] for row in rows) < 5:
            rows = place.ask("hits")
        runs = {run["source_id"]: run["id"] for run in place.runs()}
        found = {(row["source"], row["address"], row["port"], row["entry"], row["run"], row["samples"]) for row in rows}
        assert found == {
            ("bad", "198.51.100.7", 53, "198.51.100.0/24", runs["bad"], 3),
            ("watched", "203.0.113.9", 123, "203.0.113.9", runs["watched"], 2),
        }
        assert {(row["direction"], row["peer"], row["protocol"]) for row in rows} == {("out", "10.0.0.1", "udp")}
        assert packets_of(place) == {"bad": 3, "watched": 2}
    # Killed: nothing of this was written, and the kernel counted on.
    send("198.51.100.7", 53, 1)
    with running(place) as daemon:
        assert packets_of(place) == {"bad": 4, "watched": 2}
        nft("flush ruleset")
        daemon.wait_for("firewall_drift_repaired")
        send("198.51.100.7", 53, 2)
        assert packets_of(place) == {"bad": 6, "watched": 2}
        assert daemon.terminate() == 0
    nft("flush ruleset")
    with running(place):
        assert packets_of(place) == {"bad": 6, "watched": 2}
        assert [row["key"] for row in place.ask("top", "--by", "hits")["rows"]] == ["bad", "watched", "manual"]


@in_network_namespace
def test_rules_log_and_sample_what_the_keys_say_and_only_that(tmp_path: Path) -> None:
    route()
    place = installed(tmp_path)
    with running(place, "bad", "watched") as daemon:
        rules = nft("-s", "list", "chain", "inet", "banlistd", "from-bad").splitlines()
        assert [line.strip() for line in rules[2:5]] == [
            'limit rate 10/second burst 50 packets log prefix "banlistd bad " group 47633 snaplen 64',
            'limit rate 5/second burst 20 packets log prefix "banlistd bad " group 77',
            'counter name "from-bad" drop',
        ]
        place.file.write_text(place.file.read_text().replace(", log: yes, log_group: 77, hits: yes", ""))
        assert place.ctl("reload").returncode == 0
        assert "log" not in nft("list", "chain", "inet", "banlistd", "from-bad")
        assert daemon.terminate() == 0
    place.file.write_text(place.file.read_text().replace("direction: out}", "direction: out, hits: yes}"))
    with running(place):
        assert "group 47633" in nft("list", "chain", "inet", "banlistd", "from-bad")


def _in_the_guard(stack: ExitStack, street: Street, folder: Path, *entries: str) -> Installation:
    """A daemon in the middle of the street, with one list of these entries."""
    place = Installation(folder)
    (folder / "bad").write_text("".join(f"{entry}\n" for entry in entries))
    place.configure(f'id: bad, path: "{folder / "bad"}", hits: yes', every="365d")
    street.guard.run(partial(stack.enter_context, running(place, "bad")))
    return place


def _hits_of(place: Installation, samples: int) -> set[tuple[str, str, str, str]]:
    """Direction, listed address, peer and entry of each hit, once so many samples are there."""
    rows: list[Any] = []
    while sum(row["samples"] for row in rows) < samples:
        rows = place.ask("hits")
    return {(row["direction"], row["address"], row["peer"], row["entry"]) for row in rows}


def test_forwarded_packets_are_hits_as_those_of_the_host_are(tmp_path: Path) -> None:
    with ExitStack() as stack:
        street = stack.enter_context(laid_out("nftables", NftablesFirewall))
        place = _in_the_guard(stack, street, tmp_path, BAD4, "2001:db8:bad::/48")
        for source, target in ((BAD4, ""), (BAD4, INNER4), (BAD6, INNER6)):
            assert not street.arrives(source, target)
        assert _hits_of(place, 3) == {
            ("in", BAD4, GUARD4, BAD4),
            ("in", BAD4, INNER4, BAD4),
            ("in", BAD6, INNER6, "2001:db8:bad::/48"),
        }
        assert street.arrives(GOOD4, INNER4)
        assert packets_of(place) == {"bad": 3}


@pytest.mark.parametrize("written", [nat64, sixtofour])
def test_packets_with_a_listed_ipv4_address_within_are_hits_of_its_entry(tmp_path: Path, written: Callable[[str], str]) -> None:
    with ExitStack() as stack:
        street = stack.enter_context(laid_out("nftables", NftablesFirewall))
        street.peer.command("ip", "address", "add", written(BAD4), "dev", "lo", "nodad")
        for network in ("64::/16", "2000::/12"):
            street.guard.command("ip", "route", "add", network, "via", "fd00:9::2")
        place = _in_the_guard(stack, street, tmp_path, "198.51.100.0/25")
        for target in ("", INNER6):
            assert not street.arrives(written(BAD4), target)
        found = _hits_of(place, 2)
        assert found == {("in", written(BAD4), target, "198.51.100.0/25") for target in (GUARD6, INNER6)}
        assert packets_of(place) == {"bad": 2}
