"""banlistctl: argv -> exit code. It imports neither numpy nor aiohttp, so that an answer takes less than 150 ms."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from banlistd.ctl import output
from banlistd.ctl.client import AnswerError, DaemonError, ask
from banlistd.ctl.commands import COMMANDS, Answer, Command
from banlistd.ctl.text import printable
from banlistd.errors import BanlistdError, UsageError

_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
_BROKEN_PIPE = 141  # 128 + SIGPIPE
_CANNOT_WRITE = 74  # EX_IOERR

_EXIT_CODES = """\
exit codes:
  0    done; check: the address is banned
  1    check: the address is not banned; unban: there was no such ban
  64   usage: a wrong command line, address or source
  65   a list was refused or could not be read; ban: this may never be banned
  69   the daemon is not running; refresh: some source failed or was refused
  70   the daemon met a fault of its own
  71   the firewall did not take a change
  74   the database, or the output, could not be written
  75   another daemon is at work; try again
  76   the answer could not be understood
  77   this user may not speak to the daemon
  78   the configuration is wrong, and has NOT been changed
  130  interrupted
  141  whoever read the answer has gone
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Answers go to stdout, faults to stderr (with --json their document goes to stdout as well)."""
    output.set_up()
    try:
        code = _run(_parser().parse_args(argv))
        print(end="", flush=True)
    except KeyboardInterrupt:
        print("interrupted; what the daemon has begun it will finish", file=sys.stderr)
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
    command: Command = arguments.command
    socket_path = os.path.join(arguments.runtime or _default_runtime(), "control.sock")  # noqa: PTH118 - pathlib: 10 ms
    try:
        document = ask(socket_path, command.question(arguments))
        try:
            code = command.judge(document)
            page = (
                [json.dumps(document)]
                if arguments.json
                else command.read(Answer(document, time.time(), lambda question: ask(socket_path, question)))
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
            raise AnswerError(
                "the daemon's answer has not the shape that this tool knows",
                "are both of the same version? banlistctl --version; systemctl restart banlistd",
            ) from exc
    except BanlistdError as exc:
        return _report(exc, as_json=arguments.json)
    output.show(page)
    return code


def _default_runtime() -> str:
    # systemd separates several folders by colons; ours is the first.
    return os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or "/run/banlistd"


def _report(error: BanlistdError, *, as_json: bool) -> int:
    code = error.code if isinstance(error, DaemonError) else error.exit_code
    if as_json:
        print(json.dumps(error.document if isinstance(error, DaemonError) else _document(error)))
    print(f"banlistctl: {printable(error.message)}", file=sys.stderr)
    if isinstance(error, DaemonError):
        for problem in error.problems:
            print(f"  {printable(problem)}", file=sys.stderr)
    if error.hint:
        print(f"  hint: {printable(error.hint)}", file=sys.stderr)
    return code


def _document(error: BanlistdError) -> dict[str, Any]:
    """A fault on this side of the socket, in the shape of the daemon's own."""
    return {
        "error": {
            "kind": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
    }


def _silence_stdout() -> None:
    """The interpreter flushes stdout once more at its end; let that go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(UsageError.exit_code, f"{self.prog}: {printable(message)}\n")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 - 30 ms that only this option shall cost

        print(f"banlistctl {version('banlistd')}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="banlistctl",
        description="Asks and steers the running banlistd.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    _add_common(parser, runtime="", json=False)
    names = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        # Without a default of its own, an option that stands before the command keeps its value.
        sub = names.add_parser(
            command.name,
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            epilog=_EXIT_CODES,
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
        help="where the daemon's control.sock is (default: $RUNTIME_DIRECTORY or /run/banlistd)",
    )
    parser.add_argument(
        "--json", action="store_true", default=defaults["json"], help="print the daemon's own JSON, for programs"
    )


if __name__ == "__main__":
    sys.exit(main())
