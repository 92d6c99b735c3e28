"""banlistctl install-units: systemd's units and a first configuration for an installation with pip."""

import argparse
import os
import sys

from banlistd.control.declaration import Argument, Completes, LocalCommand
from banlistd.errors import BanlistdError, UsageError

# Where the units of the .deb find the program; install-units puts the place of this environment instead.
_HOME = "/usr/lib/banlistd"

# Folders that the units cannot access (ProtectHome=).
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

# The drop-ins of a backend, and the units to restart after they are written.
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


def _run(arguments: argparse.Namespace) -> int:
    if arguments.backend:
        places, restarted = _DROP_INS[arguments.backend]
        for place, name in places.items():
            _write(arguments.root, place, _shipped(name))
        print(f"now, as root:\n  systemctl daemon-reload && systemctl restart {restarted}")
        return 0
    for prefix in (sys.prefix, sys.base_prefix):
        if f"{os.path.realpath(prefix)}/".startswith(_HOMES):
            raise UsageError(
                f"the units cannot access home folders, and Python is in {prefix}",
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


INSTALL_UNITS = LocalCommand(
    name="install-units",
    help="write systemd's units for the environment that this program runs from",
    run=_run,
    arguments=(
        Argument("--backend", "NAME", "write only the drop-ins that this backend needs", choices=(*_DROP_INS,)),
        Argument("--root", "DIR", "write below this folder instead of /", default="/", completes=Completes.FOLDERS),
    ),
    details="For an installation with pip; the Debian package ships its own units. With --backend, it writes only the drop-ins"
    " with the additional rights that the backend needs. It prints the name of each file that it writes.",
    exits={73: "a file could not be written"},
)
