"""banlistctl fleet sign: add the signature of one person."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from banlistd.control.declaration import Argument, LocalCommand
from banlistd.ctl.fleet.common import (
    FOLDER,
    MACHINE_CONFIG,
    PASSPHRASE,
    confirmed,
    offline,
    passphrase,
    refuse_on_hub,
    show_states,
)
from banlistd.ctl.fleet.keys import FILE_OF_KEY

if TYPE_CHECKING:
    from securesystemslib.signer import Signer


def _sign(arguments: argparse.Namespace) -> int:
    from banlistd.trust.ceremony.as_made import must_be_as_made  # noqa: PLC0415 - as `offline`
    from banlistd.trust.ceremony.folder import Folder  # noqa: PLC0415
    from banlistd.trust.ceremony.proving import changes_of, hubs_that_sign, must_follow  # noqa: PLC0415

    refuse_on_hub(Path(arguments.config), "a key for root or targets")
    folder = Folder(Path(arguments.folder))
    newest, roots = folder.newest(), folder.roots()
    must_follow(roots[:-1])
    must_be_as_made(newest)
    if not arguments.json:
        print(f"fleet {newest.fleet}: root {newest.root.signed.version}, targets {newest.targets.signed.version}")
        for line in changes_of(roots):
            print(f"  {line}")
        print(f"  {hubs_that_sign(newest.targets)}")
    if not confirmed(arguments, "sign this?"):
        print("nothing was signed")
        return 1
    folder.sign(_signer(arguments), newest)
    show_states(arguments, folder)
    return 0


def _signer(arguments: argparse.Namespace) -> "Signer":
    from banlistd.trust.ceremony.key_files import read_seed  # noqa: PLC0415 - as `offline`
    from banlistd.trust.ceremony.keys import signer_of  # noqa: PLC0415

    if arguments.key.startswith("pkcs11:"):
        from banlistd.trust.ceremony.tokens import TokenSigner, token_key  # noqa: PLC0415 - as `offline`

        place = token_key(arguments.key)
        pin = passphrase(arguments, f"PIN of the token {place.token}")
        return TokenSigner(place, lambda: pin)
    return signer_of(read_seed(Path(arguments.key), lambda: passphrase(arguments, f"passphrase of {arguments.key}")))


SIGN = LocalCommand(
    name="fleet sign",
    help="show what changes in a fleet, and add your signature to it",
    run=offline(_sign),
    arguments=(
        FOLDER,
        FILE_OF_KEY,
        PASSPHRASE,
        Argument("--yes", "", "sign without a question", is_flag=True),
        MACHINE_CONFIG,
    ),
    details="It signs the newest root, the newest targets, or both, as the key may. Compare the names and ids that it prints"
    " with what was agreed. It asks no daemon and needs no network, and refuses a machine that is a hub.",
    exits={1: "nothing was signed"},
)
