"""What looks at banlistd from outside, on one booted machine: broker, Prometheus' parser, mail, webhook, hook and Cockpit.

Everything is set up by the lines of the README and of the documents that it links.
"""

import json
import re
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from support.certificates import Authority, server_context
from support.feed_server import FeedServer
from support.notice_receivers import PATIENCE, MailServer, Webhook, serving
from system.boot.machine import Machine
from system.boot.machine_image import packages, page_package
from system.boot.table_owner import renew_table
from system.boot.written_lines import block, configuration
from system.cockpit.browser import Browser, browsing, chromium
from system.cockpit.visit import Visit, arrived, log_in
from system.cockpit.web_console import PASSWORD, Console

pytestmark = pytest.mark.boot

README = "README.md"
ORDERS, NOTICES, COCKPIT = (f"packaging/docs/{name}.md" for name in ("orders", "notices", "cockpit"))
NODE = "banlistd/v1/home/node/node-0042"
PUBLISHER, PUBLISHED = "127.0.0.2", ("lists.blocklist.de", "/lists/ssh.txt")  # where, and what, that of the catalogue is
LIST = "/etc/banlistd/lists/our-own.txt"
MANY = "".join(f"198.51.100.{last}\n" for last in range(200))
NOTIFY = "_SYSTEMD_UNIT=banlistd-notify.service"


@dataclass(frozen=True, slots=True)
class Site:
    """`mail` and `hook`: the receivers, which are in the machine's network."""

    machine: Machine
    mail: MailServer
    hook: Webhook

    def ask(self, *words: str) -> Any:
        return json.loads(self.machine.say("banlistctl", "--json", *words))

    def heard(self, topic: str) -> str:
        """The next message of a topic, as the operator's account hears it; at once, if it is retained."""
        return self.machine.say(*_LISTENING, "-W", "30", "-C", "1", "-t", topic)

    def enough_is_listed(self) -> None:
        self.machine.write(LIST, MANY)
        self.machine.run("banlistctl", "refresh", "our-own")


_LISTENING = ("mosquitto_sub", "-V", "5", "-q", "1", "-u", "anna", "-P", "PASSWORD")


def type_in(machine: Machine, commands: str) -> str:
    return machine.run("bash", "-e", "-c", f"export HOME=/root\n{commands}").stdout


def text_of(mail: Message) -> str:
    """Its plain part, in one line."""
    (part,) = (part for part in mail.walk() if part.get_content_type() == "text/plain")
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return " ".join(octets.decode().split())


def trust(machine: Machine, authority: Authority) -> None:
    certificate = Path(f"{authority.path}.crt").read_text()
    machine.write("/usr/local/share/ca-certificates/test.crt", certificate)
    machine.run("update-ca-certificates")


