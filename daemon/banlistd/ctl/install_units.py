"""banlistctl install-units: for an installation with pip, what the Debian package brings besides the programs."""

import argparse
import os
import sys
from contextlib import suppress

from banlistd.control.declaration import Argument, Completes, LocalCommand
from banlistd.errors import BanlistdError, UsageError

# Where the units of the .deb find the program; install-units puts the place of this environment instead.
_HOME = "/usr/lib/banlistd"

# Folders that the units cannot access (ProtectHome=).
_HOMES = ("/home/", "/root/", "/run/user/")

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib: 10 ms

# From the file or folder in the package to its place on the machine.
_PLACES = {
    "units/banlistd.service": "etc/systemd/system/banlistd.service",
    "units/banlistd-restore.service": "etc/systemd/system/banlistd-restore.service",
    "units/banlistd-notify.service": "etc/systemd/system/banlistd-notify.service",
    "units/banlistd.sysusers": "etc/sysusers.d/banlistd.conf",
    "units/banlistd.tmpfiles": "etc/tmpfiles.d/banlistd.conf",
    "units/banlistd.catalog": "usr/local/lib/systemd/catalog/banlistd.catalog",
    "shipped/man/banlistctl.1": "usr/local/share/man/man1/banlistctl.1",
    "shipped/man/banlistd.yaml.5": "usr/local/share/man/man5/banlistd.yaml.5",
    "shipped/man/banlistd.8": "usr/local/share/man/man8/banlistd.8",
    "shipped/man/banlistd-notify.8": "usr/local/share/man/man8/banlistd-notify.8",
    "shipped/completions/banlistctl.bash": "usr/local/share/bash-completion/completions/banlistctl",
    "shipped/completions/_banlistctl": "usr/local/share/zsh/site-functions/_banlistctl",
    "shipped/completions/banlistctl.fish": "usr/local/share/fish/vendor_completions.d/banlistctl.fish",
    "shipped/examples": "usr/local/share/doc/banlistd/examples",
    "shipped/examples/banlistd.schema.json": "usr/local/share/banlistd/banlistd.schema.json",
}

# Links, each to a program of this environment or to a file beside it.
_PROGRAMS = {
    "usr/local/bin/banlistctl": "bin/banlistctl",
    "usr/local/sbin/banlistd": "bin/banlistd",
    "usr/local/sbin/banlistd-notify": "bin/banlistd-notify",
}
_LINKS = {
    "usr/local/share/bash-completion/completions/banlistd": "banlistctl",
    "usr/local/share/fish/vendor_completions.d/banlistd.fish": "banlistctl.fish",
}

# The drop-ins of a backend, and the units to restart after they are written.
_DROP_INS = {
    "ipset": (
        {
            "etc/systemd/system/banlistd.service.d/ipset.conf": "units/ipset.conf",
            "etc/systemd/system/banlistd-restore.service.d/ipset.conf": "units/ipset.conf",
        },
        "banlistd",
    ),
    "fail2ban": ({"etc/systemd/system/fail2ban.service.d/banlistd.conf": "units/fail2ban.conf"}, "fail2ban banlistd"),
}

_CONFIGURATION = "etc/banlistd"

_NEXT = """\
now, as root:
  systemd-sysusers && systemd-tmpfiles --create && journalctl --update-catalog
  systemctl daemon-reload && systemctl enable --now banlistd"""

_LAST = """\
now, as root:
  systemctl daemon-reload
  rm -r /etc/banlistd /var/lib/banlistd /var/lib/banlistd-notify
  userdel banlistd-notify; userdel banlistd; groupdel banlistd
  rm -r {prefix}"""


def _run(arguments: argparse.Namespace) -> int:
    if arguments.remove:
        return _remove(arguments.root)
    if arguments.backend:
        places, restarted = _DROP_INS[arguments.backend]
        for place, name in places.items():
            _write(arguments.root, place, _shipped(name))
        print(f"now, as root:\n  systemctl daemon-reload && systemctl restart {restarted}")
        return 0
    return _install(arguments.root)


def _install(root: str) -> int:
    if _PACKAGE.startswith(f"{_HOME}/"):
        raise UsageError("the Debian package has already installed the units", "for what a backend needs: --backend NAME")
    for prefix in (sys.prefix, sys.base_prefix):
        if f"{os.path.realpath(prefix)}/".startswith(_HOMES):
            raise UsageError(
                f"the units cannot access home folders, and Python is in {prefix}",
                "install banlistd elsewhere: python3 -m venv /opt/banlistd, with the system's own python3",
            )
    os.umask(0o022)  # the daemon's account reads these files
    for place, name in _files().items():
        content = _shipped(name)
        _write(root, place, _at_home(content) if place.endswith(".service") else content)
    for place, target in _links().items():
        _link(root, place, target)
    if not os.path.lexists(os.path.join(root, _CONFIGURATION, "banlistd.yaml")):  # noqa: PTH118 - as above
        for place, name in _below("shipped/beginning", _CONFIGURATION).items():
            _write(root, place, _shipped(name).replace(b"/usr/share/", b"/usr/local/share/"))
    print(_NEXT)
    return 0


