"""What a command of banlistctl is: arguments, answer and page, declared once for the daemon, the tool and the documents.

banlistctl imports this module and every module of `control/commands/`, so they import nothing heavy at the top: values are
NamedTuples (`dataclasses` imports `inspect`), and a handler imports what only the daemon needs inside its function. They do
without `from __future__ import annotations`, because typing compiles every annotation that is a string, which takes twenty
times as long (measured: 2.6 ms for one TypedDict).
"""

import argparse
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from banlistd.control.page import Page
from banlistd.errors import BanlistdError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
else:
    # Only the daemon imports these. A name instead of a string: see above.
    Parts = ControlRequest = Any

_Order = TypeVar("_Order")
_Answer = TypeVar("_Answer")

NOT_FOUND = 1  # as grep: asked and answered, but not found
UNAVAILABLE = 69  # EX_UNAVAILABLE

MAX_ROWS = 1000
DEFAULT_ROWS = 20


class Completes(StrEnum):
    """What a shell offers for an argument that has no choices."""

    NOTHING = "nothing"
    SOURCES = "sources"
    QUARANTINED = "quarantined"
    MANUAL_BANS = "manual bans"
    MANUAL_ALLOWS = "manual allows"
    FOLDERS = "folders"
    FILES = "files"


class Argument(NamedTuple):
    """An argument of a command, and the field of the request that carries it.

    `name`: `--limit`, or a bare name for a positional. `field`: the key in the query or the body; empty: as `name`.
    `nargs`, `kind` (argparse's `type`) and `default`: as argparse has them. `is_flag`: an option without a value.
    """

    name: str
    metavar: str
    help: str
    field: str = ""
    nargs: str | int | None = None
    choices: tuple[str, ...] = ()
    kind: Callable[[str], object] | None = None
    default: object = None
    required: bool = False
    completes: Completes = Completes.NOTHING
    is_flag: bool = False

    @property
    def is_list(self) -> bool:
        """Whether the field of the request is an array."""
        return self.nargs in ("*", "+", 1)

    @property
    def is_option(self) -> bool:
        return self.name.startswith("-")

    @property
    def key(self) -> str:
        """The field of the request."""
        return self.field or self.name.lstrip("-")

    @property
    def settings(self) -> Mapping[str, Any]:
        """The keyword arguments of argparse's add_argument."""
        if self.is_flag:
            required = {"required": True} if self.required else {}
            return {"help": self.help, "action": "store_const", "const": True, **required}
        given: dict[str, Any] = {"help": self.help, "nargs": self.nargs, "type": self.kind, "default": self.default}
        given |= {"choices": self.choices or None, "metavar": None if self.choices else self.metavar}
        given |= {"required": self.required or None}
        return {name: value for name, value in given.items() if value is not None}


class PageContext(NamedTuple):
    """What a page needs besides the answer: the time (seconds since the epoch), and a way to ask another command.

    `ask` takes a Command without arguments and returns its answer.
    """

    now: float
    ask: Callable[[Any], Any]


class FileContext(NamedTuple):
    """What a file needs besides the answer: the time (seconds since the epoch), and the name of this machine."""

    now: float
    machine: str


class Command(NamedTuple, Generic[_Order, _Answer]):
    """A command that asks the daemon: `METHOD /v1/NAME`; the blank in a name of two words becomes a slash.

    The daemon reads the request (`read` raises UsageError) and answers it; the return annotation of `answer` is the shape of
    the JSON. The tool makes the page for a person and the exit code (`judge`). `help`: one line without a full stop.
    `details`: sentences for the man page. `exits`: exit codes with a meaning of their own. `errors`: what `answer` raises.
    `timeout`: seconds without a byte. `next_page`: the fields of the request for what comes after an answer, a list, to a
    request with these fields; None: nothing comes. `requests`: of the fields as they were given, those of each request, and
    whether the answer is the list of theirs; None: one request with these fields. `polls`: whether it polls sources: then
    `status` says how many are done. `stream`: of the fields as they were given, whether `--json` was, and a way to ask with
    other fields: the text of a long answer, piece by piece; None: the page.
    `max_body`: octets of a request. `files`: by argument, which names a file and is none of the request, the text of that file.
    """

    name: str
    help: str
    method: str
    example: _Answer
    read: Callable[[ControlRequest], _Order]
    answer: Callable[[Parts, _Order], Awaitable[_Answer]]
    page: Callable[[_Answer, PageContext], Page]
    arguments: tuple[Argument, ...] = ()
    details: str = ""
    exits: Mapping[int, str] = {}
    errors: tuple[type[BanlistdError], ...] = ()
    judge: Callable[[_Answer], int] = lambda _: 0
    timeout: float = 15.0
    next_page: Callable[[Mapping[str, object], _Answer], Mapping[str, object] | None] = lambda *_: None
    requests: Callable[[Mapping[str, object]], tuple[Sequence[Mapping[str, object]], bool]] | None = None
    polls: bool = False
    stream: Callable[[Mapping[str, object], bool, Callable[[Mapping[str, object]], _Answer]], Iterator[str]] | None = None
    max_body: int = 64 * 1024
    files: Mapping[str, Callable[[_Answer, FileContext], str]] = {}

    @property
    def path(self) -> str:
        return f"/v1/{self.name.replace(' ', '/')}"

    @property
    def shape(self) -> Any:
        """The type of the answer: TypedDicts, lists and plain values."""
        return self.answer.__annotations__["return"]

    @property
    def asked(self) -> tuple[Argument, ...]:
        """The arguments that are fields of the request."""
        return tuple(argument for argument in self.arguments if argument.key not in self.files)

    def fields(self, arguments: argparse.Namespace) -> Mapping[str, object]:
        """The fields of the request; what was not given is left to the daemon."""
        given = {argument.key: getattr(arguments, argument.name.lstrip("-").replace("-", "_")) for argument in self.arguments}
        return {key: value for key, value in given.items() if value is not None}


class LocalCommand(NamedTuple):
    """A command that asks no daemon. `run` does it, prints, and returns an exit code. Raises BanlistdError.

    `otherwise`: which command within it a word means that names none of them; empty: none.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace], int]
    arguments: tuple[Argument, ...] = ()
    details: str = ""
    exits: Mapping[int, str] = {}
    otherwise: str = ""


def no_fields(_: ControlRequest) -> tuple[()]:
    """`read` of a command without arguments."""
    return ()


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= MAX_ROWS:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {MAX_ROWS}")
    return int(text)


LIMIT = Argument("--limit", "N", f"1 to {MAX_ROWS}, default {DEFAULT_ROWS}", kind=_limit, default=DEFAULT_ROWS)
ONE_SOURCE = Argument("id", "ID", "this source only", field="source", nargs="?", completes=Completes.SOURCES)
