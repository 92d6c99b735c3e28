"""A real CrowdSec for a test: its local API and `cscli`, on folders of its own, started where the caller is.

The programs are those on the PATH or, on Debian, those of its package, unpacked into a cache: what it does when it is installed
needs the internet.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CACHE = Path.home() / ".cache" / "banlistd-tests" / "crowdsec"
_PATIENCE = 60.0
_PORT = 8088
KEY = "a-key-for-the-bouncer"

_CONFIG = """\
common: {{daemonize: false, log_media: stdout, log_level: warning, log_dir: {0}, working_dir: {0}}}
config_paths:
  {{config_dir: {0}, data_dir: {0}, simulation_path: {0}/simulation.yaml, hub_dir: {0}, index_path: {0}/.index.json}}
db_config: {{type: sqlite, db_path: {0}/crowdsec.db, use_wal: true}}
api:
  client: {{credentials_path: {0}/credentials.yaml}}
  server: {{log_level: warning, listen_uri: "127.0.0.1:{1}", profiles_path: {0}/profiles.yaml}}
"""
_PROFILES = """\
name: default_ip_remediation
filters: ["Alert.Remediation == true && Alert.GetScope() == 'Ip'"]
decisions: [{type: ban, duration: 4h}]
on_success: break
"""


class Crowdsec:
    """Its local API at `url`; `stop` may be followed by `start`."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._programs = programs
        self._folder = folder
        folder.mkdir()
        (folder / "config.yaml").write_text(_CONFIG.format(folder, _PORT))
        (folder / "profiles.yaml").write_text(_PROFILES)
        (folder / "simulation.yaml").write_text("simulation: false\n")
        (folder / ".index.json").write_text("{}")
        self.cscli("machines", "add", "test", "--password", "test", "--file", f"{folder}/credentials.yaml")
        self.cscli("bouncers", "add", "banlistd", "--key", KEY)
        self._process: subprocess.Popen[bytes] | None = None

    url = f"http://127.0.0.1:{_PORT}/v1/decisions/stream"

    def cscli(self, *words: str) -> str:
        command = [str(self._programs / "cscli"), "--config", f"{self._folder}/config.yaml", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return str(done.stdout)

    def decide(self, *options: str) -> None:
        self.cscli("decisions", "add", *options)

    def end(self, *options: str) -> None:
        self.cscli("decisions", "delete", *options)

    def start(self) -> None:
        command = [str(self._programs / "crowdsec"), "-c", f"{self._folder}/config.yaml", "-no-cs"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + _PATIENCE
        while not _answers():
            assert time.monotonic() < end, (self._folder / "log").read_text()
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.05)  # it says to nothing that it is ready

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_PATIENCE)


@contextmanager
def serving(crowdsec: Crowdsec) -> Iterator[None]:
    crowdsec.start()
    try:
        yield
    finally:
        crowdsec.stop()


def _answers() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", _PORT)) == 0


def programs() -> Path:
    """The folder of `crowdsec` and `cscli`. Skips without them; to be called outside of any network namespace."""
    found = shutil.which("crowdsec")
    if found is not None and shutil.which("cscli") is not None:
        return Path(found).parent
    if not (_CACHE / "usr/bin/cscli").exists():
        _unpack()
    return _CACHE / "usr/bin"


def _unpack() -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("no command crowdsec, and no apt-get to get it from Debian")
    _CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE.parent) as name:
        folder = Path(name)
        got = subprocess.run(["apt-get", "download", "crowdsec"], cwd=folder, capture_output=True, text=True, check=False)
        packages = [*folder.glob("crowdsec_*.deb")]
        if got.returncode != 0 or not packages:
            pytest.skip(f"no command crowdsec, and no package of that name: {got.stderr.strip()[-200:]}")
        subprocess.run(["dpkg-deb", "--extract", packages[0], folder / "root"], check=True)
        if not _CACHE.exists():
            os.rename(folder / "root", _CACHE)  # noqa: PTH104 - at once; pathlib's is the same
