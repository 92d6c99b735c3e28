"""What command lines share: the folders, and one sentence on what is wrong, with what was probably meant."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from banlistd.core.printing import printable
from banlistd.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from banlistd.paths import Paths

_LONGEST_WORD = 60  # characters that are compared; a longer word is no near miss

_WRONG_CHOICE = re.compile(r"(.*invalid choice: '(.*)') \(choose from (.*)\)", re.DOTALL)
_UNKNOWN_OPTION = re.compile(r"unrecognized arguments: (?:.*? )??-+([^ =]+).*", re.DOTALL)


class UsageParser(argparse.ArgumentParser):
    """`options`: those that may follow anywhere, in this parser and in those below it; the others are its own. `below`: gives
    what help ends with.
    """

    def __init__(self, *, options: Sequence[str] = (), below: Callable[[], str] | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self._options = options
        self._below = below

    def format_help(self) -> str:
        if self._below is not None:
            self.epilog = self._below()
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        options = {*self._options, *self._option_string_actions}
        self.print_usage(sys.stderr)
        self.exit(UsageError.exit_code, f"{self.prog}: {printable(_in_words(message, self.prog, options))}\n")


def add_folders(parser: argparse.ArgumentParser, *, state: str, runtime: str) -> None:
    """The options for the folders of a service. `state`, `runtime`: what it has there, and the default."""
    from pathlib import Path  # noqa: PLC0415 - banlistctl mostly needs none, and it takes 5 ms

    parser.add_argument(
        "--config",
        metavar="DIR",
        type=Path,
        default=Path("/etc/banlistd"),
        help="folder of the configuration (default: /etc/banlistd)",
    )
    parser.add_argument("--state", metavar="DIR", type=Path, help=f"folder of {state}")
    parser.add_argument("--runtime", metavar="DIR", type=Path, help=f"folder of {runtime}")


def paths_from(arguments: argparse.Namespace, *, state: "Path", runtime: "Path") -> "Paths":
    """The folders of the daemon, and that of the credentials of this program."""
    from pathlib import Path  # noqa: PLC0415 - as above

    from banlistd.paths import Paths  # noqa: PLC0415 - banlistctl needs none, and dataclasses take 7 ms

    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    return Paths(config=arguments.config, state=state, runtime=runtime, credentials=Path(credentials) if credentials else None)


def _in_words(message: str, program: str, options: Iterable[str]) -> str:
    """A message of argparse, with the word that was probably meant in place of a long list."""
    if message.endswith("required: COMMAND"):
        return f"{message} ({program} --help lists them)"
    if unknown := _UNKNOWN_OPTION.fullmatch(message):
        near = _near(unknown[1], [option[2:] for option in options if option.startswith("--")])
        return f"{message} ({f'did you mean --{near}?' if near else f'{program} --help lists the options'})"
    wrong = _WRONG_CHOICE.fullmatch(message)
    if wrong is None:
        return message
    choices = [choice.strip("'") for choice in wrong[3].split(", ")]
    near = _near(wrong[2], choices)
    many = f"{program} --help lists them" if "COMMAND" in wrong[1] else f"choose from {', '.join(choices)}"
    return f"{wrong[1]} ({f'did you mean {near}?' if near else many})"


def _near(word: str, choices: Sequence[str]) -> str:
    """The choice that a word is nearly; empty where none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    return next(iter(get_close_matches(word[:_LONGEST_WORD], choices, n=1, cutoff=0.65)), "")
