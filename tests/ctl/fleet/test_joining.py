"""A machine joins a fleet: its keys are made once, and what is handed over fits them."""

import json
import stat
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

from banlistd.adapters.signatures.ed25519 import public_key_of
from banlistd.core.mqtt.orders.keys import private_key

CTL = Path(sys.executable).parent / "banlistctl"


def join(folder: Path, node: str = "web-1", *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(CTL), *options, "fleet", "join", node, "--folder", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def joined(folder: Path) -> Any:
    done = join(folder, "web-1", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_keys_are_made_once_for_their_owner_alone_and_the_request_is_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    first, again = joined(folder), joined(folder)
    assert first["key"] == again["key"]
    assert b64decode(first["key"]) == public_key_of(private_key((folder / "node-key").read_text()))
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}

    def openssl(*words: str) -> str:
        command, request = ["openssl", *words], str(first["request"])
        return subprocess.run(command, check=True, capture_output=True, text=True, input=request).stdout

    assert "CN = web-1" in openssl("req", "-noout", "-subject", "-verify")
    assert openssl("req", "-noout", "-pubkey") == openssl("pkey", "-in", str(folder / "mqtt-key"), "-pubout")


def test_the_page_has_the_command_for_the_hub(tmp_path: Path) -> None:
    done = join(tmp_path)
    assert f"banlistctl nodes admit web-1 --site SITE --key {joined(tmp_path)['key']}" in done.stdout


def test_a_wrong_name_makes_nothing(tmp_path: Path) -> None:
    done = join(tmp_path / "credentials", "Web_1")
    assert done.returncode == 64
    assert '"Web_1" is no id of a host' in done.stderr
    assert not (tmp_path / "credentials").exists()


def test_a_key_that_openssl_has_written_a_part_of_is_not_left(tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    # The request cannot be written where a folder has its name, once the key is there.
    (folder / "web-1.csr").mkdir()
    assert join(folder).returncode == 74
    assert sorted(path.name for path in folder.iterdir()) == ["node-key", "web-1.csr"]
    (folder / "web-1.csr").rmdir()
    assert joined(folder)["request"].startswith("-----BEGIN CERTIFICATE REQUEST-----")
