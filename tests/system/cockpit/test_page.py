"""The page in a real Cockpit, in a real browser, over a real daemon. Pictures of it stay in the folder of each test."""

import asyncio
import shutil
from pathlib import Path

from support.feed_server import FeedServer
from support.network_namespace import in_network_namespace
from system.cockpit.visit import installed, visiting
from system.daemon_process import running

TOP = Path(__file__).resolve().parents[3]
HOSTILE = "<img src=x onerror=alert(1)>"
GERMAN = """
msgid ""
msgstr "Plural-Forms: nplurals=2; plural=n != 1;\\n"

msgid "Manual bans"
msgstr "Handsperren"
"""


@in_network_namespace
async def test_a_member_logs_in_and_sees_verdict_and_sources_and_no_text_becomes_markup(tmp_path: Path, page: Path) -> None:
    place = installed(tmp_path)
    listed = tmp_path / "list"
    listed.write_text(f"192.0.2.1\n198.51.100.0/24\n{HOSTILE}\n")
    place.configure(f'id: listed, path: "{listed}"', f'id: gone, path: "{tmp_path}/{HOSTILE}"')
    with running(place, "listed") as daemon:
        daemon.wait_for("blocklist_import_failed", "gone")
        async with visiting(place, page) as visit:
            await visit.until_text("DEGRADED: not all is covered", "[data-verdict]")
            await visit.until_text("in force", "[data-key=listed]")
            await visit.until_text("failing", "[data-key=gone]")
            assert "in 1 h" in (await visit.look("document.querySelector('[data-key=listed]').innerText")).replace(
                "59 min", "1 h"
            )
            assert HOSTILE in await visit.look("document.querySelector('[data-key=gone] .pf-v6-c-label').title")
            await visit.browser.screenshot(tmp_path / "overview.png")
            await visit.click("listed")
            await visit.until(f"document.querySelector('details').textContent.includes('{HOSTILE}')")
            await visit.go("events")
            await visit.until_text(HOSTILE, "[data-event=blocklist_import_failed]")
            assert await visit.look("document.querySelectorAll('img').length") == 0


@in_network_namespace
async def test_a_translation_is_shown_to_those_who_have_its_language(tmp_path: Path, page: Path) -> None:
    place = installed(tmp_path)
    place.configure('id: none, path: "/dev/null", enabled: false')
    translated = tmp_path / "translated"
    shutil.copytree(page, translated)
    make = f"import {{ script }} from '{TOP}/packaging/cockpit/po.js'; process.stdout.write(script(process.argv[1], 'de'));"
    node = await asyncio.create_subprocess_exec(
        "node", "--input-type=module", "--eval", make, GERMAN, stdout=asyncio.subprocess.PIPE
    )
    (translated / "po.de.js").write_bytes((await node.communicate())[0])
    with running(place):
        async with visiting(place, translated, language="de-DE") as visit:
            await visit.until_text("Handsperren", "nav")
            await visit.until_text("Look up", "nav")


@in_network_namespace
async def test_who_is_not_in_the_group_sees_why(tmp_path: Path, page: Path) -> None:
    place = installed(tmp_path)
    place.configure('id: none, path: "/dev/null", enabled: false')
    with running(place):
        async with visiting(place, page, "visitor") as visit:
            await visit.until_text("You (visitor) may not use banlistd")
            await visit.until_text("adduser visitor banlistd")
            assert await visit.look("document.querySelector('[data-verdict]')") is None


@in_network_namespace
async def test_an_address_is_banned_looked_up_and_unbanned(tmp_path: Path, page: Path) -> None:
    place = installed(tmp_path)
    place.configure('id: none, path: "/dev/null", enabled: false')
    with running(place):
        async with visiting(place, page) as visit:
            await visit.go("bans")
            await visit.fill(address="203.0.113.7", **{"for": "1h"}, comment=HOSTILE)
            await visit.click("Ban")
            await visit.until_text("203.0.113.7 is banned", ".notices")
            await visit.until_text(HOSTILE, "[data-key^='203.0.113.7']")
            (banned,) = place.ask("bans")
            assert (banned["address"], banned["comment"], banned["user"]) == ("203.0.113.7", HOSTILE, "user 64991")
            assert banned["expires_at"] == banned["created_at"] + 3600
            await visit.fill(address="127.0.0.1")
            await visit.click("Ban")
            await visit.until_text("127.0.0.1", ".notices .pf-m-danger")
            await visit.go("lookup", "203.0.113.7")
            await visit.until_text("203.0.113.7 is banned by manual", "[data-banned=true]")
            await visit.browser.screenshot(tmp_path / "lookup.png")
            await visit.click("Unban")
            await visit.until_text("203.0.113.7 is not banned", "[data-banned=false]")
            assert place.ask("bans") == []


