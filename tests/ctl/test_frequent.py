"""Frequent commands are found without the others, and are the same ones."""

import subprocess
import sys

import pytest

from banlistd.ctl.__main__ import FREQUENT, argument_parser, frequent_command, main
from banlistd.ctl.commands import EVERY_COMMAND

NAMES = """import sys
from banlistd.ctl.__main__ import argument_parser
argument_parser(["status", "--json"]).parse_args(["status", "--json"])
print(*sorted(name for name in sys.modules if name.startswith("banlistd.")))
"""


@pytest.mark.parametrize("name", FREQUENT)
def test_a_frequent_command_is_the_one_of_the_table_and_the_only_one_of_its_name(name: str) -> None:
    assert [command for command in EVERY_COMMAND if command.name.split()[0] == name] == [frequent_command([name])]


def test_options_before_the_command_ask_for_all_commands_but_json_does_not() -> None:
    assert frequent_command(["--json", "status"]) is frequent_command(["status"])
    assert frequent_command(["--runtime", "/run/banlistd", "status"]) is None
    assert frequent_command([]) is None
    assert argument_parser(["--runtime", "/r", "status"]).parse_args(["--runtime", "/r", "status"]).runtime == "/r"


def test_a_frequent_command_imports_no_table_of_commands() -> None:
    asked = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, check=True)
    found = asked.stdout.split()
    assert "banlistd.control.commands.status" in found
    assert not {"banlistd.control.table", "banlistd.ctl.commands", "banlistd.control.commands.manual_bans.ban"} & set(found)


@pytest.mark.parametrize("argv", [["status", "--help"], ["--help"], ["history", "--help"]])
def test_help_ends_with_all_exit_codes(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(argv)
    said = capsys.readouterr().out
    assert "exit codes:" in said
    assert "141  the reader of the output has gone" in said
