"""banlistctl: argv -> exit code. It imports neither numpy nor aiohttp, so that an answer takes less than 150 ms."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

from banlistd.control.declaration import Command, LocalCommand
from banlistd.ctl import output
from banlistd.ctl.report import document_of, report
from banlistd.ctl.usage import UsageParser
from banlistd.errors import BanlistdError

FREQUENT: Mapping[str, tuple[str, str]] = {
    "status": ("status", "STATUS"),
    "check": ("checking.check", "CHECK"),
    "sources": ("sources", "SOURCES"),
    "ban": ("manual_bans.ban", "BAN"),
    "unban": ("manual_bans.unban", "UNBAN"),
    "bans": ("manual_bans.bans", "BANS"),
    "reload": ("reload", "RELOAD"),
    "refresh": ("refresh", "REFRESH"),
}
"""The commands that an administrator gives while a machine is busy, each with its module in `control.commands` and its name
there. To import all commands takes 30 ms, a third of an answer (measured).
"""

_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
_BROKEN_PIPE = 141  # 128 + SIGPIPE
_CANNOT_WRITE = 74  # EX_IOERR


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Answers go to stdout, faults to stderr (with --json their document goes to stdout as well)."""
    output.set_up()
    given = _spelled_out(sys.argv[1:] if argv is None else argv)
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


def frequent_command(argv: Sequence[str]) -> Command[Any, Any] | None:
    """The one that a command line begins with; None: all commands are needed to tell."""
    place = FREQUENT.get(next((word for word in argv if word != "--json"), ""))
    if place is None:
        return None
    module, name = place
    command: Command[Any, Any] = getattr(import_module(f"banlistd.control.commands.{module}"), name)
    return command


def _spelled_out(argv: Sequence[str]) -> Sequence[str]:
    if frequent_command(argv) is not None:
        return argv
    from banlistd.ctl.commands import spelled_out  # noqa: PLC0415 - see FREQUENT

    return spelled_out(argv)


def _commands_for(argv: Sequence[str]) -> Sequence[Command[Any, Any] | LocalCommand]:
    """To save time the only ones that the command line can mean: the first word is the name."""
    frequent = frequent_command(argv)
    if frequent is not None:
        return (frequent,)
    from banlistd.ctl.commands import EVERY_COMMAND  # noqa: PLC0415 - see FREQUENT

    first = next((word for word in argv if word != "--json"), "")
    return [command for command in EVERY_COMMAND if command.name.split()[0] == first] or EVERY_COMMAND


def _exit_codes() -> str:
    from banlistd.ctl.commands import exits  # noqa: PLC0415 - only help shows them

    return "\n".join(("exit codes:", *(f"  {code:<4} {text}" for code, text in exits().items())))


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


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 - costs 30 ms, and only this option needs it

        print(f"banlistctl {version('banlistd')}")
        parser.exit()


def argument_parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of every command, or of the only ones that `argv` can mean."""
    commands = _commands_for(argv)
    parser = UsageParser(
        below=_exit_codes,
        options=[argument.name for command in commands for argument in command.arguments],
        prog="banlistctl",
        description="Asks and controls the running banlistd.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    _add_common(parser, runtime="", json=False)
    names = parser.add_subparsers(required=True, metavar="COMMAND")
    inner_names: dict[str, Any] = {}
    parents: dict[str, UsageParser] = {}
    for command in commands:
        *above, name = command.name.split()
        if above and above[0] not in inner_names:
            inner_names[above[0]] = parents[above[0]].add_subparsers(metavar="COMMAND")
        inner = inner_names[above[0]] if above else names
        # Without a default of its own, an option before the command keeps its value.
        sub = parents[name] = inner.add_parser(
            name,
            below=_exit_codes,
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
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