def with_operator(configured: str, key: str) -> str:
    """The README's configuration with the operator of orders.md, who has this key."""
    (line,) = re.findall(r"- (\{name: anna.*\})", block(ORDERS, "Set up", "operators:"))
    operator = re.sub(r"key: [^,]+", f'key: "{key}"', line)
    return re.sub(r"^mqtt: \{", f"mqtt: {{operators: [{operator}], ", configured, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def site(system_with_services: Path, owner: str) -> Iterator[Site]:
    _, package = packages()
    page = page_package()
    with ExitStack() as stack:
        machine = stack.enter_context(Machine(system_with_services))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        machine.boot()
        authority = Authority.made_in(folder)
        trust(machine, authority)
        tls = server_context(authority.signed("hooks", "DNS:hooks.example"))
        publisher = server_context(authority.signed("lists", f"DNS:{PUBLISHED[0]}"))
        machine.write("/etc/hosts", f"127.0.0.1 localhost mail.example hooks.example\n{PUBLISHER} {PUBLISHED[0]}\n")
        machine.write("/etc/apt/apt.conf.d/yes", 'APT::Get::Assume-Yes "true";\n')
        mail = stack.enter_context(serving(machine.network.run(partial(MailServer, 25))))
        hook = stack.enter_context(serving(machine.network.run(partial(Webhook, 443, tls))))
        feeds = machine.network.run(FeedServer(PUBLISHER, publisher, 443).__enter__)
        stack.push(feeds)
        feeds.serve(PUBLISHED[1], b"203.0.113.21\n203.0.113.22\n")
        machine.install(package)
        type_in(machine, block(COCKPIT, "Install it", "apt-get install cockpit").splitlines()[0])
        machine.install(page)

        type_in(machine, block(ORDERS, "A broker with passwords", "mosquitto_passwd"))
        machine.write("/root/.config/mosquitto_pub", "-u anna\n-P PASSWORD\n", 0o600)
        key = type_in(machine, block(ORDERS, "Set up", "operator-key")).strip()
        beginning = (machine.root / "etc/banlistd/banlistd.yaml").read_text()
        added = with_operator(configuration(README, "Seen from outside"), key)
        machine.write("/etc/banlistd/banlistd.yaml", f"owner: {owner}\n{beginning}\n{added}")
        if owner == "yes":
            renew_table(machine)
        since = machine.now()
        type_in(machine, block(README, "Seen from outside", "banlistd-notify"))
        machine.wait_for("EVENT=mqtt_connected", since=since)
        yield Site(machine, mail, hook)


def test_state_and_description_are_retained_at_the_broker(site: Site) -> None:
    site.enough_is_listed()
    device = json.loads(site.heard("homeassistant/device/banlistd-node-0042/config"))
    assert device["stat_t"] == f"{NODE}/state"
    assert site.heard(f"{NODE}/status") == "online\n"
    state = json.loads(site.heard(f"{NODE}/state"))
    while state["bans"] != len(MANY.splitlines()):
        # It is at most ten seconds old.
        following = site.machine.say(*_LISTENING, "-R", "-W", "30", "-C", "1", "-t", f"{NODE}/state")
        state = json.loads(following)
    assert (state["sources"], state["failing"], state["lost"]) == (1, [], 0)


def test_a_signed_order_is_carried_out(site: Site) -> None:
    since = site.machine.now()
    type_in(site.machine, block(ORDERS, "Give an order", "203.0.113.7"))
    given = site.machine.wait_for("EVENT=order_given", since=since)
    assert (given["ORDER"], given["OPERATOR"]) == ("ban 203.0.113.7", "anna")
    (banned,) = site.ask("bans")
    assert (banned["address"], banned["origin"]) == ("203.0.113.7", "mqtt/anna")
    site.machine.run("banlistctl", "unban", "203.0.113.7")


def test_prometheus_reads_the_metrics(site: Site) -> None:
    site.enough_is_listed()
    asked = Request("http://127.0.0.1:9788/metrics", headers={"Accept": "application/openmetrics-text"})
    with site.machine.network.run(partial(urlopen, asked, timeout=PATIENCE)) as answer:
        families = text_string_to_metric_families(answer.read().decode())  # type: ignore[no-untyped-call]  # it has no types
    found = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
    assert found["banlistd_source_entries", "our-own"] == len(MANY.splitlines())
    assert found["banlistd_health", "PROTECTED"] == 1, site.ask("health")


def test_each_receiver_and_hook_can_be_tried(site: Site) -> None:
    since = site.machine.now()
    type_in(site.machine, block(NOTICES, "Try it", "banlistd-notify --test"))
    assert "test" in text_of(site.mail.mails.get(timeout=PATIENCE))
    assert "test" in site.hook.next_text()
    run = site.machine.wait_for("SYSLOG_IDENTIFIER=on-refused", since=since)
    assert json.loads(run["MESSAGE"])["name"] == "notice_test"


def test_a_refused_list_is_told_by_mail_and_webhook_and_the_hook_has_run(site: Site) -> None:
    site.enough_is_listed()
    since = site.machine.now()
    site.machine.write(LIST, "198.51.100.7\n")
    site.machine.run("banlistctl", "refresh", "our-own", check=False)
    refused = site.machine.wait_for("EVENT=blocklist_import_refused", "SOURCE_ID=our-own", since=since)
    mail = site.mail.mails.get(timeout=PATIENCE)
    assert mail["To"] == "admin@example.org"
    assert refused["REASON"] in text_of(mail)
    assert "[blocklist_import_refused]" in site.hook.next_text()
    run = site.machine.wait_for("SYSLOG_IDENTIFIER=on-refused", since=since)
    event = json.loads(run["MESSAGE"])
    assert (event["name"], event["fields"]["SOURCE_ID"]) == ("blocklist_import_refused", "our-own")
    site.enough_is_listed()


def test_the_service_that_sends_has_its_own_account_and_no_capability(site: Site) -> None:
    verified = site.machine.run("systemd-analyze", "verify", "--man=no", "banlistd-notify.service")
    assert verified.stderr == ""
    site.machine.run("systemd-analyze", "security", "--no-pager", "--threshold=20", "banlistd-notify.service")
    pid = site.machine.say("systemctl", "show", "--property=MainPID", "--value", "banlistd-notify").strip()
    assert site.machine.say("ps", "-o", "user:32=", "-p", pid).strip() == "banlistd-notify"
    status = dict(line.split(":\t", 1) for line in site.machine.say("cat", f"/proc/{pid}/status").splitlines())
    rights = {name: int(value, 16) for name, value in status.items() if name.startswith("Cap")}
    assert rights == dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0)
    assert status["NoNewPrivs"] == "1"
    # Neither gets the secrets of the other.
    secrets = {unit: site.machine.say("ls", f"/run/credentials/{unit}.service") for unit in ("banlistd", "banlistd-notify")}
    assert secrets == {"banlistd": "banlistd_mqtt\n", "banlistd-notify": "banlistd_mail\nbanlistd_webhook\n"}


