"""A command that asks the daemon: its question, its answer, and the page or the document that is printed."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from banlistd.adapters.system.console import has_status_line
from banlistd.control.commands.status import STATUS
from banlistd.control.declaration import Command, FileContext, PageContext
from banlistd.control.page import Page
from banlistd.core.printing import counted
from banlistd.ctl import output
from banlistd.ctl.client import AnswerError, DaemonError, Question, ask
from banlistd.ctl.report import document_of, report
from banlistd.errors import BanlistdError, UsageError

_GLANCE = 1.0  # seconds that a look at the progress of an order may take


def run(command: Command[Any, Any], arguments: argparse.Namespace) -> int:
    """Ask, print, and return the exit code."""
    try:
        if command.stream:
            return _streamed(command, command.stream, arguments)
        code, page = _asked(command, arguments)
    except DaemonError as exc:
        report(exc, exc.document if arguments.json else None, exc.problems)
        return exc.code
    except BanlistdError as exc:
        report(exc, document_of(exc) if arguments.json else None)
        return exc.exit_code
    if arguments.json:
        print(*page)  # on a terminal too: a document is no text to be folded
    else:
        output.show(page)
    return code


def _streamed(command: Command[Any, Any], stream: Callable[..., Iterator[str]], arguments: argparse.Namespace) -> int:
    """Print a long answer as it comes, so that it is never in memory as a whole."""
    socket_path = _socket(arguments)
    texts = stream(command.fields(arguments), arguments.json, lambda fields: ask(socket_path, question_of(command, fields)))
    while (text := _next(texts)) is not None:
        print(text, end="", flush=True)  # who follows events reads each as it comes
    return 0


def _next(texts: Iterator[str]) -> str | None:
    try:
        return next(texts, None)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise _unknown_shape() from exc


def _unknown_shape() -> AnswerError:
    return AnswerError(
        "the daemon's answer does not have the shape that this tool knows",
        "are both of the same version? banlistctl --version; systemctl restart banlistd",
    )


def _socket(arguments: argparse.Namespace) -> str:
    return os.path.join(arguments.runtime or default_runtime(), "control.sock")  # noqa: PTH118 - pathlib: 10 ms


def _asked(command: Command[Any, Any], arguments: argparse.Namespace) -> tuple[int, Page]:
    socket_path = _socket(arguments)
    fields = command.fields(arguments)
    requests, is_list = command.requests(fields) if command.requests else ([fields], False)
    answers: list[Any] = []
    with _shown_waiting(command, socket_path, requests, answers) if not arguments.json else nullcontext():
        answers.extend(ask(socket_path, question_of(command, one)) for one in requests)
    document = page = answers if is_list else answers[0]
    try:
        while (following := command.next_page(fields, page)) is not None:
            page = ask(socket_path, question_of(command, following))
            document = [*document, *page]
        code = command.judge(document)
        written = _written(command, document, arguments)
        if written is not None and not arguments.json:
            return code, written
        if arguments.json:
            return code, [json.dumps(document)]
        context = PageContext(time.time(), lambda other: ask(socket_path, question_of(other, {})))
        return code, command.page(document, context)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as exc:
        raise _unknown_shape() from exc


def _written(command: Command[Any, Any], document: Any, arguments: argparse.Namespace) -> Page | None:
    """The files that were asked for, each with a line that says so; None: no file was."""
    asked = {key: path for key in command.files if (path := getattr(arguments, key)) is not None}
    if not asked:
        return None
    from banlistd.ctl.output_file import write_file  # noqa: PLC0415 - most commands write none

    context = FileContext(time.time(), os.uname().nodename)
    if arguments.json and "-" in asked.values():
        raise UsageError("stdout cannot have both documents", "name a file, or leave out --json")
    return [line for key, path in asked.items() for line in write_file(path, command.files[key](document, context))]


def _shown_waiting(
    command: Command[Any, Any], socket_path: str, requests: Sequence[Mapping[str, object]], answers: Sequence[object]
) -> AbstractContextManager[None]:
    """A status line while the daemon works, where a person can see it. `answers`: those that have come."""
    if not has_status_line(sys.stderr):
        return nullcontext()
    from banlistd.ctl.waiting import ABOUT_SOURCES, StatusWords, shown_waiting  # noqa: PLC0415 - a pipe needs no threads

    if len(requests) > 1:
        return shown_waiting(lambda: (len(answers), len(requests)), StatusWords(("address", "addresses")))
    lines = requests[0].get("address")
    idle = f"{counted(len(lines), 'address', 'addresses')} in one order" if isinstance(lines, list) else ABOUT_SOURCES.idle

    def look() -> tuple[int, int] | None:
        if not command.polls:
            return None
        try:
            progress = ask(socket_path, question_of(STATUS, {})._replace(timeout=_GLANCE))["refreshing"]
            return (progress["done"], progress["total"]) if progress["total"] else None
        except (BanlistdError, KeyError, TypeError):  # a daemon at work; its answer to the order counts
            return None

    return shown_waiting(look, StatusWords(idle=idle))


def question_of(command: Command[Any, Any], fields: Mapping[str, object]) -> Question:
    """The request of a command: its fields in the query of a GET, in the body of a POST."""
    if command.method == "GET":
        query = {key: "true" if value is True else str(value) for key, value in fields.items()}
        return Question(command.method, command.path, query, timeout=command.timeout)
    return Question(command.method, command.path, body=fields, timeout=command.timeout)


def default_runtime() -> str:
    # systemd separates several folders by colons; the daemon's is the first.
    return os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or "/run/banlistd"
