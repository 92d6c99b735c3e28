"""banlistctl fleet steps: what the commands of a fleet are for, in the order in which they are used."""

import argparse

from banlistd.control.declaration import LocalCommand

_STEPS = (
    ("new-key", "each person and each hub: make a key"),
    ("init", "one person: name the public halves"),
    ("sign", "each person: look at it, and sign it"),
    ("install", "on each hub: take it over"),
    ("promote", "on one hub: be the one that publishes"),
    ("keys", "see who may sign, and until when"),
    ("rotate", "each year, and for a new person or hub: the next root and targets, then sign and install"),
    ("revoke", "after a theft: the same without that key"),
)


def _run(_: argparse.Namespace) -> int:
    for name, what in _STEPS:
        print(f"banlistctl fleet {name:<8} {what}")
    return 0


FLEET_STEPS = LocalCommand(
    name="fleet steps",
    help="the commands of the owners of a fleet, in the order in which they are used: keys, signatures, hubs",
    run=_run,
    details="A fleet is many machines that take lists from one hub. The documentation has a walk-through.",
)
