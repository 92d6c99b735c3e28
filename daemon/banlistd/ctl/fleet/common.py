"""What the commands of the owners of a fleet have in common. None of them asks a daemon."""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from banlistd.control.declaration import Argument, Completes
from banlistd.core.printing import quoted
from banlistd.errors import FleetError, FleetFileError, UsageError

if TYPE_CHECKING:
    from banlistd.trust.ceremony.folder import Folder

FOLDER = Argument("folder", "FOLDER", "the folder with the offline files of the fleet", completes=Completes.FOLDERS)
MACHINE_CONFIG = Argument(
    "--config", "DIR", "folder of the configuration of this machine", default="/etc/banlistd", completes=Completes.FOLDERS
)
HUB_STATE = Argument(
    "--state",
    "DIR",
    "the state folder of the daemon (default: $STATE_DIRECTORY or /var/lib/banlistd)",
    default="",
    completes=Completes.FOLDERS,
)
PASSPHRASE = Argument(
    "--passphrase-file", "FILE", "a file with the passphrase, in place of a question", completes=Completes.FILES
)

_TOP = re.compile(r"([a-z0-9_]+)\s*:(.*)", re.ASCII)
_PUBLISH = re.compile(r"(^|[\s{,\"'])publish[\"']?\s*:", re.ASCII)


def offline(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A command that needs python-tuf: without it, it says what to install."""

    def run_with_tuf(arguments: argparse.Namespace) -> int:
        try:
            from banlistd.trust.ceremony.keys import use_openssl  # noqa: PLC0415 - other commands need no tuf
        except ModuleNotFoundError as error:
            hint = "pip install 'banlistd[fleet]'; the Debian package has it"
            raise FleetError(f"this command needs python-tuf, which is not installed: {error.name}", hint) from error
        use_openssl()
        return run(arguments)

    return run_with_tuf


def state_folder(arguments: argparse.Namespace) -> Path:
    """Where the daemon keeps the repository. Raises UsageError where there is no state folder."""
    state = Path(arguments.state or os.environ.get("STATE_DIRECTORY") or "/var/lib/banlistd")
    if not state.is_dir():
        raise UsageError(f"there is no {quoted(str(state))}", "run it on the hub, once its daemon has started, or name --state")
    return state / "fleet"


def refuse_on_hub(config: Path, what: str) -> None:
    """Raises UsageError where this machine publishes lists: whoever breaks into it must not get this key too."""
    if _publishes(config):
        raise UsageError(
            f"this machine is a hub (`fleet: publish:` in {quoted(str(config))}), and {what} must not be on it",
            "use another machine: it needs no daemon and no network",
        )


def _publishes(config: Path) -> bool:
    """By the text of the files: the owner's machine has neither a YAML parser nor a daemon. Raises FleetFileError."""
    section = ""
    try:
        for path in sorted((*config.glob("*.yaml"), *config.glob("*.d/*.yaml"))):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                text = line.partition("#")[0] if line.lstrip().startswith("#") else line
                top = _TOP.match(text)
                section, text = (top[1], top[2]) if top else (section, text)
                if section == "fleet" and _PUBLISH.search(text):
                    return True
    except OSError as error:
        raise FleetFileError(f"cannot read {quoted(str(config))}: {error.strerror}", "run it as root") from error
    return False


def passphrase(arguments: argparse.Namespace, question: str) -> bytes:
    """From the file that was named, or a terminal. Raises UsageError and FleetFileError."""
    if arguments.passphrase_file:
        try:
            with open(arguments.passphrase_file, "rb") as file:  # noqa: PTH123 - the name may be /dev/stdin
                return file.readline(1024).rstrip(b"\r\n")
        except OSError as error:
            raise FleetFileError(f"cannot read {quoted(arguments.passphrase_file)}: {error.strerror}") from error
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask for the passphrase on", "--passphrase-file FILE")
    return getpass(f"{question}: ").encode()


def confirmed(arguments: argparse.Namespace, question: str) -> bool:
    """Raises UsageError where nobody can be asked."""
    if arguments.yes:
        return True
    if arguments.json or not sys.stdin.isatty():
        raise UsageError("nothing was changed: no terminal to ask on", "--yes does it without a question")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def show_states(arguments: argparse.Namespace, folder: "Folder") -> None:
    """Print which signatures the newest files have, and what comes next. Raises FleetError."""
    states = folder.states()
    if arguments.json:
        files = [
            {"file": each.file, "signed": each.signed, "missing": each.missing, "lacking": each.lacking} for each in states
        ]
        print(json.dumps({"files": files}))
        return
    for each in states:
        print(each)
    if any(each.lacking for each in states):
        print(f"next: each of these people, on a machine of their own: banlistctl fleet sign {folder.path} --key FILE")
    else:
        print(f"next: on each hub: banlistctl fleet install {folder.path}")
