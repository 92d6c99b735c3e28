"""banlistctl fleet join: on a machine that joins a fleet, make its keys, and say what to hand over."""

import argparse
import json
import os
import subprocess
from pathlib import Path

from banlistd.control.declaration import Argument, Completes, LocalCommand
from banlistd.core.printing import quoted
from banlistd.errors import FleetError, FleetFileError

_CREDENTIALS = "/etc/banlistd/credentials"
_OPENSSL = "/usr/bin/openssl"
_SECONDS = 60.0


def _join(arguments: argparse.Namespace) -> int:
    from base64 import b64encode  # noqa: PLC0415 - other commands need none of these

    from banlistd.adapters.signatures.ed25519 import public_key_of  # noqa: PLC0415
    from banlistd.core.config.service.mqtt import node_id  # noqa: PLC0415
    from banlistd.core.config.values import Unfit  # noqa: PLC0415
    from banlistd.core.mqtt.orders.keys import SEED_OCTETS  # noqa: PLC0415
    from banlistd.ctl.ordering.key_files import read_key, write_key  # noqa: PLC0415
    from banlistd.errors import UsageError  # noqa: PLC0415

    try:
        node = node_id(arguments.node)
    except Unfit as verdict:
        raise UsageError(verdict.words, verdict.hint) from verdict
    folder = Path(arguments.folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FleetFileError(f"cannot make {quoted(str(folder))}: {error.strerror}", "run it as root") from error
    node_key = folder / "node-key"
    if not node_key.exists():
        write_key(str(node_key), os.urandom(SEED_OCTETS))
    key = b64encode(public_key_of(read_key(str(node_key)))).decode()
    request = _request(folder / "mqtt-key", folder / f"{node}.csr", node)
    if arguments.json:
        print(json.dumps({"node": node, "key": key, "request": request, "folder": str(folder)}))
        return 0
    print(f"to the owner of the hub: banlistctl nodes admit {node} --site SITE --key {key}")
    print(f"to the owner of the authority of the broker, for a certificate with the CN {node}:\n{request.rstrip()}")
    print(
        "into banlistd.yaml, once the certificate is there:\n"
        f"  mqtt: {{broker: 'mqtts://...', id: {node}, tls: {{ca: ..., certificate: ..., key: '${{credential:mqtt-key}}'}}}}\n"
        "  fleet: {name: ..., report: [fail2ban/*], node_key: '${credential:node-key}'}"
    )
    return 0


def _request(key: Path, request: Path, node: str) -> str:
    """A request for a certificate (PKCS #10, PEM), and its key, P-256, made if it is absent. Raises FleetError."""
    made: list[tuple[str, ...]] = []
    if is_new := not key.exists():
        made.append(("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key)))
    made.append(("req", "-new", "-key", str(key), "-subj", f"/CN={node}", "-out", str(request)))
    before = os.umask(0o077)
    try:
        for words in made:
            command = [_OPENSSL, *words]  # the name of the node has letters, digits and hyphens only
            subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS, stdin=subprocess.DEVNULL)  # noqa: S603
        return request.read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise FleetError("there is no openssl, which makes the request for a certificate", "apt install openssl") from error
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        if is_new:  # a part of one would be taken for the key from then on
            key.unlink(missing_ok=True)
        raise FleetFileError(
            f"openssl could not make {quoted(str(request))}", f"openssl pkey -in {quoted(str(key))}"
        ) from error
    finally:
        os.umask(before)


JOIN = LocalCommand(
    name="fleet join",
    help="make the keys of a machine that joins a fleet, and print what to hand over",
    run=_join,
    arguments=(
        Argument("node", "NODE", "the name of the machine in the fleet, `id` of its `mqtt:`"),
        Argument(
            "--folder",
            "DIR",
            f"where the keys are written; default: {_CREDENTIALS}",
            default=_CREDENTIALS,
            completes=Completes.FOLDERS,
        ),
    ),
    details="It makes `node-key`, which signs what the machine reports (Ed25519), and `mqtt-key` with a request for a"
    " certificate (P-256), and prints the command that admits the node at the hub, the request, and the keys of banlistd.yaml."
    " Keys that are there already stay, so it can be run again. The private keys never leave the machine.",
    exits={74: "a file could not be read or written"},
)
