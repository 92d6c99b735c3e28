"""The commands of banlistctl in banlistctl(1) and in packaging/docs/commands.md."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from banlistd.control.declaration import Argument, Command, LocalCommand
from banlistd.ctl.__main__ import argument_parser
from banlistd.ctl.commands import EVERY_COMMAND, exits
from papers.paper import Paper, section
from papers.roff import roff

_PAGE = "packaging/man/banlistctl.1"

# Of more the help of the argument has the values.
_MOST_CHOICES = 12


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _usage(argument: Argument, bold: str, italic: str) -> str:
    """`[--limit N]`, with the words of a person marked; `bold` and `italic`: templates."""
    choices = argument.choices if len(argument.choices) <= _MOST_CHOICES else ()
    values = "|".join(bold.format(choice) for choice in choices) or italic.format(argument.metavar)
    if argument.is_option:
        usage = bold.format(argument.name) + ("" if argument.is_flag else f" {values}")
        return usage if argument.required else f"[{usage}]"
    repeated = f"{values} ..." if argument.nargs in ("*", "+") else values
    return f"[{repeated}]" if argument.nargs in ("*", "?") else repeated


def _usages(arguments: Sequence[Argument], bold: str, italic: str) -> str:
    return "".join(f" {_usage(argument, bold, italic)}" for argument in arguments)


def _man_commands() -> str:
    return "".join(_man_command(command) for command in EVERY_COMMAND)


def _man_command(command: Command[Any, Any] | LocalCommand) -> str:
    arguments = command.arguments
    head = rf"\fB{roff(command.name)}\fR" + _usages(arguments, r"\fB{}\fR", r"\fI{}\fR").replace("-", r"\-")
    lines = (_sentence(command.help), command.details, _exits_of(command.exits).strip())
    body = "".join(f"{roff(line)}\n" for line in lines if line)
    options = "".join(
        rf".TP{chr(10)}\fB{roff(argument.name)}\fR{chr(10)}{roff(_sentence(argument.help))}{chr(10)}"
        for argument in arguments
        if argument.is_option
    )
    return f".TP\n{head}\n{body}" + (f".RS\n{options}.RE\n" if options else "")


def _man_options() -> str:
    actions = argument_parser(())._actions  # noqa: SLF001 - argparse lists its options nowhere else
    return "".join(_man_option(action) for action in actions if action.option_strings[-1:] not in ([], ["--help"]))


def _man_option(action: argparse.Action) -> str:
    metavar = rf" \fI{action.metavar}\fR" if action.metavar else ""
    return f".TP\n\\fB{roff(action.option_strings[-1])}\\fR{metavar}\n{roff(_sentence(action.help or ''))}\n"


def _man_exits() -> str:
    rows = "".join(f".TP 6\n.B {code}\n{roff(_sentence(text))}\n" for code, text in exits().items())
    return f".PD 0\n{rows}.PD\n"


def _table() -> str:
    return "| command | meaning | route |\n|---|---|---|\n" + "".join(_rows())


def _rows() -> Iterator[str]:
    for command in EVERY_COMMAND:
        usage = f"{command.name}{_usages(command.arguments, '{}', '{}')}".replace("|", "\\|")
        route = f"`{command.method} {command.path}`" if isinstance(command, Command) else "none"
        details = f" {command.details}" if command.details else ""
        yield f"| `{usage}` | {_sentence(command.help)}{details}{_exits_of(command.exits)} | {route} |\n"


def _exits_of(own: Mapping[int, str]) -> str:
    return f" Exit code {', '.join(f'{code}: {text}' for code, text in own.items())}." if own else ""


def _exit_table() -> str:
    return "| exit code | meaning |\n|---|---|\n" + "".join(f"| {code} | {text} |\n" for code, text in exits().items())


PAPERS: tuple[Paper, ...] = (
    section(_PAGE, "commands", _man_commands),
    section(_PAGE, "options", _man_options),
    section(_PAGE, "exits", _man_exits),
    section("packaging/docs/commands.md", "commands", _table),
    section("packaging/docs/commands.md", "exits", _exit_table),
)
