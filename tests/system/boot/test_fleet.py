"""A fleet of two booted machines with the package: a hub with nginx and mosquitto, and a node, both under the shipped unit.

What is typed and written is what packaging/docs/fleet.md, packaging/nginx and packaging/mosquitto have an administrator do.
"""

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Authority
from support.fleet_document import answered, configured, walk
from system.boot.cable import FAR, NEAR, lay_cable
from system.boot.machine import PATIENCE, Machine
from system.boot.machine_image import packages
from system.boot.table_owner import renew_table
from system.boot.visitor import Visitor
from system.boot.written_lines import block

pytestmark = pytest.mark.boot

CLEAN, BANNED, LATER, SHARED, POISON = "203.0.113.250", "198.51.100.7", "198.51.100.8", "203.0.113.9", "203.0.113.77"
MOSQUITTO, NGINX = "packaging/mosquitto/README.md", "packaging/nginx/README.md"
CONFIGURATION, LIST, STICK = "/etc/banlistd/banlistd.yaml", "/etc/banlistd/lists/drop.txt", "/media/stick"
FAIL2BAN, JAILS = "packaging/fail2ban/README.md", "fail2ban bans through banlistd"
PUBLIC = "/var/lib/banlistd/fleet/public"
PASSPHRASE = "/root/passphrase"  # noqa: S105 - the path of a file

