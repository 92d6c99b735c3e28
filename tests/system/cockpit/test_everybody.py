"""The page for those who use a keyboard, a screen reader, a telephone or dark colours, and with very many sources."""

from pathlib import Path

from support.network_namespace import in_network_namespace
from system.cockpit.visit import installed, visiting
from system.daemon_process import running

VIEWS = ("overview", "bans", "lookup", "quarantine", "allowed", "events", "catalogue")


@in_network_namespace
async def test_axe_finds_nothing_serious_in_any_view_in_light_and_dark_and_a_phone_shows_all(
    tmp_path: Path, page: Path, axe: str
) -> None:
    place = installed(tmp_path)
    listed = tmp_path / "list"
    listed.write_text("".join(f"192.0.2.{last}\n" for last in range(200)))
    refused = tmp_path / "refused"
    refused.write_text("".join(f"198.51.100.{last}\n" for last in range(200)))
    place.configure(f'id: listed, path: "{listed}"', f'id: refused, path: "{refused}"', every="365d")
    with running(place, "listed", "refused") as daemon:
        refused.write_text("198.51.100.7\n")
        place.ctl("refresh", "refused")
        daemon.wait_for("blocklist_import_refused", "refused")
        place.ask("ban", "203.0.113.7", "--for", "1h")
        async with visiting(place, page) as visit:
            found = []
            for style in ("light", "dark"):
                await visit.style(style)
                for words in (*((view,) for view in VIEWS), ("list", "listed"), ("lookup", "203.0.113.7")):
                    await visit.browser.resize(1280, 900)
                    await visit.go(*words)
                    found += [f"{style} {words}: {each}" for each in await visit.violations(axe)]
                    await visit.browser.screenshot(tmp_path / f"{style}-{words[0]}.png")
                    await visit.browser.resize(390, 844)
                    wide = await visit.look("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                    found += [f"{style} {words}: {wide} px too wide"] if wide > 0 else []
                    await visit.browser.screenshot(tmp_path / f"phone-{style}-{words[0]}.png")
            assert found == []


@in_network_namespace
async def test_the_views_and_their_orders_are_reached_by_keys_alone(tmp_path: Path, page: Path) -> None:
    place = installed(tmp_path)
    place.configure('id: none, path: "/dev/null", enabled: false')
    with running(place):
        async with visiting(place, page) as visit:
            await visit.look("document.querySelector('nav a').focus()")
            await visit.browser.press("Tab", 9)
            assert await visit.look("document.activeElement.innerText") == "Manual bans"
            await visit.browser.press("Enter", 13)
            await visit.until("document.querySelector('#ban')")
            for _ in range(20):
                if await visit.look("document.activeElement.name") == "address":
                    break
                await visit.browser.press("Tab", 9)
            await visit.browser.command("Input.insertText", text="203.0.113.7")
            await visit.browser.press("Enter", 13)
            await visit.until_text("203.0.113.7 is banned", ".notices")


@in_network_namespace
async def test_of_5000_sources_a_page_is_shown_and_the_filter_finds_one(tmp_path: Path, page: Path) -> None:
    place = installed(tmp_path)
    place.configure(*(f'id: source-{number}, path: "/dev/null", enabled: false' for number in range(5000)))
    with running(place):
        async with visiting(place, page) as visit:
            await visit.until_text("page 1 of 50, 5,000 rows")
            assert await visit.look("document.querySelectorAll('tbody tr').length") == 100
            await visit.click("Next")
            await visit.until_text("page 2 of 50")
            await visit.until("document.querySelector('[data-key=source-199]')")
            await visit.look(
                "(field => (field.value = 'source-4711', field.dispatchEvent(new window.Event('input'))))"
                "(document.querySelector('input[type=search]'))"
            )
            await visit.until("document.querySelectorAll('tbody tr').length === 1")
            await visit.until("document.querySelector('[data-key=source-4711]')")
