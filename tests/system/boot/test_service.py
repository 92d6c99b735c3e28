"""The installed service on a booted machine: real units, a real journal, real packets. One machine serves them all."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.feed_server import FeedServer
from support.signing import Minisign, OpenPgp
from system.boot.machine import Machine
from system.boot.machine_image import packages
from system.boot.table_owner import renew_table
from system.boot.visitor import Visitor

pytestmark = pytest.mark.boot

CLEAN, BANNED, OWN, ALLOWED = "203.0.113.250", "198.51.100.7", "192.0.2.77", "198.51.100.9"
UNIT = "_SYSTEMD_UNIT=banlistd.service"


class Site:
    """A machine with the service installed, a feed in its own network, and a visitor at its door."""

    def __init__(self, machine: Machine, visitor: Visitor, owner: str) -> None:
        self.machine = machine
        self.owner = owner
        self.visitor = visitor
        self.feeds: FeedServer | None = None

    def open_feeds(self) -> FeedServer:
        self.feeds = self.machine.network.run(FeedServer().__enter__)
        return self.feeds

    def close_feeds(self) -> None:
        if self.feeds is not None:
            self.feeds.__exit__(None, None, None)
        self.feeds = None

    def configure(self, *sources: str) -> None:
        lines = [
            f"owner: {self.owner}",
            "defaults: {every: 1h}",
            "allow:",
            f"  - {ALLOWED}",
            "sources:" if sources else "sources: []",
        ]
        lines += [f"  - {{{source}}}" for source in sources]
        self.machine.write("/etc/banlistd/banlistd.yaml", "\n".join([*lines, ""]))

    def ask(self, *words: str) -> Any:
        return json.loads(self.machine.say("banlistctl", "--json", *words))

    def main_pid(self) -> str:
        return self.machine.say("systemctl", "show", "--property=MainPID", "--value", "banlistd").strip()

    def who_passes(self) -> set[str]:
        return {address for address in (CLEAN, BANNED, OWN, ALLOWED) if self.visitor.arrives(address)}

    def boots_again(self, *, gently: bool) -> None:
        """With every feed dead, because they died with the machine."""
        if gently:
            self.machine.reboot()
        else:
            self.machine.cut_power()
            self.machine.boot()
        self.close_feeds()
        self.visitor.plug_in()


@pytest.fixture(scope="module")
def home(fresh_system: Path, owner: str) -> Iterator[Site]:
    _, package = packages()
    with Machine(fresh_system) as machine:
        machine.boot()
        machine.install(package)
        for user in ("friend", "stranger"):
            machine.run("useradd", user)
        machine.run("usermod", "--append", "--groups", "banlistd", "friend")
        machine.run("systemctl", "enable", "nftables.service")
        with Visitor(machine, CLEAN, BANNED, OWN, ALLOWED) as visitor:
            site = Site(machine, visitor, owner)
            site.configure()
            renew_table(machine)
            try:
                yield site
            finally:
                site.close_feeds()


@pytest.fixture
def site(home: Site) -> Site:
    """Two lists, one of them from a living feed, in force."""
    feeds = home.feeds
    if feeds is None:
        feeds = home.open_feeds()
        feeds.serve("/feed", b"198.51.100.0/24\n2001:db8:bad::/48\n", etag='"1"')
    home.machine.write("/etc/banlistd/lists/own.txt", f"{OWN}\n")
    home.configure(f'id: feed, url: "{feeds.url("/feed")}"', "id: own, path: lists/own.txt")
    home.machine.run("systemctl", "reload", "banlistd")
    home.machine.run("banlistctl", "refresh")
    return home


def moments(machine: Machine, *units: str) -> list[int]:
    """When each unit began and when it was there, in microseconds."""
    names = ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    words = [machine.say("systemctl", "show", f"--property={name}", "--value", unit) for unit in units for name in names]
    return [int(word) for word in words]


def test_units_are_valid_and_have_few_rights(site: Site) -> None:
    units = ("banlistd.service", "banlistd-restore.service")
    verified = site.machine.run("systemd-analyze", "verify", "--man=no", *units)
    assert verified.stderr == ""
    for unit, most in zip(units, (1.5, 1.1), strict=True):
        words = site.machine.run("systemd-analyze", "security", "--no-pager", f"--threshold={most * 10:.0f}", unit)
        assert words.returncode == 0
    capabilities = site.machine.say("grep", "Cap", f"/proc/{site.main_pid()}/status").split()
    assert dict(zip(capabilities[::2], capabilities[1::2], strict=True)) == {
        "CapInh:": "0000000000001000",
        "CapPrm:": "0000000000001000",
        "CapEff:": "0000000000001000",
        "CapBnd:": "0000000000001000",
        "CapAmb:": "0000000000001000",
    }


def test_the_table_belongs_to_the_daemon_only_if_the_configuration_says_so(site: Site) -> None:
    table = site.machine.say("nft", "list", "table", "inet", "banlistd")
    assert ("flags owner" in table) == (site.owner == "yes")


def test_feeds_are_imported_and_real_packets_are_dropped(site: Site) -> None:
    assert site.feeds is not None
    assert site.who_passes() == {CLEAN, ALLOWED}
    since = site.machine.now()
    site.feeds.serve("/feed", b"198.51.100.0/25\n203.0.113.0/24\n", etag='"2"')
    site.machine.run("banlistctl", "refresh", "feed")
    entry = site.machine.wait_for("EVENT=blocklist_import_completed", "SOURCE_ID=feed", UNIT, since=since)
    assert (entry["ADDED"], entry["REMOVED"]) == ("2", "2")
    assert site.machine.journal("--unit=banlistd", "SOURCE_ID=feed", "EVENT=blocklist_import_completed")
    site.feeds.serve("/feed", b"198.51.100.0/24\n2001:db8:bad::/48\n", etag='"3"')
    site.machine.run("banlistctl", "refresh", "feed")
    assert site.who_passes() == {CLEAN, ALLOWED}


def test_an_entry_in_the_journal_is_explained(site: Site) -> None:
    since = site.machine.now()
    site.machine.run("banlistctl", "refresh", "own")
    site.machine.wait_for("EVENT=order_given", since=since)
    words = site.machine.say("journalctl", "--catalog", "--unit=banlistd", f"--after-cursor={since}", "--no-pager")
    assert "The user with the id 0 sent this command to the control socket." in words


def test_credential_reaches_only_its_feed(site: Site) -> None:
    assert site.feeds is not None
    machine = site.machine
    machine.write("/etc/banlistd/credentials/token", "s3cret-of-the-feed\n", mode=0o600)
    url = site.feeds.url("/feed")
    site.configure(f'id: feed, url: "{url}?k=${{credential:token}}", headers: {{X-Token: "${{credential:token}}"}}')
    since = machine.now()
    machine.run("systemctl", "restart", "banlistd")
    machine.wait_for("EVENT=service_started", since=since)
    machine.run("banlistctl", "refresh", "feed")
    assert site.feeds.requests[-1].headers["x-token"] == "s3cret-of-the-feed"
    said = machine.say("journalctl", "--output=json", "--all", f"--after-cursor={since}")
    assert "s3cret" not in said + machine.say("banlistctl", "--json", "sources")


def test_signatures_are_checked_under_the_unit(site: Site, tmp_path: Path) -> None:
    assert site.feeds is not None
    if site.machine.run("test", "-x", "/usr/bin/gpgv", check=False).returncode:
        pytest.skip("this release has no gpgv unless it is installed")
    machine, feeds, content = site.machine, site.feeds, b"198.51.100.0/24\n"
    (tmp_path / "minisign").mkdir()
    minisign = Minisign.made_in(tmp_path / "minisign")
    with tempfile.TemporaryDirectory(prefix="pgp") as folder:  # a short name, for the socket of gpg's agent
        publisher = OpenPgp.made_in(Path(folder))
        try:
            signature, keys = publisher.signed(content), (publisher.folder / "keyring.asc").read_text()
        finally:
            publisher.close()
    feeds.serve("/list", content)
    feeds.serve("/list.asc", signature)
    feeds.serve("/list.minisig", minisign.signed(content))
    machine.write("/etc/banlistd/keys.asc", keys)
    key = (tmp_path / "minisign" / "key.pub").read_text().splitlines()[1]
    site.configure(
        f'id: pgp, url: "{feeds.url("/list")}", verify: {{keyring: keys.asc}}',
        f'id: minisign, url: "{feeds.url("/list")}", verify: {{key: {key}}}',
    )
    machine.run("systemctl", "reload", "banlistd")
    machine.run("banlistctl", "refresh")
    states = {row["id"]: (row["state"], row["entries"], row["error"]) for row in site.ask("sources")}
    assert states == dict.fromkeys(("pgp", "minisign"), ("completed", 1, ""))
    feeds.serve("/list", b"203.0.113.0/24\n")
    since = machine.now()
    machine.run("banlistctl", "refresh", check=False)
    for source_id in ("pgp", "minisign"):
        entry = machine.wait_for("EVENT=blocklist_import_failed", f"SOURCE_ID={source_id}", UNIT, since=since)
        assert "not verified: it is not what its signature is of" in entry["REASON"]


def test_who_gave_an_order_is_in_the_journal_and_strangers_may_not_even_ask(site: Site) -> None:
    machine, since = site.machine, site.machine.now()
    friend = machine.say("id", "--user", "friend").strip()
    assert machine.run("setpriv", "--reuid=friend", "--regid=friend", "--init-groups", "banlistctl", "refresh", "own").stdout
    entry = machine.wait_for("EVENT=order_given", since=since)
    assert (entry["ORDER"], entry["UID"]) == ("refresh own", friend)
    refused = machine.run(
        "setpriv", "--reuid=stranger", "--regid=stranger", "--init-groups", "banlistctl", "status", check=False
    )
    assert (refused.returncode, "may not speak" in refused.stderr) == (77, True)


def test_a_broken_file_fails_the_reload_says_so_and_the_old_configuration_goes_on(site: Site) -> None:
    machine, since = site.machine, site.machine.now()
    good = (machine.root / "etc/banlistd/banlistd.yaml").read_text()
    machine.write("/etc/banlistd/banlistd.yaml", good + "nonsense: yes\n")
    reload = machine.run("systemctl", "reload", "banlistd", check=False)
    machine.write("/etc/banlistd/banlistd.yaml", good)
    assert reload.returncode != 0
    entry = machine.wait_for("EVENT=config_rejected", since=since)
    assert "configuration has NOT been changed: /etc/banlistd/banlistd.yaml:8: nonsense" in entry["MESSAGE"]
    # And those who ask for a reload see it without the journal.
    assert "failed" in reload.stderr
    assert site.who_passes() == {CLEAN, ALLOWED}
    machine.run("systemctl", "reload", "banlistd")


@pytest.mark.parametrize("slip", ["an empty file", "no sources"])
def test_a_reload_that_would_lift_most_bans_fails_says_why_and_the_bans_stay(site: Site, slip: str) -> None:
    machine, file = site.machine, "/etc/banlistd/banlistd.yaml"
    machine.write("/etc/banlistd/lists/large.txt", "".join(f"203.0.113.{host}\n" for host in range(1, 100, 2)))
    good = (machine.root / file.lstrip("/")).read_text()
    machine.write(file, good + "  - {id: large, path: lists/large.txt}\n")
    machine.run("systemctl", "reload", "banlistd")
    machine.run("banlistctl", "refresh", "large")
    bans, since, running = site.ask("status")["bans"], machine.now(), site.main_pid()
    if slip == "an empty file":
        machine.write(file, "")
        reason = f"{file}:1: is empty"
    else:
        site.configure()
        reason = f"the reload would lift {bans} of {bans} bans"
    refused = machine.run("systemctl", "reload", "banlistd", check=False)
    shown = machine.run("systemctl", "status", "--full", "--no-pager", "banlistd")
    assert refused.returncode != 0
    assert "systemctl status banlistd.service" in refused.stderr
    assert "Active: active (running)" in shown.stdout
    assert reason in shown.stdout
    assert reason in machine.wait_for("EVENT=config_rejected", UNIT, since=since)["MESSAGE"]
    assert site.main_pid() == running
    assert site.ask("status")["bans"] == bans
    assert site.who_passes() == {CLEAN, ALLOWED}
    machine.write(file, good)
    machine.run("banlistctl", "reload", "--lift", "50")


def test_killed_it_is_started_again_and_no_packet_gets_through_meanwhile(site: Site) -> None:
    since, killed = site.machine.now(), site.main_pid()
    with site.visitor.flood(BANNED, OWN) as flood:
        site.machine.run("systemctl", "kill", "--signal=KILL", "banlistd")
        site.machine.wait_for("EVENT=service_started", since=since)
    assert flood.arrived == {CLEAN}
    assert site.main_pid() != killed


def test_the_watchdog_starts_a_daemon_that_hangs_again_and_no_packet_gets_through_meanwhile(site: Site) -> None:
    machine = site.machine
    machine.write("/etc/systemd/system/banlistd.service.d/soon.conf", "[Service]\nWatchdogSec=3s\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "banlistd")
    since, hung = machine.now(), site.main_pid()
    with site.visitor.flood(BANNED, OWN) as flood:
        machine.run("kill", "-STOP", hung)
        machine.wait_for("_PID=1", "UNIT=banlistd.service", "CODE_FUNC=service_dispatch_watchdog", since=since)
        machine.wait_for("EVENT=service_started", since=since)
    assert flood.arrived == {CLEAN}
    assert site.main_pid() != hung
    machine.run("rm", "-r", "/etc/systemd/system/banlistd.service.d")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "banlistd")


@pytest.mark.parametrize("words", ["nft flush ruleset", "systemctl restart nftables.service"])
def test_a_flush_of_the_firewall_ends_no_ban_and_its_author_is_named(site: Site, words: str) -> None:
    since = site.machine.now()
    site.machine.run(*words.split())
    if site.owner == "no":
        entry = site.machine.wait_for("EVENT=firewall_drift_repaired", since=since)
        assert "changed by nft[" in entry["MESSAGE"]
    assert site.who_passes() == {CLEAN, ALLOWED}


@pytest.mark.parametrize("gently", [True, False], ids=["reboot", "power cut"])
def test_boot_with_dead_feeds_restores_bans_before_the_network(site: Site, gently: bool) -> None:
    machine = site.machine
    site.boots_again(gently=gently)
    order = moments(machine, "nftables.service", "banlistd-restore.service", "network-pre.target", "banlistd.service")
    assert all(order), machine.say("journalctl", "--boot", "--unit=banlistd-restore", "--no-pager")
    assert order == sorted(order)
    # Who clears /tmp while systemd makes the private /dev of a unit in there, lets it fail, now and then.
    cleared, begun = moments(machine, "systemd-tmpfiles-setup.service", "banlistd-restore.service")[1:3]
    assert cleared <= begun
    (entry,) = machine.journal("_SYSTEMD_UNIT=banlistd-restore.service", "EVENT=firewall_restored")
    (reached,) = machine.journal("UNIT=network-pre.target", "JOB_TYPE=start", "JOB_RESULT=done")
    assert int(entry["__MONOTONIC_TIMESTAMP"]) < int(reached["__MONOTONIC_TIMESTAMP"])
    assert entry["ADDED"] == "4"  # the feed's network without the allowed address, its IPv6 one, and the own address
    assert site.who_passes() == {CLEAN, ALLOWED}
    # The daemon finds everything as it shall be.
    (entry,) = machine.journal(UNIT, "EVENT=firewall_restored")
    assert (entry["ADDED"], entry["REMOVED"]) == ("0", "0")
    assert machine.say("systemctl", "is-active", "banlistd").strip() == "active"
    # Other tests have had lists refused, of sources that are gone.
    present = {row["id"] for row in site.ask("sources")}
    assert {run["state"] for run in site.ask("history") if run["source_id"] in present} == {"completed"}


def test_totals_and_hits_go_on_over_a_reboot(site: Site) -> None:
    assert site.feeds is not None
    site.configure(f'id: feed, url: "{site.feeds.url("/feed")}", hits: yes', "id: own, path: lists/own.txt")
    site.machine.run("systemctl", "reload", "banlistd")
    assert site.who_passes() == {CLEAN, ALLOWED}
    before = {row["id"]: row["packets"] for row in site.ask("sources")}
    (hit,) = [row for row in site.ask("hits") if row["address"] == BANNED]
    assert (hit["source"], hit["entry"]) == ("feed", "198.51.100.0/24")
    site.boots_again(gently=True)
    after = {row["id"]: row["packets"] for row in site.ask("sources")}
    assert all(after[name] >= before[name] > 0 for name in ("feed", "own"))
    assert site.who_passes() == {CLEAN, ALLOWED}
    again = {row["id"]: row["packets"] for row in site.ask("sources")}
    assert all(again[name] > after[name] for name in ("feed", "own"))
    kept = [row for row in site.ask("hits") if row["address"] == BANNED]
    assert kept[-1]["first_at"] == hit["first_at"]


def test_a_proof_with_packets_says_protected_and_leaves_nothing(site: Site) -> None:
    done = site.machine.run("banlistctl", "--json", "prove")
    answer = json.loads(done.stdout)
    found = {row["finding"] for row in answer["paths"]}
    assert answer["verdict"] == "PROTECTED", answer
    assert found <= {"stopped", "counted", "unused"}
    assert site.ask("bans") == []
    assert "blprove" not in site.machine.say("ip", "-o", "link")
    assert site.machine.say("banlistctl", "status", "--verdict").splitlines() == ["PROTECTED"]
