"""packaging/docs/fleet.md, command by command: three root keys, two hubs, a mirror, three nodes, a stolen key revoked."""

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from tuf.api.exceptions import RepositoryError

from banlistd.trust.repository.lease import STRIDE, Lease, write_lease
from support.fleet import Hub, Node, Owners, new_content
from support.fleet_document import answered, configured, walk
from support.mirror import mirror_of
from system.daemon_process import BIN, Daemon, Installation, running

RSYNC = 'command -v rsync >/dev/null || rsync() { cp -a "${@: -2:1}." "${@: -1}"; }\n'


class Machines:
    """Each machine of the document is a folder; what passes between them is in `stick`, and what the mirror serves in `srv`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stick, self.srv = folder / "stick", folder / "srv"
        for path in (self.stick, self.srv / "fleet"):
            path.mkdir(parents=True)
        (folder / "secret").write_text("correct horse battery staple\n")
        self._sections = walk()

    def place(self, name: str) -> Path:
        path = self.folder / name
        for part in ("config/credentials", "state"):
            (path / part).mkdir(parents=True, exist_ok=True)
        return path

    def do(self, section: str, but: str = "") -> None:
        """Every block of commands of a section, each on its machine. `but`: of one that asks a daemon."""
        for machine, commands in self._sections[section]:
            if commands == but:
                continue
            place = self.place(machine)
            text = answered(commands, f"{self.folder}/secret")
            text = text.replace("hub-a:/var/lib/banlistd", str(self.place("hub-a") / "state"))
            for path, here in (
                ("/media/stick", self.stick),
                ("/srv", self.srv),
                ("/etc/banlistd", place / "config"),
                ("/var/lib/banlistd", place / "state"),
            ):
                text = text.replace(path, str(here))
            environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "STATE_DIRECTORY": str(place / "state")}
            done = subprocess.run(
                ["bash", "-e", "-c", RSYNC + text], cwd=place, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{machine}: {text}\n{done.stdout}{done.stderr}"

    def hub(self, name: str, entries: int, monkeypatch: pytest.MonkeyPatch, lines: str = "") -> Installation:
        """Its daemon, with the configuration of the document. `lines`: of another section."""
        place = self.place(name)
        shutil.copytree(place / "config", place / "credentials-of-systemd", dirs_exist_ok=True)
        shutil.rmtree(place / "config")
        daemon = Installation(place)
        (place / "list.txt").write_text("".join(f"198.51.{number}.7\n" for number in range(entries)))
        daemon.configure(f"id: drop, path: {place / 'list.txt'}")
        lines = lines or configured("The hubs", "publish:")
        daemon.file.write_text(daemon.file.read_text() + "backend: memory\n" + lines)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(place / "credentials-of-systemd" / "credentials"))
        return daemon


def test_the_document_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machines = Machines(tmp_path)
    machines.do("Begin")
    machines.do("The hubs")
    owners = cast("Owners", SimpleNamespace(folder=SimpleNamespace(path=machines.stick / "main")))
    mirror = machines.srv / "fleet"
    with running(machines.hub("hub-a", 3, monkeypatch), "drop") as daemon:
        published = _published(daemon, 0)
        if not published["entries"]:  # its start was sooner than its first import
            published = _published(daemon, daemon.events.index(published) + 1)
        assert published["entries"] == 3
        machines.do("A mirror")
        assert daemon.terminate() == 0
    machines.do("The nodes")
    nodes = [Node(tmp_path / f"node-{number}", owners) for number in range(3)]
    for node in nodes:
        assert (node.pull(mirror, "drop/full.blz") or b"")[:4] == b"BLZ1"

    machines.do("A hub that takes over")
    with running(machines.hub("hub-b", 5, monkeypatch), "drop") as daemon:
        published = _published(daemon, 0)
        assert published["version"] > STRIDE
        public = tmp_path / "hub-b" / "state" / "fleet" / "public"
        for node in nodes:
            assert node.pull(public, "drop/full.blz")

        # The thief has all that hub-a had, and runs ahead.
        thief = Hub(tmp_path / "thief", _with_key(tmp_path / "hub-a" / "credentials-of-systemd"), "hub-key")
        shutil.copytree(tmp_path / "hub-a" / "state" / "fleet", thief.folder.path, dirs_exist_ok=True)
        write_lease(thief.folder.path, Lease(1000))
        assert thief.publish({"drop": new_content("poison")}, "drop")["ok"]
        assert nodes[0].pull(thief.folder.public, "drop/full.blz") == b"poison"
        machines.do("A stolen key")
        _published(daemon, daemon.events.index(published) + 1)
        for node in nodes:
            assert (node.pull(public, "drop/full.blz") or b"")[:4] == b"BLZ1"
            with pytest.raises(RepositoryError):
                node.pull(thief.folder.public, "drop/full.blz")


def test_two_hubs_sign_as_the_document_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machines, section = Machines(tmp_path), "Two hubs that must both sign"
    machines.do("Begin")
    machines.do("The hubs")
    machines.do(section, but="banlistctl fleet\n")
    owners = cast("Owners", SimpleNamespace(folder=SimpleNamespace(path=machines.stick / "main")))
    public = {name: machines.place(name) / "state" / "fleet" / "public" for name in ("hub-a", "hub-b")}
    with mirror_of(public["hub-a"]) as first, mirror_of(public["hub-b"]) as second:
        lines = configured(section, "cosigners")
        on_a, on_b = (lines.replace("https://hub-b.example/fleet", one.url) for one in (second, first))
        with running(machines.hub("hub-a", 3, monkeypatch, on_a), "drop") as daemon:
            with running(machines.hub("hub-b", 3, monkeypatch, on_b), "drop"):
                published = _published(daemon, 0)
                while not published["entries"]:
                    published = _published(daemon, daemon.events.index(published) + 1)
            node = Node(tmp_path / "node", owners)
            assert (node.pull(public["hub-a"], "drop/full.blz") or b"")[:4] == b"BLZ1"


def _with_key(folder: Path) -> Owners:
    return cast("Owners", SimpleNamespace(key=lambda name: folder / "credentials" / name))


def _published(daemon: Daemon, since: int) -> dict[str, int]:
    return daemon.wait_for("fleet_published", since=since)
