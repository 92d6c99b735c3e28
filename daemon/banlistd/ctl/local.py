"""Commands that ask no daemon: the end of one, and the beginning of one that pip has installed."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

from banlistd.ctl.commands import COMMANDS, Argument, Command
from banlistd.errors import BanlistdError, UsageError

# Written down in the units for the .deb; here they are put where they really are.
_HOME = "/usr/lib/banlistd"

# Where the units may not look (ProtectHome=).
_HOMES = ("/home/", "/root/", "/run/user/")

_UNITS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "units")  # noqa: PTH118, PTH120 - pathlib: 10 ms

# From the file in the package to its place on the machine.
_PLACES = {
    "banlistd.service": "etc/systemd/system/banlistd.service",
    "banlistd-restore.service": "etc/systemd/system/banlistd-restore.service",
    "banlistd.sysusers": "etc/sysusers.d/banlistd.conf",
    "banlistd.tmpfiles": "etc/tmpfiles.d/banlistd.conf",
    "banlistd.catalog": "usr/local/lib/systemd/catalog/banlistd.catalog",
}

# What a backend needs beside them, and what is to be started again with it.
_DROP_INS = {
    "ipset": (
        {
            "etc/systemd/system/banlistd.service.d/ipset.conf": "ipset.conf",
            "etc/systemd/system/banlistd-restore.service.d/ipset.conf": "ipset.conf",
        },
        "banlistd",
    ),
    "fail2ban": ({"etc/systemd/system/fail2ban.service.d/banlistd.conf": "fail2ban.conf"}, "fail2ban banlistd"),
}

_CONFIGURATION = "etc/banlistd/banlistd.yaml"
_BEGINNING = """\
# Put in your own address, and the lists that you want: see the README, "Your first list".
allow: []
sources: []
"""

_NEXT = """\
now, as root:
  systemd-sysusers && systemd-tmpfiles --create && journalctl --update-catalog
  systemctl daemon-reload && systemctl enable --now banlistd"""


class LocalCommand(NamedTuple):
    """`run` does it, prints, and returns an exit code. Raises BanlistdError."""

    name: str
    help: str
    arguments: tuple[Argument, ...]
    run: Callable[[argparse.Namespace], int]


def _teardown(arguments: argparse.Namespace) -> int:
    folders = (("--config", arguments.config), ("--state", arguments.state), ("--runtime", arguments.runtime))
    given = [word for option, folder in folders if folder for word in (option, folder)]
    code = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-P", "-m", "banlistd", "--teardown", *given])  # noqa: S606 - no subprocess: 10 ms
    return code if code >= 0 else 128 - code


def _install_units(arguments: argparse.Namespace) -> int:
    if arguments.backend:
        places, restarted = _DROP_INS[arguments.backend]
        for place, name in places.items():
            _write(arguments.root, place, _shipped(name))
        print(f"now, as root:\n  systemctl daemon-reload && systemctl restart {restarted}")
        return 0
    for prefix in (sys.prefix, sys.base_prefix):
        if f"{os.path.realpath(prefix)}/".startswith(_HOMES):
            raise UsageError(
                f"the units may not look into homes, and Python lies in {prefix}",
                "install banlistd elsewhere: python3 -m venv /opt/banlistd, with the system's own python3",
            )
    for name, place in _PLACES.items():
        text = _shipped(name)
        _write(arguments.root, place, _at_home(text) if name.endswith(".service") else text)
    if not os.path.lexists(os.path.join(arguments.root, _CONFIGURATION)):  # noqa: PTH118 - as above
        _write(arguments.root, _CONFIGURATION, _BEGINNING)
    print(_NEXT)
    return 0


def _shipped(name: str) -> str:
    with open(os.path.join(_UNITS, name), encoding="utf-8") as file:  # noqa: PTH118, PTH123 - as above
        return file.read()


def _at_home(unit: str) -> str:
    """The unit for the environment that this program runs from."""
    own = " ".join(f"-{prefix}" for prefix in sorted({sys.prefix, os.path.realpath(sys.base_prefix)}))
    return unit.replace(f"{_HOME}/bin/", f"{sys.prefix}/bin/").replace("NoExecPaths=/\n", f"NoExecPaths=/\nExecPaths={own}\n")


def _write(root: str, place: str, text: str) -> None:
    path = os.path.join(root, place)  # noqa: PTH118 - as above
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - as above
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - as above
            file.write(text)
    except OSError as exc:
        raise NotWritableError(f"cannot write {path}: {exc.strerror}", "use sudo") from exc
    print(path)


class NotWritableError(BanlistdError):
    """A file of the system cannot be written."""

    exit_code = 73  # EX_CANTCREAT


_CONFIG = Argument("--config", {"metavar": "DIR", "help": "as for banlistd"})
_STATE = Argument("--state", {"metavar": "DIR", "help": "as for banlistd"})
_BACKEND = Argument(
    "--backend", {"choices": (*_DROP_INS,), "help": "only what the units need besides for this backend, as drop-ins"}
)
_ROOT = Argument("--root", {"metavar": "DIR", "default": "/", "help": "write below this folder instead of /"})

LOCAL_COMMANDS: tuple[LocalCommand, ...] = (
    LocalCommand(
        "teardown",
        "take everything of banlistd out of the firewall; the daemon must be stopped (exit code 75: it is not)",
        (_CONFIG, _STATE),
        _teardown,
    ),
    LocalCommand(
        "install-units",
        "write systemd's units for the environment that this program runs from (for pip; the .deb brings its own), or"
        " what a backend needs besides",
        (_BACKEND, _ROOT),
        _install_units,
    ),
)

EVERY_COMMAND: tuple[Command | LocalCommand, ...] = (*COMMANDS, *LOCAL_COMMANDS)
