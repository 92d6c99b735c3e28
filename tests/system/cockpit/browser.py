"""Chromium without a window, driven through its DevTools protocol. It runs where it is started, in a namespace of its own.

JavaScript of a test is evaluated by the debugger, which the content security policy of a page does not concern.
"""

import asyncio
import base64
import json
import re
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60.0
_UNTIL = """new Promise(resolve => {
    const look = () => {
        let value = false;
        try { value = (SCRIPT); } catch { /* not there yet */ }
        if (value) resolve(value); else setTimeout(look, 50);
    };
    look();
})"""
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root's Chromium has none; the pages are those of the test
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--window-size=1280,900",
    "--remote-debugging-port=0",
    "--force-device-scale-factor=1",
)


def chromium() -> str:
    """The program. Skips the test where there is none."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        pytest.skip("no Chromium: apt-get install chromium")
    return found


class PageError(Exception):
    """JavaScript that a test evaluated has failed."""


class Browser:
    """One tab. `urls`: of every request. `faults`: uncaught exceptions, and what a content security policy refused."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.urls: list[str] = []
        self.faults: list[str] = []
        self._socket = socket
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    async def command(self, method: str, **parameters: object) -> dict[str, Any]:
        """What the browser answers. Raises PageError."""
        self._number += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE):
            return await answer

    async def evaluate(self, script: str, world: int | None = None) -> Any:
        """The value of an expression, or of the promise that it is; in the document of the tab, or in a `world`."""
        where = {} if world is None else {"contextId": world}
        answer = await self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, **where)
        if "exceptionDetails" in answer:
            raise PageError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    async def world(self, of: str) -> int:
        """A place for scripts beside those of the frame with `of` in its address."""
        frames = [(await self.command("Page.getFrameTree"))["frameTree"]]
        for frame in frames:
            frames += frame.get("childFrames", [])
        (wanted,) = [frame["frame"]["id"] for frame in frames if of in frame["frame"]["url"]]
        number: int = (await self.command("Page.createIsolatedWorld", frameId=wanted))["executionContextId"]
        return number

    async def until(self, script: str) -> Any:
        """The value of an expression once it is true; it may fail before, and the page may be another one meanwhile."""
        looking = _UNTIL.replace("SCRIPT", script)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                async with asyncio.timeout(PATIENCE / 2):
                    return await self.evaluate(looking)
            except (PageError, TimeoutError):
                continue
        shown = "[document, ...[...document.querySelectorAll('iframe')].map(each => each.contentDocument)]"
        seen = await self.evaluate(f"{shown}.map(each => each.documentElement.innerText).join('\\n---\\n')")
        pytest.fail(f"never: {script}\n{seen}\n{self.faults}")

    async def screenshot(self, place: Path) -> None:
        shot = await self.command("Page.captureScreenshot", format="png")
        await asyncio.to_thread(place.write_bytes, base64.b64decode(shot["data"]))

    async def resize(self, width: int, height: int) -> None:
        await self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    async def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            await self.command("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    async def open(self, url: str) -> None:
        await self.command("Page.navigate", url=url)

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                self._take(json.loads(message.data))

    def _take(self, sent: Mapping[str, Any]) -> None:
        if "id" in sent:
            answer = self._answers.pop(sent["id"])
            if "error" in sent:
                answer.set_exception(PageError(sent["error"]["message"]))
            else:
                answer.set_result(sent["result"])
            return
        given = sent["params"]
        match sent["method"]:
            case "Network.requestWillBeSent":
                self.urls.append(given["request"]["url"])
            case "Runtime.exceptionThrown":
                self.faults.append(json.dumps(given["exceptionDetails"])[:1000])
            case "Log.entryAdded" if "Content Security Policy" in given["entry"]["text"]:
                self.faults.append(given["entry"]["text"])


@asynccontextmanager
async def browsing(folder: Path, *, language: str = "en-US") -> AsyncIterator[Browser]:
    """A browser whose profile is in `folder`, which must not exist."""
    program = chromium()
    process = await asyncio.create_subprocess_exec(
        program,
        *_OPTIONS,
        f"--lang={language}",
        f"--accept-lang={language}",
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=-3,
        stderr=-1,
    )
    try:
        assert process.stderr
        async with asyncio.timeout(PATIENCE):
            port = await _port(process.stderr)
        # What it says later would fill the pipe.
        draining = asyncio.create_task(process.stderr.read())
        async with ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                (address,) = [each["webSocketDebuggerUrl"] for each in await answer.json() if each["type"] == "page"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                browser = Browser(socket)
                for domain in ("Page", "Runtime", "Network", "Log"):
                    await browser.command(f"{domain}.enable")
                try:
                    yield browser
                finally:
                    await browser.close()
        draining.cancel()
    finally:
        process.kill()
        await process.wait()


async def _port(said: asyncio.StreamReader) -> int:
    async for line in said:
        if found := re.search(rb"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line):
            return int(found[1])
    pytest.fail("Chromium has ended")
