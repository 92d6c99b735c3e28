"""Completions of banlistctl and banlistd for bash, zsh and fish."""

import argparse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from banlistd.__main__ import _parser as banlistd_parser
from banlistd.control.declaration import Argument, Completes
from banlistd.ctl.__main__ import argument_parser
from banlistd.ctl.commands import EVERY_COMMAND
from papers.paper import Paper, whole

_HEAD = "completion for banlistctl(1) and banlistd(8). Generated from the commands' declarations by packaging/generate.\n"


class Option(NamedTuple):
    """An option of a parser. `value`: the name of its value, or empty. `excludes`: options that cannot go with it."""

    name: str
    help: str
    value: str
    excludes: tuple[str, ...]


def _options(parser: argparse.ArgumentParser) -> Sequence[Option]:
    groups = [[action.option_strings[-1] for action in group._group_actions] for group in parser._mutually_exclusive_groups]  # noqa: SLF001 - argparse tells it nowhere else
    return [
        Option(name, action.help or "", str(action.metavar or ""), tuple(other for other in group if other != name))
        for action in parser._actions  # noqa: SLF001 - as above
        if action.option_strings
        for name in action.option_strings[-1:]
        for group in [next((group for group in groups if name in group), [])]
    ]


CTL_OPTIONS = _options(argument_parser(()))
DAEMON_OPTIONS = _options(banlistd_parser())


def _named_options(arguments: Sequence[Argument]) -> Sequence[Argument]:
    return [argument for argument in arguments if argument.is_option]


TOP_COMMANDS = [command for command in EVERY_COMMAND if " " not in command.name]


def _inner_commands(command: str) -> Sequence[str]:
    """The second words of a command's name."""
    return [words[1] for words in (other.name.split() for other in EVERY_COMMAND) if words[0] == command and words[1:]]


class _Asked(NamedTuple):
    """Words that the running daemon is asked for. `function`: its name. `command`: prints them, one a line."""

    function: str
    command: str


_FIRST_COLUMN = "awk 'NR > 1 && $2 != \"covers\" { print $1 }'"
_ASKED = {
    Completes.SOURCES: _Asked("_banlistctl_sources", f"banlistctl sources 2>/dev/null | {_FIRST_COLUMN}"),
    Completes.QUARANTINED: _Asked(
        "_banlistctl_quarantined", "banlistctl quarantine 2>/dev/null | awk -F ': ' '/^[a-z0-9]/ && NF > 1 { print $1 }'"
    ),
    Completes.MANUAL_BANS: _Asked("_banlistctl_bans", f"banlistctl bans --limit 1000 2>/dev/null | {_FIRST_COLUMN}"),
    Completes.MANUAL_ALLOWS: _Asked(
        "_banlistctl_allows", "banlistctl allowed 2>/dev/null | awk '$2 == \"command\" { print $1 }'"
    ),
}


def _asked_for(arguments: Sequence[Argument]) -> Sequence[_Asked]:
    return [_ASKED[one.completes] for one in arguments if not one.is_option and one.completes in _ASKED]


# bash


_BASH = """\
@ASKED@_banlistctl() {
    # The whole word: bash takes an IPv6 address for several.
    local current=${COMP_LINE:0:COMP_POINT} previous=${COMP_WORDS[COMP_CWORD - 1]} command="" word words
    current=${current##* }
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in [a-z]*) command=$word && break ;; esac
    done
    case "$command $previous" in
@VALUES@    *)
        case $command in
        "") words="@COMMANDS@" ;;
@WORDS@        esac
        words="$words @COMMON@"
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    # Of a word with colons bash replaces only what follows the last of them.
    [[ $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
    return 0
}

_banlistd() {
    local current=${COMP_WORDS[COMP_CWORD]}
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    @FOLDERS@) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "@OPTIONS@" -- "$current") ;;
    esac
}

complete -F _banlistctl banlistctl
complete -F _banlistd banlistd
"""


def _bash() -> str:
    names = " ".join(command.name for command in TOP_COMMANDS)
    common = " ".join(option.name for option in CTL_OPTIONS if option.name != "--version")
    return f"# bash {_HEAD}\n" + (
        _BASH.replace("@ASKED@", "".join(f"{one.function}() {{\n    {one.command}\n}}\n\n" for one in _ASKED.values()))
        .replace("@VALUES@", "".join(_bash_values()))
        .replace("@COMMANDS@", f"{names} --version")
        .replace("@WORDS@", "".join(_bash_words()))
        .replace("@COMMON@", common)
        .replace("@FOLDERS@", " | ".join(option.name for option in DAEMON_OPTIONS if option.value))
        .replace("@OPTIONS@", " ".join(option.name for option in DAEMON_OPTIONS))
    )


_BASH_PLACES = {
    Completes.FOLDERS: 'mapfile -t COMPREPLY < <(compgen -d -- "$current") && return',
    Completes.FILES: 'mapfile -t COMPREPLY < <(compgen -f -- "$current") && return',
}


def _bash_values() -> Iterator[str]:
    """What is offered behind an option that takes a value."""
    yield f'    *" --runtime") {_BASH_PLACES[Completes.FOLDERS]} ;;\n'
    for command in EVERY_COMMAND:
        for option in _named_options(command.arguments):
            if option.is_flag:
                continue
            offered = _BASH_PLACES.get(option.completes, f'words="{" ".join(option.choices)}"')
            yield f'    "{command.name} {option.name}") {offered} ;;\n'