_FILE_SERVER = """
import http.server, ssl
server = http.server.ThreadingHTTPServer(("", 443), http.server.SimpleHTTPRequestHandler)
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("/root/hub-b/tls.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


@dataclass(frozen=True, slots=True)
class Site:
    """`visitor`: who sends packets to the node."""

    hub: Machine
    node: Machine
    visitor: Visitor
    authority: Authority

    def ask(self, *words: str) -> Any:
        """The node."""
        return json.loads(self.node.say("banlistctl", "--json", *words))

    def publish(self, *addresses: str) -> str:
        """Give the hub another list; where the journal of the node was before."""
        since = self.node.now()
        self.hub.write(LIST, "".join(f"{address}\n" for address in addresses))
        self.hub.run("banlistctl", "refresh", "drop")
        return since

    def is_taken(self, since: str, source: str = "drop") -> None:
        self.node.wait_for("EVENT=blocklist_import_completed", f"SOURCE_ID={source}", since=since)

    def who_passes(self) -> set[str]:
        return {address for address in (CLEAN, BANNED, LATER) if self.visitor.arrives(address)}


def type_in(machine: Machine, commands: str, folder: str = "/root") -> str:
    return machine.run("bash", "-e", "-c", f"export HOME=/root\nmkdir -p {folder}\ncd {folder}\n{commands}").stdout


def key_and_certificate(authority: Authority, name: str, names: str = "IP:127.0.0.1") -> tuple[str, str]:
    key, _, certificate = authority.signed(name, names).read_text().partition("-----BEGIN CERTIFICATE-----")
    return key, f"-----BEGIN CERTIFICATE-----{certificate}"


def carry(giver: Machine, taker: Machine) -> None:
    """The stick."""
    shutil.copytree(giver.root / STICK.lstrip("/"), taker.root / STICK.lstrip("/"), dirs_exist_ok=True)


def found_fleet(hub: Machine, owners: Machine) -> None:
    """What owners and hubs do at the beginning. hub-b, in reserve, only has its key; it makes it where the owners work."""
    owners.write(PASSPHRASE, "correct horse battery staple\n", 0o600)
    for machine in (hub, owners):
        machine.run("mkdir", "-p", STICK)
    for who, commands in walk()["Begin"]:
        doing, other = (hub, owners) if who == "hub-a" else (owners, hub)
        here = commands if doing is hub else commands.replace("/etc/banlistd/credentials", "/root/hub-b")
        type_in(doing, answered(here, PASSPHRASE), f"/root/{who}")
        carry(doing, other)
    type_in(hub, dict(walk()["The hubs"])["hub-a"])


def serve_files(hub: Machine, authority: Authority) -> None:
    key, certificate = key_and_certificate(authority, "a.example", "DNS:a.example")
    hub.write("/etc/nginx/fleet.key", key, 0o600)
    hub.write("/etc/nginx/fleet.pem", certificate)
    type_in(hub, block(NGINX, "On the hub itself", "banlistd-fleet.conf"))


def serve_messages(hub: Machine, authority: Authority) -> None:
    key, certificate = key_and_certificate(authority, "broker.example", "DNS:broker.example")
    for name, text in (("broker.key", key), ("broker.pem", certificate), ("ca.pem", ca_of(authority))):
        hub.write(f"/root/broker/{name}", text)
    type_in(hub, block(MOSQUITTO, "Set it up", "/etc/mosquitto/conf.d/"), "/root/broker")


def ca_of(authority: Authority) -> str:
    return Path(f"{authority.path}.crt").read_text()


def configure_hub(hub: Machine, authority: Authority) -> None:
    """It bans nothing itself."""
    key, certificate = key_and_certificate(authority, "hub")
    hub.write("/etc/banlistd/credentials/mqtt-key", key, 0o600)
    hub.write("/etc/banlistd/hub.pem", certificate)
    hub.write("/etc/banlistd/ca.pem", ca_of(authority))
    lists = configured("Shared bans", "quorum:").replace("quorum: 3", "quorum: 1").replace("[reports]", "[drop, reports]")
    assert "[drop, reports]" in lists
    hub.write(LIST, f"{BANNED}\n")
    hub.write(CONFIGURATION, f"backend: memory\n{lists}  - {{id: drop, path: {LIST}}}\n")


def configure_node(node: Machine, authority: Authority, owner: str) -> str:
    """What its administrator hands over to the owner of the hub: a command."""
    node.write("/usr/local/share/ca-certificates/test.crt", ca_of(authority))
    node.run("update-ca-certificates")
    node.write("/etc/banlistd/ca.pem", ca_of(authority))
    said = node.say("banlistctl", "fleet", "join", "web-1")
    request = authority.folder / "web-1.csr"
    request.write_text(said[said.index("-----BEGIN") : said.index("-----END")] + "-----END CERTIFICATE REQUEST-----\n")
    node.write("/etc/banlistd/web-1.pem", authority.granted(request).read_text())
    ((_, commands),) = walk()["The nodes"]
    type_in(node, commands)
    (line,) = re.findall(r"^  - .*hub: drop.*\n", configured("The nodes", "hub: drop"), re.MULTILINE)
    node.write(CONFIGURATION, f"owner: {owner}\n{configured('Shared bans', 'report:')}{line}")
    (command,) = re.findall(r"banlistctl nodes admit .*", said)
    return str(command).replace("SITE", "oslo")


@pytest.fixture(scope="module")
def site(system_of_a_hub: Path, fresh_system: Path, owner: str) -> Iterator[Site]:
    _, package = packages()
    with ExitStack() as stack:
        authority = Authority.made_in(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        hub, node = (stack.enter_context(Machine(system)) for system in (system_of_a_hub, fresh_system))
        for machine in (hub, node):
            machine.write("/etc/hosts", f"127.0.0.1 localhost\n{NEAR} a.example broker.example\n")
            machine.boot()
            machine.install(package)
        lay_cable(hub, node)
        found_fleet(hub, node)
        serve_messages(hub, authority)
        configure_hub(hub, authority)
        since = hub.now()
        serve_files(hub, authority)  # it starts banlistd anew
        hub.wait_for("EVENT=fleet_published", since=since)
        hub.wait_for("EVENT=mqtt_connected", since=since)
        type_in(hub, configure_node(node, authority, owner))
        if owner == "yes":
            renew_table(node)
        visitor = stack.enter_context(Visitor(node, CLEAN, BANNED, LATER))
        site = Site(hub, node, visitor, authority)
        since = node.now()
        node.run("systemctl", "restart", "banlistd")
        site.is_taken(since)
        node.wait_for("EVENT=mqtt_connected", since=since)
        yield site


def test_what_the_hub_publishes_is_banned_in_the_kernel_of_the_node(site: Site) -> None:
    assert site.who_passes() == {CLEAN, LATER}
    fleet = site.ask("fleet")
    assert (fleet["fleet"], fleet["root_version"], fleet["mirror"]) == ("main", 1, "https://a.example/fleet")
    assert [one["fault"] for one in fleet["mirrors"]] == [""]
    assert [(one["source"], one["list"]) for one in fleet["lists"]] == [("shared", "reports"), ("drop", "drop")]
    assert "root: version 1, sha256" in site.node.say("banlistctl", "fleet")
    faults = {"fleet_fault", "hub_refused", "mqtt_refused", "report_refused"}
    for machine in (site.hub, site.node):
        assert not faults & {entry.get("EVENT") for entry in machine.journal()}


def test_both_run_under_the_shipped_unit_with_its_filter(site: Site) -> None:
    for machine, drop_ins in ((site.hub, "/etc/systemd/system/banlistd.service.d/web-server.conf"), (site.node, "")):
        assert machine.say("systemctl", "show", "--property=DropInPaths", "--value", "banlistd").strip() == drop_ins
        assert machine.run("systemd-analyze", "verify", "--man=no", "banlistd.service").stderr == ""
        pid = machine.say("systemctl", "show", "--property=MainPID", "--value", "banlistd").strip()
        status = dict(line.split(":\t", 1) for line in machine.say("cat", f"/proc/{pid}/status").splitlines())
        assert (status["NoNewPrivs"], int(status["CapBnd"], 16)) == ("1", 1 << 12)
        machine.run("systemd-analyze", "security", "--no-pager", "--threshold=15", "banlistd.service")


def test_web_server_reads_the_lists_and_nothing_else_of_the_state(site: Site) -> None:
    def may_read(path: str) -> bool:
        as_server = ("setpriv", "--reuid=www-data", "--regid=www-data", "--init-groups")
        return site.hub.run(*as_server, "test", "-r", path, check=False).returncode == 0

    assert may_read(f"{PUBLIC}/metadata/timestamp.json")
    assert not may_read("/var/lib/banlistd/banlistd.db")
    assert not may_read("/var/lib/banlistd")
    owners = site.hub.say("find", "/var/lib/banlistd/fleet", "-printf", "%u:%g\n").split()
    assert set(owners) == {"banlistd:banlistd"}


def test_keys_are_credentials_and_nowhere_else(site: Site) -> None:
    kept = {"hub": ("banlistd_hub-key", "banlistd_mqtt-key"), "node": ("banlistd_mqtt-key", "banlistd_node-key")}
    for machine, names in ((site.hub, kept["hub"]), (site.node, kept["node"])):
        assert set(names) <= set(machine.say("ls", "/run/credentials/banlistd.service").split())
        for name in names:
            key = machine.say("cat", f"/etc/banlistd/credentials/{name.removeprefix('banlistd_')}")
            secret = max(key.split(), key=len)
            found = machine.run("grep", "-rlF", "-e", secret, "/var/lib/banlistd", "/run/banlistd", "/srv", check=False)
            assert found.stdout == ""
            assert secret not in machine.say("journalctl", "--output=export", "--all")


def test_a_change_reaches_the_kernel_by_the_bell(site: Site) -> None:
    site.is_taken(site.publish(BANNED, LATER))
    assert site.who_passes() == {CLEAN}
    site.is_taken(site.publish(BANNED))
    assert site.who_passes() == {CLEAN, LATER}


def test_who_fails_at_ssh_on_the_node_is_listed_for_the_fleet_until_fail2ban_lifts_the_ban(site: Site) -> None:
    node, since = site.node, site.node.now()
    type_in(node, block(FAIL2BAN, JAILS, "cp action.d"), "/usr/share/banlistd/fail2ban")
    node.write("/etc/fail2ban/jail.d/defaults-debian.conf", "")
    jail = "[sshd]\nenabled = true\nbackend = polling\nlogpath = /var/log/auth.log\n"
    node.write("/etc/fail2ban/jail.local", block(FAIL2BAN, JAILS, "banaction_allports") + jail)
    failure = f"Failed password for invalid user admin from {SHARED} port 4022 ssh2"
    type_in(node, f"for n in 1 2 3 4 5 6; do echo \"$(date '+%b %e %T') web-1 sshd[$n]: {failure}\"; done >/var/log/auth.log")
    node.run("systemctl", "start", "fail2ban")
    site.is_taken(since, "shared")
    (reported,) = json.loads(site.hub.say("banlistctl", "--json", "sightings", SHARED))
    assert (reported["node"], reported["site"]) == ("web-1", "oslo")
    assert "shared" in {row["id"] for row in site.ask("check", SHARED)["sources"]}
    since = node.now()
    node.run("fail2ban-client", "set", "sshd", "unbanip", SHARED)
    site.is_taken(since, "shared")
    assert node.run("banlistctl", "check", SHARED, check=False).returncode == 1


def test_root_that_the_owners_sign_later_reaches_the_node(site: Site) -> None:
    owners, since = site.node, site.node.now()
    signing = "".join(
        f"banlistctl fleet sign {STICK}/main --key /root/{place}.key\n" for place in ("anna/anna", "ben/ben", "cleo/targets")
    )
    type_in(owners, f"banlistctl fleet rotate {STICK}/main")
    type_in(owners, answered(signing, PASSPHRASE))
    carry(owners, site.hub)
    type_in(site.hub, f"banlistctl fleet install {STICK}/main")
    site.node.wait_for("EVENT=hub_root_changed", since=since)
    assert site.ask("fleet")["root_version"] == 2


def test_a_restart_and_a_reboot_keep_what_was_proven_and_nothing_older_is_taken(site: Site) -> None:
    hub, node = site.hub, site.node
    type_in(hub, f"cp -a {PUBLIC} /srv/before")
    site.is_taken(site.publish(BANNED, LATER))
    hub.run("systemctl", "stop", "nginx")
    known = site.ask("fleet")
    node.run("systemctl", "restart", "banlistd")
    assert site.ask("fleet") == known
    node.reboot()
    lay_cable(hub, node)
    site.visitor.plug_in()
    again = site.ask("fleet")
    proven = ("root_version", "root_hash", "timestamp_version", "expires_at", "verified_at", "lists")
    assert {key: again[key] for key in proven} == {key: known[key] for key in proven}
    assert site.who_passes() == {CLEAN}
    type_in(hub, "ln -sfn /srv/before /srv/fleet; systemctl start nginx")
    since = node.now()
    node.run("banlistctl", "refresh", "drop", check=False)
    assert "version" in node.wait_for("EVENT=hub_refused", since=since)["REASON"]
    assert site.who_passes() == {CLEAN}
    type_in(hub, f"ln -sfn {PUBLIC} /srv/fleet")
    node.run("banlistctl", "refresh", "drop")
    assert [one["fault"] for one in site.ask("fleet")["mirrors"]] == [""]


def test_hub_that_was_rebooted_goes_on(site: Site) -> None:
    since = site.hub.now()
    site.hub.reboot()
    lay_cable(site.hub, site.node)
    site.hub.wait_for("EVENT=mqtt_connected", since=since)
    since = site.hub.now()
    site.publish(BANNED, LATER, "198.51.100.10")
    site.hub.wait_for("EVENT=fleet_published", since=since)
    site.node.run("banlistctl", "refresh", "drop")
    assert site.ask("check", "198.51.100.10")["banned"]


def test_two_hubs_sign_for_each_other_under_the_unit_and_what_only_one_has_is_not_published(site: Site) -> None:
    """The node's machine becomes hub-b, whose key was made there."""
    a, b, section = site.hub, site.node, "Two hubs that must both sign"
    for who, commands in walk()[section]:
        if commands != "banlistctl fleet\n":
            type_in(a if who == "hub-a" else b, answered(commands, PASSPHRASE), f"/root/{who}")
        carry(b, a)
    type_in(b, "install -m 600 /root/hub-b/hub-key /etc/banlistd/credentials/hub-key")
    serve_files_of_hub_b(b, site.authority)
    a.write("/usr/local/share/ca-certificates/test.crt", ca_of(site.authority))
    a.run("update-ca-certificates")
    a.write("/etc/hosts", f"127.0.0.1 localhost\n{NEAR} broker.example\n{FAR} hub-b.example\n")
    lines, lists = configured(section, "cosigners"), f"sources:\n  - {{id: drop, path: {LIST}}}\n"
    since = a.now()
    for machine, other in ((b, "a.example"), (a, "hub-b.example")):
        machine.write(LIST, f"{BANNED}\n{SHARED}\n")
        machine.write(CONFIGURATION, f"backend: memory\n{lines.replace('hub-b.example', other)}{lists}")
        machine.run("systemctl", "restart", "banlistd")
    assert published(a, since) == 2
    newest = f"ls -v {PUBLIC}/metadata/*.drop.json | tail -n 1"
    signed = json.loads(type_in(a, f'cat "$({newest})"'))["signatures"]
    assert [bool(one["sig"]) for one in signed] == [True, True]

    # It has passed no guard of hub-b, and is not published.
    since = b.now()
    a.write(LIST, f"{BANNED}\n{SHARED}\n{POISON}\n")
    a.run("banlistctl", "refresh", "drop")
    end = time.monotonic() + PATIENCE
    while not any(POISON in one["reason"] for one in json.loads(b.say("banlistctl", "--json", "fleet"))["signatures"]):
        assert time.monotonic() < end
    assert len(json.loads(type_in(a, f'cat "$({newest})"'))["signatures"]) == len(signed)
    for machine in (a, b):
        assert not {"fleet_fault", "hub_refused"} & {entry.get("EVENT") for entry in machine.journal(f"--after-cursor={since}")}


def serve_files_of_hub_b(hub: Machine, authority: Authority) -> None:
    """Its machine has no nginx."""
    hub.write("/root/hub-b/tls.pem", authority.signed("hub-b.example", "DNS:hub-b.example").read_text(), 0o600)
    type_in(hub, f"ln -s {PUBLIC} /srv/fleet")
    hub.run("systemd-run", "--unit=files", "--working-directory=/srv", "python3", "-c", _FILE_SERVER)


def published(hub: Machine, since: str) -> int:
    """How many entries the first version of the list has that is published after a place in the journal."""
    while " drop (" not in (found := hub.wait_for("EVENT=fleet_published", since=since))["MESSAGE"]:
        since = found["__CURSOR"]
    return int(found["ENTRIES"])
