"""banlistctl fleet init, rotate and revoke: new offline files of a fleet, which people then sign."""

import argparse
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from banlistd.control.declaration import Argument, Completes, LocalCommand
from banlistd.core.printing import quoted
from banlistd.ctl.fleet.common import FOLDER, offline, show_states
from banlistd.errors import FleetError, UsageError

if TYPE_CHECKING:
    from banlistd.trust.ceremony.keys import FleetKey
    from banlistd.trust.ceremony.making import SigningRole

_FILES = Completes.FILES
_THRESHOLD = 2


def _init(arguments: argparse.Namespace) -> int:
    from banlistd.trust.ceremony.folder import Folder  # noqa: PLC0415 - as `offline`
    from banlistd.trust.ceremony.keys import key_name  # noqa: PLC0415
    from banlistd.trust.ceremony.making import Thresholds, first_offline  # noqa: PLC0415

    folder = Folder(Path(arguments.folder))
    if folder.roots():
        raise UsageError(f"there is a fleet in {quoted(arguments.folder)} already", "banlistctl fleet rotate FOLDER changes it")
    people = len(arguments.root_keys)
    if people <= arguments.threshold and arguments.threshold > 1:
        raise UsageError(
            f"{arguments.threshold} of {people} root keys must sign: with one lost key the fleet could never change again",
            "name three root keys, each of another person",
        )
    thresholds = Thresholds(arguments.threshold, arguments.hub_threshold)
    folder.write(first_offline(key_name(arguments.name), _named_keys(arguments), thresholds, _now()))
    show_states(arguments, folder)
    return 0


def _change(without: str, arguments: argparse.Namespace) -> int:
    """Make the next root and targets. `without`: the argument that names the keys that go."""
    from banlistd.trust.ceremony.folder import Folder  # noqa: PLC0415 - as `offline`
    from banlistd.trust.ceremony.making import KeyChange, key_ids_of, next_offline  # noqa: PLC0415
    from banlistd.trust.ceremony.proving import must_be_signed, must_follow  # noqa: PLC0415

    folder = Folder(Path(arguments.folder))
    newest = folder.newest()
    gone = key_ids_of(newest, getattr(arguments, without) or [])
    change = KeyChange(gone, _named_keys(arguments), arguments.hub_threshold)
    try:
        must_follow(folder.roots())
        must_be_signed(newest.targets, newest.root)
    except FleetError as error:
        hint = "sign it first, or delete the newest root and targets from the folder"
        raise FleetError(f"the change before is not signed: {error.message}", hint) from error
    folder.write(next_offline(newest, change, _now()))
    show_states(arguments, folder)
    return 0


def _named_keys(arguments: argparse.Namespace) -> "tuple[tuple[SigningRole, FleetKey], ...]":
    from banlistd.trust.ceremony.key_files import read_public  # noqa: PLC0415 - as `offline`
    from banlistd.trust.ceremony.making import SigningRole  # noqa: PLC0415

    given = (
        (SigningRole.ROOT, arguments.root_keys),
        (SigningRole.TARGETS, arguments.targets_keys),
        (SigningRole.HUB, arguments.hub_keys),
    )
    return tuple((role, read_public(Path(file))) for role, files in given for file in files or ())


def _now() -> datetime:
    return datetime.fromtimestamp(int(time.time()), UTC)


def _threshold(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:3]) <= 16:  # noqa: PLR2004 - more people never meet
        raise argparse.ArgumentTypeError("expected a number from 1 to 16")
    return int(text)


def _key_arguments(*, required: bool) -> tuple[Argument, ...]:
    new = "" if required else "new "
    return tuple(
        Argument(
            f"--{role}-keys",
            "FILE.pub",
            f"public halves of {new}keys: {what}",
            nargs="+",
            required=required,
            completes=_FILES,
        )
        for role, what in (
            ("root", "of people who say who may sign, three or more"),
            ("targets", "of the person who says which hubs there are"),
            ("hub", "one of each hub"),
        )
    )


_HUB_THRESHOLD = "how many hubs must sign each list; with 2, a key that was stolen from one of them changes no ban"


INIT = LocalCommand(
    name="fleet init",
    help="begin a fleet: who may sign, and which hubs there are",
    run=offline(_init),
    arguments=(
        FOLDER,
        Argument("--name", "NAME", "the name of the fleet", required=True),
        *_key_arguments(required=True),
        Argument(
            "--threshold",
            "N",
            f"how many root keys must sign; default: {_THRESHOLD}",
            kind=_threshold,
            default=_THRESHOLD,
        ),
        Argument("--hub-threshold", "N", f"{_HUB_THRESHOLD}; default: 1", kind=_threshold, default=1),
    ),
    details="It writes 1.root.json and 1.targets.json, not signed yet, for a year. The folder goes from person to person, in"
    " any way: nothing in it is secret, and what is changed on its way is refused at the next step. The documentation of a"
    " fleet has the whole walk-through.",
)

ROTATE = LocalCommand(
    name="fleet rotate",
    help="make the next root and targets: a new year, and other keys if they are named",
    run=offline(partial(_change, "without")),
    arguments=(
        FOLDER,
        Argument("--without", "KEY", "names of keys that go", nargs="+"),
        *_key_arguments(required=False),
        Argument("--hub-threshold", "N", f"{_HUB_THRESHOLD}; default: as before", kind=_threshold),
    ),
    details="Nodes prove the new root by the one before it: as many of the old keys must sign it as of the new ones. Rotate"
    " once a year at least, before they expire; `banlistctl fleet keys FOLDER` says when.",
)

REVOKE = LocalCommand(
    name="fleet revoke",
    help="make the next root and targets without a key that was stolen or lost",
    run=offline(partial(_change, "keys")),
    arguments=(
        FOLDER,
        Argument("keys", "KEY", "the names of the keys, or the first digits of their ids, at least 8", nargs="+"),
        *_key_arguments(required=False),
        Argument("--hub-threshold", "N", f"{_HUB_THRESHOLD}; default: as before", kind=_threshold),
    ),
    details="Once it is signed and installed on a hub, nodes refuse with their next pull what the key signs. Where it was the"
    " only key of its role, name the next one.",
)
