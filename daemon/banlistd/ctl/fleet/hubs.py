"""banlistctl fleet install and fleet promote: on a hub, take over what the owners signed, and be the hub that publishes."""

import argparse
import json
from pathlib import Path

from banlistd.control.declaration import Argument, Completes, LocalCommand
from banlistd.core.printing import printable
from banlistd.ctl.fleet.common import FOLDER, HUB_STATE, offline, state_folder


def _install(arguments: argparse.Namespace) -> int:
    from banlistd.trust.ceremony.folder import Folder  # noqa: PLC0415 - as `offline`
    from banlistd.trust.repository.hub_folder import HubFolder  # noqa: PLC0415
    from banlistd.trust.repository.standby import install  # noqa: PLC0415

    written = install(HubFolder(state_folder(arguments)), Folder(Path(arguments.folder)))
    if arguments.json:
        print(json.dumps({"installed": written}))
    elif written:
        print(f"installed: {', '.join(written)}; the daemon publishes it within seconds, if this hub is the active one")
    else:
        print("the hub has it already")
    return 0


def _promote(arguments: argparse.Namespace) -> int:
    from banlistd.trust.repository.hub_folder import HubFolder  # noqa: PLC0415 - as `offline`
    from banlistd.trust.repository.standby import promote  # noqa: PLC0415

    sources = getattr(arguments, "from") or []
    done = promote(HubFolder(state_folder(arguments)), sources, Path(arguments.ca) if arguments.ca else None)
    if arguments.json:
        expired = {source: end.timestamp() for source, end in done.expired.items()}
        print(json.dumps({"term": done.lease.term, "next_version": done.lease.least, "expired": expired}))
        return 0
    print(f"this hub publishes from version {done.lease.least} on; a hub that was active before stops once it sees that")
    for source, end in done.expired.items():
        print(f"{printable(source)}: nothing newer than of {end:%Y-%m-%d %H:%M} UTC, when its timestamp has ended.")
    if done.expired:
        print("If another mirror has something newer, promote again with --from that mirror: nodes may have seen it.")
    return 0


INSTALL = LocalCommand(
    name="fleet install",
    help="on a hub: take over root and targets that are wholly signed",
    run=offline(_install),
    arguments=(FOLDER, HUB_STATE),
    details="It refuses a root that is not proven by the roots that the hub has, and what lacks a signature. The daemon may run"
    " or not; it sees the files within seconds.",
)

PROMOTE_HUB = LocalCommand(
    name="fleet promote",
    help="on a hub: become the hub that publishes, above the highest version seen",
    run=offline(_promote),
    arguments=(
        HUB_STATE,
        Argument(
            "--from",
            "URL|FOLDER",
            "mirrors to go on from: what they have is proven, and copied if it is newer",
            nargs="+",
            completes=Completes.FOLDERS,
        ),
        Argument("--ca", "FILE", "the authorities that count for the mirrors (PEM)", completes=Completes.FILES),
    ),
    details="A hub publishes nothing before it was promoted. Each promotion begins a new term, whose versions are above all"
    " that the hub before can sign, and a hub that sees a later term stops: so two hubs never alternate, and nodes need no"
    " change.",
)
