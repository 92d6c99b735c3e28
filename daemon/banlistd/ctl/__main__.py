"""banlistctl: argv -> exit code. It imports neither numpy nor aiohttp, so that an answer takes less than 150 ms."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from banlistd.control.declaration import Command, LocalCommand
from banlistd.core.printing import printable
from banlistd.ctl import output
from banlistd.ctl.commands import EVERY_COMMAND, exits
from banlistd.ctl.report import document_of, report
from banlistd.errors import BanlistdError, UsageError

_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
_BROKEN_PIPE = 141  # 128 + SIGPIPE
_CANNOT_WRITE = 74  # EX_IOERR

_HELP = "banlistctl --help lists them"
_LONGEST_WORD = 60  # characters that are compared; a longer word is no near miss


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Answers go to stdout, faults to stderr (with --json their document goes to stdout as well)."""
    output.set_up()
    given = sys.argv[1:] if argv is None else argv
    try:
        code = _run(argument_parser(given).parse_args(given))
        print(end="", flush=True)
    except KeyboardInterrupt:
        print("interrupted; the daemon finishes what it has begun", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return _BROKEN_PIPE
    except OSError as exc:
        _silence_stdout()
        print(f"banlistctl: cannot write the answer: {exc.strerror}", file=sys.stderr)
        return _CANNOT_WRITE
    return code


def _run(arguments: argparse.Namespace) -> int:
    command: Command[Any, Any] | LocalCommand = arguments.command
    if isinstance(command, LocalCommand):
        try:
            return command.run(arguments)
        except BanlistdError as exc:
            report(exc, document_of(exc) if arguments.json else None)
            return exc.exit_code
    from banlistd.ctl.remote import run  # noqa: PLC0415 - the socket module costs 6 ms that help and usage do not need

    return run(command, arguments)


def _silence_stdout() -> None:
    """The interpreter flushes stdout once more at its end; let that go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(UsageError.exit_code, f"{self.prog}: {printable(_in_words(message))}\n")


_WRONG_CHOICE = re.compile(r"(.*invalid choice: '(.*)') \(choose from (.*)\)", re.DOTALL)


def _in_words(message: str) -> str:
    """A message of argparse, with the word that was probably meant in place of a long list."""
    if message.endswith("required: COMMAND"):
        return f"{message} ({_HELP})"
    wrong = _WRONG_CHOICE.fullmatch(message)
    if wrong is None:
        return message
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    choices = [choice.strip("'") for choice in wrong[3].split(", ")]
    near = get_close_matches(wrong[2][:_LONGEST_WORD], choices, n=1, cutoff=0.65)
    many = _HELP if "COMMAND" in wrong[1] else f"choose from {', '.join(choices)}"
    return f"{wrong[1]} ({f'did you mean {near[0]}?' if near else many})"


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 - costs 30 ms, and only this option needs it

        print(f"banlistctl {version('banlistd')}")
        parser.exit()


def argument_parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of every command, or, to save time, of the only one that `argv` can mean: the first word is its name."""
    epilog = "\n".join(("exit codes:", *(f"  {code:<4} {text}" for code, text in exits().items())))
    parser = _Parser(
        prog="banlistctl",
        description="Asks and controls the running banlistd.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    _add_common(parser, runtime="", json=False)
    names = parser.add_subparsers(required=True, metavar="COMMAND")
    first = next((word for word in argv if word != "--json"), "")
    parents: dict[str, _Parser] = {}
    for command in [command for command in EVERY_COMMAND if command.name.split()[0] == first] or EVERY_COMMAND:
        *above, name = command.name.split()
        inner = parents[above[0]].add_subparsers(metavar="COMMAND") if above else names
        # Without a default of its own, an option before the command keeps its value.
        sub = parents[name] = inner.add_parser(
            name,
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_common(sub, runtime=argparse.SUPPRESS, json=argparse.SUPPRESS)
        for argument in command.arguments:
            sub.add_argument(argument.name, **argument.settings)
        sub.set_defaults(command=command)
    return parser


def _add_common(parser: argparse.ArgumentParser, **defaults: object) -> None:
    parser.add_argument(
        "--runtime",
        metavar="DIR",
        default=defaults["runtime"],
        help="folder of the daemon's control.sock (default: $RUNTIME_DIRECTORY or /run/banlistd)",
    )
    parser.add_argument(
        "--json", action="store_true", default=defaults["json"], help="print the daemon's own JSON, for programs"
    )


if __name__ == "__main__":
    sys.exit(main())