def _bash_words() -> Iterator[str]:
    for command in TOP_COMMANDS:
        words = [option.name for option in _named_options(command.arguments)]
        words += _inner_commands(command.name)
        words += [f"$({one.function})" for one in _asked_for(command.arguments)]
        if words:
            yield f'        {command.name}) words="{" ".join(words)}" ;;\n'


# zsh


_ZSH = """\
@ASKED@_banlistctl_commands() {
    local -a commands
    commands=(
@COMMANDS@    )
    _describe command commands
}

if [[ $service == banlistd ]]; then
    _arguments @DAEMON@
    return
fi

local -a state line common
common=(@COMMON@)
_arguments -C $common '1:command:_banlistctl_commands' '*::argument:->argument' && return
case $line[1] in
@CASES@esac
"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh_described(text: str) -> str:
    """Without what _arguments would read as the end of a description."""
    return text.replace("[", r"\[").replace("]", r"\]").replace(":", r"\:")


def _zsh() -> str:
    commands = "".join(f"        {_quoted(f'{command.name}:{_zsh_described(command.help)}')}\n" for command in TOP_COMMANDS)
    cases = "".join(
        f"({command.name}) _arguments $common {' '.join((*_zsh_arguments(command.arguments), *_zsh_inner(command.name)))} ;;\n"
        for command in TOP_COMMANDS
    )
    return f"#compdef banlistctl banlistd\n# zsh {_HEAD}\n" + (
        _ZSH.replace("@COMMANDS@", commands)
        .replace("@ASKED@", "".join(_zsh_asked(one) for one in _ASKED.values()))
        .replace("@DAEMON@", " \\\n        ".join(_zsh_option(option) for option in DAEMON_OPTIONS))
        .replace("@COMMON@", " ".join(_zsh_option(option) for option in CTL_OPTIONS))
        .replace("@CASES@", cases)
    )


def _zsh_asked(one: _Asked) -> str:
    return f'{one.function}() {{\n    local -a words\n    words=(${{(f)"$({one.command})"}})\n    compadd -a words\n}}\n\n'


def _zsh_option(option: Option) -> str:
    excluded = f"({' '.join(option.excludes)})" if option.excludes else ""
    value = ":folder:_directories" if option.value else ""
    return _quoted(f"{excluded}{option.name}[{_zsh_described(option.help)}]{value}")


def _zsh_inner(command: str) -> Iterator[str]:
    if inner := _inner_commands(command):
        yield _quoted(f"1:command:({' '.join(inner)})")


def _zsh_arguments(arguments: Sequence[Argument]) -> Iterator[str]:
    places = {argument.name: at for at, argument in enumerate((one for one in arguments if not one.is_option), 1)}
    for argument in arguments:
        action = f"({' '.join(argument.choices)})" if argument.choices else _ZSH_ACTIONS[argument.completes]
        value = f":{argument.metavar.lower()}:{action}"
        if argument.is_flag:
            yield _quoted(f"{argument.name}[{_zsh_described(argument.help)}]")
        elif argument.is_option:
            yield _quoted(f"{argument.name}[{_zsh_described(argument.help)}]{value}")
        else:
            yield _quoted(f"{'*' if argument.nargs in ('*', '+') else places[argument.name]}{value}")


_ZSH_ACTIONS = {
    Completes.NOTHING: " ",
    Completes.FOLDERS: "_directories",
    Completes.FILES: "_files",
    **{completes: one.function for completes, one in _ASKED.items()},
}


# fish


_FOLDERS = "-r -a '(__fish_complete_directories)'"
_FISH_PLACES = {Completes.FOLDERS: _FOLDERS, Completes.FILES: "-r -F"}
_FISH = (
    "".join(f"function _{one.function}\n    {one.command}\nend\n\n" for one in _ASKED.values()) + "complete -c banlistctl -f\n"
)


def _fish() -> str:
    lines = [
        *(_fish_option("banlistctl", option) for option in CTL_OPTIONS),
        *(
            f"complete -c banlistctl -n __fish_use_subcommand -a {command.name} -d {_fish_quoted(command.help)}"
            for command in TOP_COMMANDS
        ),
        *(line for command in TOP_COMMANDS for line in _fish_arguments(command.name, command.arguments)),
        "",
        "complete -c banlistd -f",
        *(_fish_option("banlistd", option) for option in DAEMON_OPTIONS),
    ]
    return f"# fish {_HEAD}\n{_FISH}" + "".join(f"{line}\n" for line in lines)


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_option(program: str, option: Option) -> str:
    value = f" {_FOLDERS}" if option.value else ""
    return f"complete -c {program} -l {option.name.removeprefix('--')}{value} -d {_fish_quoted(option.help)}"


def _fish_arguments(command: str, arguments: Sequence[Argument]) -> Iterator[str]:
    begin = f"complete -c banlistctl -n '__fish_seen_subcommand_from {command}'"
    for argument in _named_options(arguments):
        choices = f"-x -a '{' '.join(argument.choices)}'" if argument.choices else "-x"
        value = _FISH_PLACES.get(argument.completes, choices)
        value = "" if argument.is_flag else f" {value}"
        yield f"{begin} -l {argument.name.removeprefix('--')}{value} -d {_fish_quoted(argument.help)}"
    if inner := _inner_commands(command):
        yield f"{begin} -a '{' '.join(inner)}'"
    for one in _asked_for(arguments):
        yield f"{begin} -a '(_{one.function})'"


PAPERS: tuple[Paper, ...] = (
    whole("packaging/completions/banlistctl.bash", _bash),
    whole("packaging/completions/_banlistctl", _zsh),
    whole("packaging/completions/banlistctl.fish", _fish),
)
