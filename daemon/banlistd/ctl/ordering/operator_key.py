"""banlistctl operator-key: make the key of an operator, or show its public half."""

import argparse
import json
import os
from base64 import b64encode

from banlistd.control.declaration import Argument, LocalCommand


def _run(arguments: argparse.Namespace) -> int:
    from banlistd.adapters.signatures.ed25519 import public_key_of  # noqa: PLC0415 - ctypes: other commands need none
    from banlistd.core.mqtt.orders.keys import SEED_OCTETS, key_id  # noqa: PLC0415 - hashlib: other commands need none
    from banlistd.ctl.ordering.key_files import read_key, write_key  # noqa: PLC0415

    if arguments.show:
        seed = read_key(arguments.file)
    else:
        seed = os.urandom(SEED_OCTETS)
        write_key(arguments.file, seed)
    public = public_key_of(seed)
    key = b64encode(public).decode()
    if arguments.json:
        print(json.dumps({"file": arguments.file, "key": key, "key_id": key_id(public)}))
    else:
        print(key)
    return 0


OPERATOR_KEY = LocalCommand(
    name="operator-key",
    help="make the key of an operator, who signs orders over MQTT",
    run=_run,
    arguments=(
        Argument("file", "FILE", "the file of the private key, which must not exist; it gets the mode 0600"),
        Argument("--show", "", "print the public half of a key that is there", is_flag=True),
    ),
    details="It prints the public half, which goes under `mqtt: operators:` in the configuration of each host. The private half"
    " stays in its file, in the form of `openssl pkey` (PKCS #8), without a passphrase: keep it on an encrypted disk. The"
    " command asks no daemon, and needs no network.",
    exits={74: "the file of the key could not be read or written"},
)