def _remove(root: str) -> int:
    """Remove what this command writes for the units and the backends, but no configuration."""
    drop_ins = [place for places, _ in _DROP_INS.values() for place in places]
    for place in (*_files(), *_links(), *drop_ins):
        path = os.path.join(root, place)  # noqa: PTH118 - as above
        if place in _PROGRAMS and not (os.path.islink(path) and os.readlink(path) == _links()[place]):  # noqa: PTH114, PTH115 - as above
            continue
        try:
            os.remove(path)  # noqa: PTH107 - as above
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise NotWritableError(f"cannot remove {path}: {exc.strerror}", "use sudo") from exc
        print(path)
    for folder in (*_BELONGING, *{os.path.dirname(place) for place in drop_ins}):  # noqa: PTH120 - as above
        _remove_empty(os.path.join(root, folder))  # noqa: PTH118 - as above
    print(_LAST.format(prefix=sys.prefix))
    return 0


# Folders that no other program uses.
_BELONGING = ("usr/local/share/doc/banlistd", "usr/local/share/banlistd")


def _remove_empty(folder: str) -> None:
    for path, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(path)  # noqa: PTH106 - as above


def _files() -> dict[str, str]:
    """Each file's place on the machine, and where it is in the package."""
    return {place: file for name, whole in _PLACES.items() for place, file in _below(name, whole).items()}


def _links() -> dict[str, str]:
    """Each link's place on the machine, and what it points to."""
    return {place: f"{sys.prefix}/{program}" for place, program in _PROGRAMS.items()} | _LINKS


def _below(name: str, place: str) -> dict[str, str]:
    """A file; or every file of a folder. Its place on the machine, and where it is in the package."""
    whole = os.path.join(_PACKAGE, name)  # noqa: PTH118 - as above
    if not os.path.isdir(whole):  # noqa: PTH112 - as above
        return {place: name}
    found = sorted(os.path.join(folder, file) for folder, _, files in os.walk(whole) for file in files)  # noqa: PTH118 - as above
    return {f"{place}/{os.path.relpath(path, whole)}": os.path.relpath(path, _PACKAGE) for path in found}


def _shipped(name: str) -> bytes:
    with open(os.path.join(_PACKAGE, name), "rb") as file:  # noqa: PTH118, PTH123 - as above
        return file.read()


def _at_home(unit: bytes) -> bytes:
    """The unit for the environment that this program runs from."""
    own = " ".join(f"-{prefix}" for prefix in sorted({sys.prefix, os.path.realpath(sys.base_prefix)}))
    text = unit.decode().replace(f"{_HOME}/bin/", f"{sys.prefix}/bin/")
    return text.replace("NoExecPaths=/\n", f"NoExecPaths=/\nExecPaths={own}\n").encode()


def _write(root: str, place: str, content: bytes) -> None:
    path = os.path.join(root, place)  # noqa: PTH118 - as above
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - as above
        with open(path, "wb") as file:  # noqa: PTH123 - as above
            file.write(content)
    except OSError as exc:
        raise NotWritableError(f"cannot write {path}: {exc.strerror}", "use sudo") from exc
    print(path)


def _link(root: str, place: str, target: str) -> None:
    """A link in place of an older one. A program that is already there stays, with a warning."""
    path = os.path.join(root, place)  # noqa: PTH118 - as above
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - as above
        if os.path.islink(path):  # noqa: PTH114 - as above
            os.remove(path)  # noqa: PTH107 - as above
        os.symlink(target, path)  # noqa: PTH211 - as above
    except FileExistsError:
        print(f"{path} is another file and stays", file=sys.stderr)
    except OSError as exc:
        raise NotWritableError(f"cannot write {path}: {exc.strerror}", "use sudo") from exc
    else:
        print(path)


class NotWritableError(BanlistdError):
    """A file of the system cannot be written."""

    exit_code = 73  # EX_CANTCREAT


INSTALL_UNITS = LocalCommand(
    name="install-units",
    help="write systemd's units, links, manuals and completions for the environment that this program runs from",
    run=_run,
    arguments=(
        Argument("--backend", "NAME", "write only the drop-ins that this backend needs", choices=(*_DROP_INS,)),
        Argument("--remove", "", "remove all of it, but neither configuration nor state", is_flag=True),
        Argument("--root", "DIR", "write below this folder instead of /", default="/", completes=Completes.FOLDERS),
    ),
    details="For an installation with pip; the Debian package ships its own. It writes systemd's units, links the programs into"
    " /usr/local, and installs manuals, completions, the commented example, and a first configuration where there is none."
    " With --backend, it writes only the drop-ins with the additional rights that the backend needs."
    " It prints the name of each file that it writes or removes.",
    exits={73: "a file could not be written or removed"},
)