@in_network_namespace
async def test_a_refused_list_is_approved_its_change_shown_and_rolled_back(tmp_path: Path, page: Path) -> None:
    place = installed(tmp_path)
    listed = tmp_path / "list"
    listed.write_text("".join(f"192.0.2.{last}\n" for last in range(200)))
    place.configure(f'id: listed, path: "{listed}"', every="365d")
    with running(place, "listed") as daemon:
        listed.write_text("192.0.2.7\n198.51.100.7\n")
        place.ctl("refresh", "listed")
        daemon.wait_for("blocklist_import_refused", "listed")
        async with visiting(place, page) as visit:
            await visit.go("quarantine")
            await visit.until_text("Would come: 1", "[data-key=listed]")
            await visit.until_text("Would go: 199", "[data-key=listed]")
            await visit.browser.screenshot(tmp_path / "quarantine.png")
            await visit.click("Approve")
            await visit.until_text("listed: 1 came, 199 went", ".notices")
            await visit.until_text("No list is in quarantine.")
            await visit.go("list", "listed")
            await visit.click("Changes")
            await visit.until_text("198.51.100.7", "[data-diff]")
            await visit.click("Roll back")
            await visit.click("Roll back", "dialog")
            await visit.until_text("listed: 199 came, 1 went", ".notices")
            await visit.go("lookup", "198.51.100.7")
            await visit.until_text("198.51.100.7 is not banned", "[data-banned=false]")
            await visit.look("document.querySelector('[name=history]').click()")
            await visit.click("Look up", "#lookup")
            await visit.until_text("198.51.100.7 was listed in the past", "[data-listed=true]")
            await visit.go("list", "listed")
            listed.write_text("".join(f"192.0.2.{last}\n" for last in range(200)))
            await visit.click("Unpin")
            await visit.until_text("listed: unchanged", ".notices")
            await visit.click("Pin")
            await visit.click("Pause")
            await visit.until_text("Resume")
            await visit.until("document.querySelector('.chart canvas')")
            await visit.browser.screenshot(tmp_path / "list.png")
            (row,) = place.ask("sources", "listed")
            assert sorted(row["suspended"]) == ["paused", "pinned"]


@in_network_namespace
async def test_events_come_as_they_happen_and_again_after_a_restart(tmp_path: Path, page: Path) -> None:
    place = installed(tmp_path)
    place.configure('id: none, path: "/dev/null", enabled: false')
    with running(place) as first:
        async with visiting(place, page) as visit:
            await visit.go("events")
            await visit.until("document.body.dataset.connected === 'yes'")
            place.ask("ban", "203.0.113.7")
            await visit.until_text("203.0.113.7", "[data-event=manual_ban_added]")
            first.kill()
            await visit.until("document.body.dataset.connected === 'no'")
            await visit.until_text("No connection to banlistd")
            with running(place):
                await visit.until("document.body.dataset.connected === 'yes'")
                place.ask("ban", "203.0.113.8")
                await visit.until_text("203.0.113.8", "[data-event=manual_ban_added]")


@in_network_namespace
async def test_what_is_allowed_is_not_banned_until_it_is_disallowed(tmp_path: Path, page: Path) -> None:
    place = installed(tmp_path)
    listed = tmp_path / "list"
    listed.write_text("192.0.2.1\n192.0.2.2\n")
    place.configure(f'id: listed, path: "{listed}"', allow=["198.51.100.0/24"])
    with running(place, "listed"):
        async with visiting(place, page) as visit:
            await visit.go("allowed")
            await visit.until_text("198.51.100.0/24", "[data-key^='198.51.100.0/24']")
            await visit.fill(address="192.0.2.1", comment="audit")
            await visit.click("Allow")
            await visit.until_text("The source listed lists some of it", ".notices")
            assert not place.ask("check", "192.0.2.2")["allowed"]
            assert place.ask("allowed")[0]["comment"] == "audit"
            await visit.click("Disallow")
            await visit.until_text("192.0.2.1 is no longer allowed by command", ".notices")
            assert [row["origin"] for row in place.ask("allowed")] == ["configuration"]


@in_network_namespace
async def test_an_administrator_adds_a_list_by_its_url_and_disables_and_enables_it(tmp_path: Path, page: Path) -> None:
    place = installed(tmp_path)
    place.configure('id: none, path: "/dev/null", enabled: false')
    (place.config / "sources.d").mkdir()
    with FeedServer() as feeds, running(place) as daemon:
        feeds.serve("/bad.txt", b"192.0.2.1\n192.0.2.2\n")
        async with visiting(place, page, "root") as visit:
            await visit.go("catalogue")
            await visit.until_text("spamhaus-drop", "[data-key=spamhaus-drop]")
            await visit.fill(url=feeds.url("/bad.txt"), action="count")
            await visit.click("Add", "#add")
            await visit.until_text("is added", ".notices")
            await visit.until_text("2 entries", ".notices")
            (added,) = [row["id"] for row in place.ask("sources") if row["id"] != "none"]
            daemon.wait_for("blocklist_import_completed", added)
            await visit.go("list", added)
            await visit.click("Disable")
            await visit.click("Disable", "dialog")
            await visit.until_text("is disabled", ".notices")
            assert not place.ask("sources", added)[0]["enabled"]
            await visit.click("Enable")
            await visit.until_text("is enabled", ".notices")
            assert place.ask("sources", added)[0]["enabled"]