def test_cockpit_shows_the_page_to_a_member_who_bans_an_address(site: Site, tmp_path: Path) -> None:
    site.enough_is_listed()
    untrusted = ssl._create_unverified_context()  # noqa: S323 - Cockpit makes a certificate for itself
    with site.machine.network.run(partial(urlopen, "https://127.0.0.1:9090/", context=untrusted, timeout=PATIENCE)) as answer:
        assert "login-user-input" in answer.read().decode()
    for person in ("member", "stranger"):
        site.machine.run("useradd", "--create-home", person)
        site.machine.run("chpasswd", given=f"{person}:{PASSWORD}\n")
    type_in(site.machine, "adduser member banlistd")
    chromium()

    async def as_member() -> None:
        async with browsing(tmp_path / "member") as browser:
            visit = await log_in(browser, Console(), "member")
            await visit.until_text("PROTECTED", "[data-verdict]")
            await visit.until_text("200", "[data-key=our-own]")
            await ban_on(visit)
            await browser.screenshot(tmp_path / "bans.png")
            assert browser.faults == []

    async def ban_on(visit: Visit) -> None:
        await visit.go("bans")
        await visit.fill(address="203.0.113.9", **{"for": "1h"})
        await visit.click("Ban")
        await visit.until_text("203.0.113.9 is banned", ".notices")
        (banned,) = site.ask("bans")
        assert (banned["address"], banned["origin"]) == ("203.0.113.9", "operator")
        await visit.click("Unban")
        await visit.until_text("203.0.113.9", ".notices")

    async def as_stranger() -> None:
        async with browsing(tmp_path / "stranger") as browser:
            visit = await log_in(browser, Console(), "stranger")
            await visit.until_text("You (stranger) may not use banlistd")

    site.machine.network.run(as_member)
    site.machine.network.run(as_stranger)


def test_an_administrator_adds_a_list_of_the_catalogue_in_cockpit(site: Site, tmp_path: Path) -> None:
    site.machine.run("useradd", "--create-home", "--groups", "sudo", "boss")
    site.machine.run("chpasswd", given=f"boss:{PASSWORD}\n")
    chromium()

    async def as_boss() -> None:
        async with browsing(tmp_path / "boss") as browser:
            await log_in(browser, Console(), "boss")
            await become_root(browser)
            await browser.open(Console().page)
            visit = await arrived(browser)
            await visit.until_text("PROTECTED", "[data-verdict]")
            await visit.go("catalogue")
            await visit.click("Add", "[data-key=blocklist-de-ssh]")
            await visit.click("Add", "dialog")
            await visit.until_text("blocklist-de-ssh is added", ".notices")
            await visit.until_text("2 entries", ".notices")
            await visit.until_text("in use", "[data-key=blocklist-de-ssh]")
            await browser.screenshot(tmp_path / "catalogue.png")
            assert browser.faults == []

    since = site.machine.now()
    site.machine.network.run(as_boss)
    site.machine.wait_for("EVENT=blocklist_import_completed", "SOURCE_ID=blocklist-de-ssh", since=since)
    assert site.ask("check", "203.0.113.21")["banned"]


async def become_root(browser: Browser) -> None:
    """As the button at the top of Cockpit has it, by sudo."""
    buttons = "[...document.querySelectorAll('button')].filter(each => each.innerText.trim() === '{}')[0]"
    await browser.until(f"(found => found && (found.click(), true))({buttons.format('Limited access')})")
    await browser.until("(field => field && (field.focus(), true))(document.querySelector('input[type=password]'))")
    await browser.command("Input.insertText", text=PASSWORD)
    await browser.until(f"(found => found && !found.disabled && (found.click(), true))({buttons.format('Authenticate')})")
    await browser.until(f"!!{buttons.format('Administrative access')}")


def test_imports_go_on_without_the_broker_and_health_says_that_it_is_gone(site: Site) -> None:
    site.enough_is_listed()
    since = site.machine.now()
    site.machine.run("systemctl", "stop", "mosquitto")
    site.machine.wait_for("EVENT=mqtt_lost", since=since)
    site.machine.write(LIST, MANY + "203.0.113.77\n")
    site.machine.run("banlistctl", "refresh", "our-own")
    assert site.ask("check", "203.0.113.77")["banned"]
    health = site.ask("health")
    assert (health["verdict"], health["mqtt"]["connected"]) == ("PROTECTED", False)
    assert "mqtt" in site.machine.say("banlistctl", "health")
    site.machine.run("systemctl", "start", "mosquitto")
    site.machine.wait_for("EVENT=mqtt_connected", since=since)
    assert site.heard(f"{NODE}/status") == "online\n"


def test_after_a_reboot_all_of_it_runs_again(site: Site) -> None:
    site.enough_is_listed()
    bans = site.ask("status")["bans"]
    since = site.machine.now()
    site.machine.reboot()
    site.machine.wait_for("EVENT=mqtt_connected", since=since)
    running = site.machine.say("systemctl", "is-active", "banlistd", "banlistd-notify", "mosquitto", "cockpit.socket")
    assert set(running.split()) == {"active"}
    assert "banlistd" not in site.machine.say("systemctl", "--failed", "--plain", "--no-legend")
    assert site.ask("status")["bans"] == bans
