"""Cockpit's web server, with a person who logs in, beside a daemon; no account of this machine changes.

It runs in a mount namespace, where the files of accounts have further lines, and where the folder of the daemon's socket is
/run/banlistd. What a network namespace has of loopback is all that reaches it.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.users import need_another_user
from system.daemon_process import PATIENCE, Installation

SERVER = (Path("/usr/lib/cockpit/cockpit-ws"), Path("/usr/libexec/cockpit-ws"))
ADDRESS, PORT = "127.0.0.1", 9090
# Of no account here; the group is that of the socket.
GROUP, OPERATOR, VISITOR = 64990, 64991, 64992
PASSWORD = "correct-horse"  # noqa: S105 - of accounts that exist nowhere else
HASHED = "$6$banlistd$rrDeGs28ovu8AOKvO/BneTKPlXy.nIQIi12UZXxRD84Ly.cIc6fqh01Evra60CPNGuJP7oNP9sVI4DrTTu1jD0"

# $1: the folder with passwd, group, shadow and page; $2: that of the socket; then the command.
_INSIDE = f"""
set -e
folder=$1 runtime=$2
shift 2
for file in passwd group shadow; do mount --bind "$folder/$file" "/etc/$file"; done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/banlistd /run/user
mount --bind "$runtime" /run/banlistd
mount -t tmpfs -o mode=755 tmpfs /home
mkdir /home/bin
cp "$folder/banlistctl" "$folder/catalogue.json" /home/bin
chmod 755 /home/bin/banlistctl
chmod 644 /home/bin/catalogue.json
mount --bind /home/bin /usr/local/bin
for person in operator:{OPERATOR} visitor:{VISITOR}; do
    home=/home/${{person%%:*}}
    page=$home/.local/share/cockpit/banlistd
    mkdir -p "$page"
    cp -r "$folder/page/." "$page"
    chown -R "${{person##*:}}:${{person##*:}}" "$home"
done
exec "$@"
"""


# Root can read them, and the configuration of the test is elsewhere than in /etc.
_CONTROL_OF_ROOT = """#!/bin/sh
verb=$2
shift 2
[ "$verb" = catalogue ] || set -- --config {config} "$@"
exec {program} --json "$verb" "$@"
"""
# The programs of this project may be where no other account can read: this prints what the real one has printed.
_CONTROL = """#!/bin/sh
[ "$*" = "--json catalogue" ] && exec cat /usr/local/bin/catalogue.json
echo '{"error": {"kind": "UsageError", "message": "not in this test", "hint": "", "exit_code": 64}}'
exit 64
"""


@dataclass(frozen=True, slots=True)
class Console:
    """`url` of the login page, and of this project's page within the shell."""

    url: str = f"http://{ADDRESS}:{PORT}/"

    @property
    def page(self) -> str:
        return f"{self.url}banlistd"


def server() -> Path:
    """cockpit-ws. Skips the test where it, the bridge or what they need is missing."""
    found = next((path for path in SERVER if path.exists()), None)
    if found is None or shutil.which("cockpit-bridge") is None:
        pytest.skip("no Cockpit: apt-get install cockpit-ws cockpit-bridge cockpit-system")
    if not Path("/etc/pam.d/cockpit").exists():
        pytest.skip("no /etc/pam.d/cockpit: nobody can log in")
    need_another_user()
    return found


def prepare(place: Installation) -> None:
    """The socket gets the group: its folder gives it on."""
    place.runtime.mkdir(mode=0o750)
    os.chown(place.runtime, 0, GROUP)
    place.runtime.chmod(0o2750)


@contextmanager
def console(place: Installation, page: Path, folder: Path, *, as_root: bool = False) -> Iterator[Console]:
    """Cockpit, listening. `page`: the built files. `folder`: an empty one. Call `prepare(place)` before its daemon starts.

    `as_root`: without a login, with the rights of root and the real banlistctl.
    """
    program = server()
    _write_accounts(folder)
    shutil.copytree(page, folder / "page")
    control = _CONTROL_OF_ROOT.format(program=place.ctl_command()[0], config=place.config) if as_root else _CONTROL
    (folder / "banlistctl").write_text(control)
    (folder / "catalogue.json").write_text(place.ctl("--json", "catalogue").stdout)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _INSIDE, "sh", str(folder), str(place.runtime)]
    log = folder / "cockpit.log"
    session = ["--local-session=cockpit-bridge"] if as_root else []
    # The page is to find the banlistctl of this place, and not that of the environment in which the tests run.
    path = f"/usr/local/bin:{os.environ['PATH']}"
    environment = os.environ | {"XDG_DATA_HOME": "/home/operator/.local/share", "PATH": path}
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*command, str(program), "--no-tls", "--address", ADDRESS, "--port", str(PORT), *session],
            stdout=said,
            stderr=said,
            env=environment,
        )
    try:
        _wait_until_it_listens(process, log)
        yield Console()
    finally:
        process.kill()
        process.wait(PATIENCE)


def _write_accounts(folder: Path) -> None:
    people = {"operator": OPERATOR, "visitor": VISITOR}
    lines = {
        "passwd": [f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh" for name, uid in people.items()],
        "group": [*(f"{name}:x:{uid}:" for name, uid in people.items()), f"banlistd:x:{GROUP}:operator"],
        "shadow": [f"{name}:{HASHED}:19000:0:99999:7:::" for name in people],
    }
    for file, added in lines.items():
        of_machine = [line for line in Path("/etc", file).read_text().splitlines() if not line.startswith("banlistd:")]
        (folder / file).write_text("\n".join([*of_machine, *added, ""]))
        (folder / file).chmod(0o600 if file == "shadow" else 0o644)


def _wait_until_it_listens(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((ADDRESS, PORT)) == 0:
                return
        # It has no other sign of life.
        time.sleep(0.05)
    pytest.fail(f"Cockpit does not listen: {log.read_text(errors='replace')}")
