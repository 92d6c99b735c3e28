"""A person at the page: logs in, looks and clicks in the frame in which Cockpit's shell has it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from system.cockpit.browser import Browser, browsing, chromium
from system.cockpit.web_console import PASSWORD, Console, console, prepare, server
from system.daemon_process import Installation

_FRAME = "document.querySelector('iframe[name$=\"/banlistd\"]').contentWindow"


def in_frame(script: str) -> str:
    """An expression that sees the page as its `document`."""
    return f"((window, document) => ({script}))({_FRAME}, {_FRAME}.document)"


class Visit:
    """`browser` after the login; every script sees the page."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    async def look(self, script: str) -> Any:
        return await self.browser.evaluate(in_frame(script))

    async def until(self, script: str) -> Any:
        return await self.browser.until(in_frame(script))

    async def until_text(self, text: str, within: str = "body") -> None:
        """`text` can be seen; `within`: a selector."""
        await self.until(f"document.querySelector({json.dumps(within)}).innerText.includes({json.dumps(text)})")

    async def go(self, *words: str) -> None:
        """A view by its address, and wait until it is loaded."""
        path = "/".join(words)
        await self.look(f"(delete document.body.dataset.loaded, window.location.hash = {json.dumps('#/' + path)})")
        await self.until("document.body.dataset.loaded === 'yes'")

    async def style(self, name: str) -> None:
        """`light` or `dark`, as Cockpit's shell says it to its frames."""
        await self.look(
            f"(window.localStorage.setItem('shell:style', '{name}'),"
            f" window.dispatchEvent(new window.CustomEvent('cockpit-style', {{detail: {{style: '{name}'}}}})))"
        )

    async def violations(self, axe: str) -> list[str]:
        """What axe-core, given its source, finds serious or critical."""
        world = await self.browser.world("/banlistd/")
        await self.browser.evaluate(axe, world)
        found = await self.browser.evaluate("axe.run(document, {resultTypes: ['violations']})", world)
        return [
            f"{each['id']}: {node['html'][:200]}"
            for each in found["violations"]
            if each["impact"] in {"serious", "critical"}
            for node in each["nodes"]
        ]

    async def click(self, text: str, within: str = "body") -> None:
        """The first button or link with exactly this text that can be clicked."""
        script = (
            f"[...document.querySelectorAll({json.dumps(within)} + ' :is(button, a)')]"
            f".find(each => each.innerText.trim() === {json.dumps(text)} && !each.disabled)"
        )
        await self.until(f"(found => found && (found.click(), true))({script})")

    async def fill(self, **values: str) -> None:
        """Fields by their names, as a person types into them."""
        for name, value in values.items():
            await self.until(
                f"(field => field && (field.value = {json.dumps(value)}, field.dispatchEvent(new window.Event('input')),"
                f" field.dispatchEvent(new window.Event('change')), true))(document.querySelector('[name={name}]'))"
            )


async def log_in(browser: Browser, console: Console, user: str) -> Visit:
    """To the page, through Cockpit's own login."""
    await browser.open(console.page)
    await browser.until("document.getElementById('login-button') && !document.getElementById('login').hidden")
    await browser.evaluate(
        f"(document.getElementById('login-user-input').value = {json.dumps(user)},"
        f" document.getElementById('login-password-input').value = {json.dumps(PASSWORD)},"
        " document.getElementById('login-button').click())"
    )
    return await arrived(browser)


async def enter(browser: Browser, console: Console) -> Visit:
    """To the page of a Cockpit that asks for no login."""
    await browser.open(console.page)
    return await arrived(browser)


async def arrived(browser: Browser) -> Visit:
    """At the page, which shows something, or why not."""
    visit = Visit(browser)
    await visit.until("document.body.dataset.loaded === 'yes' || document.body.dataset.fault")
    return visit


def installed(folder: Path) -> Installation:
    """Folders for a daemon whose socket the group may use. Skips the test where there is no Cockpit or no browser."""
    server()
    chromium()
    place = Installation(folder)
    prepare(place)
    return place


@asynccontextmanager
async def visiting(place: Installation, page: Path, user: str = "operator", *, language: str = "en-US") -> AsyncIterator[Visit]:
    """The page, after a login of `user`, or as root. `language`: of the browser.

    At the end no script has failed, no policy refused a thing, no other host is asked.
    """
    folder = place.config.parent
    (folder / "console").mkdir()
    with console(place, page, folder / "console", as_root=user == "root") as cockpit:
        async with browsing(folder / "profile", language=language) as browser:
            yield await (enter(browser, cockpit) if user == "root" else log_in(browser, cockpit, user))
            assert browser.faults == []
            own = (cockpit.url, cockpit.url.replace("http", "ws"), "about:", "data:", "blob:")
            assert [url for url in browser.urls if not url.startswith(own)] == []
