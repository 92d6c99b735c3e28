"""A login is reported as it happens: by the real libsystemd, on a state of logind that the test writes."""

import asyncio
import json
import shutil
import subprocess
import sys

import pytest

from banlistd.adapters.host import login_monitor
from banlistd.adapters.host.login_monitor import LoginMonitor
from banlistd.adapters.host.sessions import libsystemd

# In a mount namespace, where /run is empty: libsystemd looks nowhere else.
ON_A_MACHINE = """
import time
started = time.monotonic()
import asyncio, json, os
from pathlib import Path
from banlistd.adapters.host.login_monitor import LoginMonitor
from banlistd.adapters.host.sessions import SystemLogins

SESSIONS = Path("/run/systemd/sessions")
loading = time.monotonic() - started

def begin(name, host):
    text = f"UID=0\\nUSER=root\\nACTIVE=1\\nSTATE=active\\nREMOTE=1\\nCLASS=user\\nREMOTE_HOST={host}\\n"
    (SESSIONS / f".#{name}").write_text(text)
    os.rename(SESSIONS / f".#{name}", SESSIONS / name)

async def story():
    monitor, logins, found = LoginMonitor(retry=0.05), SystemLogins({}), []
    waiting = asyncio.ensure_future(monitor.wait_for_change())
    await asyncio.sleep(0)
    SESSIONS.mkdir(parents=True)
    for turn, change in enumerate((lambda: begin("7", "192.0.2.7"), lambda: begin("8", "192.0.2.8"), (SESSIONS / "7").unlink)):
        while not turn and not monitor._monitor.value:  # logind comes after the daemon
            await asyncio.sleep(0.01)
        began = time.monotonic()
        change()
        async with asyncio.timeout(60):
            await waiting
        hosts = [number & 255 for _, number in await logins.current()]
        found.append((sorted(hosts), time.monotonic() - began))
        waiting = asyncio.ensure_future(monitor.wait_for_change())
    await asyncio.sleep(0.1)
    found.append(([], float(waiting.done())))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    monitor.close()
    monitor.close()
    print(json.dumps([loading, found]))

asyncio.run(story())
"""


def test_a_login_and_the_end_of_a_session_are_reported_at_once() -> None:
    if not shutil.which("unshare"):
        pytest.skip("no command unshare")
    try:
        libsystemd()
    except OSError:
        pytest.skip("no libsystemd")
    inner = 'mount -t tmpfs none /run && exec "$0" -c "$1"'
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inner, sys.executable, ON_A_MACHINE]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    if "unshare failed" in done.stderr:
        pytest.skip("no mount namespace")
    assert done.returncode == 0, done.stderr
    loading, (*reports, (_, reported_without_need)) = json.loads(done.stdout)
    assert [hosts for hosts, _ in reports] == [[7], [7, 8], [8]]
    # A hundredth of what Python takes to load this program (measured); a look at every few seconds would be later each time.
    # One of them may be late on a busy machine.
    assert min(seconds for _, seconds in reports) < 3 * loading
    assert not reported_without_need


def no_library() -> object:
    raise OSError(2, "no libsystemd.so.0")


def test_without_logind_nothing_is_reported_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_monitor, "libsystemd", no_library)

    async def story() -> None:
        monitor = LoginMonitor(retry=0.001)
        waiting = asyncio.ensure_future(monitor.wait_for_change())
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        monitor.close()

    asyncio.run(story())
