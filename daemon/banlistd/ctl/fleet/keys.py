"""banlistctl fleet new-key and fleet keys: the keys of a fleet, made and listed."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from banlistd.control.declaration import Argument, Completes, LocalCommand
from banlistd.core.printing import printable
from banlistd.ctl.fleet.common import FOLDER, MACHINE_CONFIG, PASSPHRASE, offline, passphrase, refuse_on_hub
from banlistd.errors import UsageError

if TYPE_CHECKING:
    from banlistd.trust.ceremony.keys import FleetKey

_ADDRESS = "pkcs11:token=T;object=O?module-path=LIBRARY"
_ROLES = ("root", "targets", "hub")


def _make(arguments: argparse.Namespace) -> int:
    from banlistd.trust.ceremony.key_files import make_key, public_file, refuse_existing  # noqa: PLC0415 - as `offline`
    from banlistd.trust.ceremony.keys import key_name  # noqa: PLC0415

    path = Path(arguments.file)
    beside, name = public_file(path), key_name(arguments.name or path.name.removesuffix(".key"))
    secret = b""
    if arguments.role == "hub":
        if arguments.token:
            raise UsageError("the key of a hub is in no token: its daemon starts without a PIN", "leave --token out")
        if arguments.passphrase_file:
            raise UsageError("the key of a hub has no passphrase: its daemon starts without one", "systemd-creds encrypts it")
    else:
        refuse_on_hub(Path(arguments.config), f"a key for {arguments.role}")
        if arguments.token:
            return _make_in_token(arguments, path, name)
        refuse_existing(path, beside)
        secret = b"" if arguments.no_passphrase else _new_passphrase(arguments)
    public = make_key(path, name, secret)
    if arguments.json:
        print(
            json.dumps({"file": str(path), "public": str(beside), "name": name, "id": public.id, "line": public.line.strip()})
        )
    else:
        print(f"{path}: the private key of {name}, which stays here{' under its passphrase' if secret else ''}")
        _say_public(beside, public)
    return 0


def _say_public(path: Path, key: "FleetKey") -> None:
    print(f"{path}: its public half, to hand over: {key.line.strip()}")
    print(f"its digits, as everyone sees them who signs: {key.id[:16]}")


def _make_in_token(arguments: argparse.Namespace, path: Path, name: str) -> int:
    from banlistd.trust.ceremony.key_files import public_file, refuse_existing  # noqa: PLC0415 - as `offline`
    from banlistd.trust.ceremony.tokens import make_token_key, token_key  # noqa: PLC0415

    place, beside = token_key(arguments.token), public_file(path)
    refuse_existing(beside)
    public = make_token_key(place, path, name, passphrase(arguments, f"PIN of the token {place.token}"))
    if arguments.json:
        print(json.dumps({"file": "", "public": str(beside), "name": name, "id": public.id, "line": public.line.strip()}))
    else:
        print(f"{printable(place.token)}: the private key of {name}, which stays in the token")
        _say_public(beside, public)
    return 0


def _new_passphrase(arguments: argparse.Namespace) -> bytes:
    first = passphrase(arguments, "passphrase of the new key")
    if not first:
        raise UsageError("the passphrase is empty", "--no-passphrase makes a key that is not encrypted")
    if not arguments.passphrase_file and passphrase(arguments, "once more") != first:
        raise UsageError("the two passphrases differ")
    return first


def _list(arguments: argparse.Namespace) -> int:
    from banlistd.trust.ceremony.folder import Folder  # noqa: PLC0415 - as `offline`
    from banlistd.trust.ceremony.making import SigningRole, hub_role, signing_keys  # noqa: PLC0415

    folder = Folder(Path(arguments.folder))
    newest = folder.newest()
    known = sorted(signing_keys(newest).items(), key=lambda each: (_ROLES.index(each[1].roles[0]), each[1].name))
    root, targets, hubs = newest.root.signed, newest.targets.signed, hub_role(newest.targets)
    if arguments.json:
        keys = [{"name": key.name, "id": identity, "roles": key.roles} for identity, key in known]
        threshold = root.roles["root"].threshold
        thresholds = {"threshold": threshold, "hub_threshold": hubs.threshold}
        document = {"fleet": newest.fleet, "root": root.version, **thresholds, "keys": keys}
        print(json.dumps(document | {"expires": root.expires.timestamp(), "targets": targets.version}))
        return 0
    print(f"fleet {newest.fleet}: root {root.version}, targets {targets.version}, valid until {root.expires:%Y-%m-%d}")
    for identity, key in known:
        signing = {SigningRole.ROOT: root.roles["root"], SigningRole.HUB: hubs}.get(key.roles[0])
        need = f" ({signing.threshold} of {len(signing.keyids)} sign)" if signing else ""
        print(f"  {key.name:<24} {', '.join(key.roles)}{need}  {identity[:16]}")
    for state in folder.states():
        print(state)
    return 0


NEW_KEY = LocalCommand(
    name="fleet new-key",
    help="make a key of a fleet: for a person who signs the root or the targets, or for a hub",
    run=offline(_make),
    arguments=(
        Argument("file", "FILE", "the file of the private key, which must not exist; it gets the mode 0600"),
        Argument("--role", "ROLE", "what the key is for", choices=_ROLES, required=True),
        Argument("--name", "NAME", "the name of the key, for people; default: that of the file, without .key"),
        PASSPHRASE,
        Argument("--token", "URI", f"make it in a token, and write FILE.pub only: {_ADDRESS}; its PIN is the passphrase"),
        Argument("--no-passphrase", "", "do not encrypt a key for root or targets", is_flag=True),
        MACHINE_CONFIG,
    ),
    details="It writes the private key (PKCS #8; with a passphrase: scrypt and AES-256, which `openssl pkey` reads) and"
    " FILE.pub, one line with the public half. Keys for root and targets belong to people, each on a machine or a medium of"
    " their own; they are refused on a machine whose configuration has `fleet: publish:`. The key of a hub is made on that"
    " hub, without a passphrase, and given to the daemon as a credential.",
)

LIST_KEYS = LocalCommand(
    name="fleet keys",
    help="list the keys of a fleet, what each is for, and which signatures are missing",
    run=offline(_list),
    arguments=(FOLDER,),
)

FILE_OF_KEY = Argument(
    "--key",
    "FILE|URI",
    f"the private key, as new-key made it; in a token: {_ADDRESS}",
    required=True,
    completes=Completes.FILES,
)
