"""Every command of banlistctl: those that ask the daemon, and those that do not. A new local command is a line here."""

from collections.abc import Mapping, Sequence
from typing import Any

from banlistd.control.commands.credits import CATALOGUE_CREDITS
from banlistd.control.declaration import Command, LocalCommand
from banlistd.control.table import COMMANDS
from banlistd.ctl.catalogue import CATALOGUE, CATALOGUE_SEARCH, CATALOGUE_SHOW
from banlistd.ctl.fleet.hubs import INSTALL, PROMOTE_HUB
from banlistd.ctl.fleet.joining import JOIN
from banlistd.ctl.fleet.keys import LIST_KEYS, NEW_KEY
from banlistd.ctl.fleet.making import INIT, REVOKE, ROTATE
from banlistd.ctl.fleet.overview import FLEET_STEPS
from banlistd.ctl.fleet.signing import SIGN
from banlistd.ctl.install_units import INSTALL_UNITS
from banlistd.ctl.lists.add import ADD
from banlistd.ctl.lists.promoting import PROMOTE
from banlistd.ctl.lists.switching import DISABLE, ENABLE, REMOVE
from banlistd.ctl.ordering.operator_key import OPERATOR_KEY
from banlistd.ctl.ordering.order import ORDER
from banlistd.ctl.proving.prove import PROVE
from banlistd.ctl.teardown import TEARDOWN

# A command comes before those within it.
EVERY_COMMAND: tuple[Command[Any, Any] | LocalCommand, ...] = (
    *(command for command in COMMANDS if command is not CATALOGUE_CREDITS),
    CATALOGUE,
    CATALOGUE_SEARCH,
    CATALOGUE_SHOW,
    CATALOGUE_CREDITS,
    ADD,
    ENABLE,
    DISABLE,
    REMOVE,
    PROMOTE,
    PROVE,
    OPERATOR_KEY,
    ORDER,
    FLEET_STEPS,
    NEW_KEY,
    INIT,
    LIST_KEYS,
    SIGN,
    ROTATE,
    REVOKE,
    INSTALL,
    PROMOTE_HUB,
    JOIN,
    TEARDOWN,
    INSTALL_UNITS,
)

_EXITS: Mapping[int, str] = {
    0: "done",
    64: "usage: a wrong command line, address or source",
    65: "a list was refused or could not be read; something of a fleet is not proven, or a key does not fit",
    69: "the daemon is not running",
    70: "the daemon met a fault of its own",
    71: "the firewall did not accept a change",
    74: "the database, the output, or a file of a fleet, could not be written",
    75: "another daemon is running, or too many connections are open; try again",
    76: "the answer could not be understood",
    77: "this user may not speak to the daemon",
    78: "the configuration is wrong, and has NOT been changed",
    130: "interrupted",
    141: "the reader of the output has gone",
}


def spelled_out(argv: Sequence[str]) -> Sequence[str]:
    """A command line with the command within another that it leaves out: `catalogue ssh` is `catalogue search ssh`."""
    at = _past_options(argv, 0)
    outer = next((one for one in EVERY_COMMAND if isinstance(one, LocalCommand) and argv[at : at + 1] == [one.name]), None)
    if outer is None or not outer.otherwise:
        return argv
    within = {command.name.removeprefix(f"{outer.name} ") for command in EVERY_COMMAND}
    place = _past_options(argv, at + 1)
    if place >= len(argv) or argv[place] in within:
        return argv
    return [*argv[: at + 1], outer.otherwise, *argv[at + 1 :]]


def _past_options(argv: Sequence[str], place: int) -> int:
    """Where the next word is that is neither an option nor its value."""
    while place < len(argv) and argv[place].startswith("-"):
        place += 1 if argv[place] in ("--json", "-h", "--help", "--version") or "=" in argv[place] else 2
    return place


def exits() -> Mapping[int, str]:
    """Every exit code in ascending order, and what it means: in general, and for single commands."""
    texts: dict[int, list[str]] = {code: [text] for code, text in _EXITS.items()}
    for command in EVERY_COMMAND:
        for code, text in command.exits.items():
            texts.setdefault(code, []).append(f"{command.name}: {text}")
    return {code: "; ".join(texts[code]) for code in sorted(texts)}
