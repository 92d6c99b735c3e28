"""The table of commands is whole: what is declared is in it, and what is in it can be asked and is documented."""

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest

from banlistd.control import commands
from banlistd.control.answers.faults import status_of
from banlistd.control.declaration import Command
from banlistd.control.table import COMMANDS
from support.commands import unfit

PAGE = (Path(__file__).resolve().parents[2] / "packaging" / "docs" / "control-api.md").read_text(encoding="utf-8")


def declared() -> set[str]:
    modules = [
        importlib.import_module(found.name) for found in pkgutil.walk_packages(commands.__path__, f"{commands.__name__}.")
    ]
    return {value.name for module in modules for value in vars(module).values() if isinstance(value, Command)}


def test_every_declared_command_is_in_the_table_once() -> None:
    names = [command.name for command in COMMANDS]

    assert sorted(names) == sorted(declared())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_example_has_the_shape_of_the_answer(command: Command[Any, Any]) -> None:
    assert unfit(command.example, command.shape) == ""
    assert json.loads(json.dumps(command.example)) == command.example


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_route_is_documented_with_its_fields_and_errors(command: Command[Any, Any]) -> None:
    _, found, rest = PAGE.partition(f"\n## {command.method} {command.path}\n")
    assert found
    text = rest.partition("\n## ")[0]
    assert all(f"`{argument.key}`" in text for argument in command.asked)
    assert all(f"{status_of(kind)} `{kind.__name__}`" in text for kind in command.errors)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_declaration_is_one_line_of_help_without_a_full_stop(command: Command[Any, Any]) -> None:
    assert command.method in ("GET", "POST")
    assert command.help == command.help.strip()
    assert "\n" not in command.help
    assert not command.help.endswith(".")
