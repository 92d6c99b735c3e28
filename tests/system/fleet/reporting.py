"""A hub and nodes that report to it, as real daemons on a real broker."""

import subprocess
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from banlistd.adapters.signatures.ed25519 import public_key_of
from banlistd.core.mqtt.orders.keys import private_key_text
from support.mosquitto import Mosquitto
from support.reporters import FLEET, signer
from system.daemon_process import Daemon, Installation

ROOT = f"banlistd/v1/{FLEET}"
ORIGIN = "fail2ban/sshd"
PUBLISHES = "publish: {lists: [reports], key: '${credential:hub-key}'}"


def topic_of(node: str) -> str:
    return f"{ROOT}/node/{node}/report"


def key_of(node: str) -> str:
    return b64encode(public_key_of(signer(node).seed)).decode()


def key_file(node: str) -> bytes:
    """The private key of a node, as its credential is."""
    return private_key_text(signer(node).seed).encode()


def hub_in(folder: Path, mosquitto: Mosquitto, reports: str = "quorum: 2, window: 1h") -> Installation:
    folder.mkdir()
    place = Installation(folder)
    source, section = f"id: reports, reports: {{{reports}}}", f"fleet: {{name: {FLEET}, {PUBLISHES}}}"
    settings(place, mosquitto, "hub", source, section, allow=["198.51.100.0/24"])
    return place


def node_in(folder: Path, mosquitto: Mosquitto, name: str, report: str = "[fail2ban/*]") -> Installation:
    """A machine whose bans by fail2ban are reported."""
    (folder / name).mkdir()
    place = Installation(folder / name)
    credentials = folder / name / "credentials"
    credentials.mkdir()
    (credentials / "node-key").write_bytes(key_file(name))
    section = f'fleet: {{name: {FLEET}, report: {report}, node_key: "${{credential:node-key}}"}}'
    settings(place, mosquitto, name, "", section)
    return place


def settings(place: Installation, mosquitto: Mosquitto, name: str, source: str, fleet: str, allow: Sequence[str] = ()) -> None:
    """The configuration of a machine; it bans in memory. An empty `source`: none."""
    place.configure(*([source] if source else []), allow=allow)
    more = ["backend: memory", f"mqtt: {{broker: 'mqtt://127.0.0.1:{mosquitto.port}', id: {name}}}", fleet, ""]
    place.file.write_text(place.file.read_text() + "\n".join(more))


def with_credentials(place: Installation) -> list[str]:
    """What starts a program with the credentials of a place, as systemd would."""
    return ["env", f"CREDENTIALS_DIRECTORY={place.config.parent / 'credentials'}"]


def admit(hub: Installation, node: str, site: str, *own: str) -> None:
    done = hub.ctl("nodes", "admit", node, "--site", site, "--key", key_of(node), *(["--own", *own] if own else []))
    assert done.returncode == 0, done.stderr


def ban(node: Installation, *addresses: str, seconds: int = 600) -> None:
    done = node.ctl("ban", *addresses, "--origin", ORIGIN, "--for", f"{seconds}s")
    assert done.returncode == 0, done.stderr


def listed(hub: Installation, address: str) -> bool:
    found: subprocess.CompletedProcess[str] = hub.ctl("check", address)
    return "reports" in found.stdout


def sightings(hub: Installation) -> dict[str, int]:
    """Of each node, how many addresses it has reported."""
    return {row["id"]: row["sightings"] for row in hub.ask("nodes")}


def bans_of(hub: Installation) -> int:
    return int(hub.ask("status")["bans"])


def next_import(hub: Daemon, since: int) -> None:
    hub.wait_for("blocklist_import_completed", "reports", since=since)
