"""What an administrator reads is whole: man pages, completions, explanations in the journal, the lock of the libraries."""

import argparse
import re
import shutil
import subprocess
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from banlistd.__main__ import _parser
from banlistd.backends import BackendName
from banlistd.core.config.keys import Section, keys_of, sections_of
from banlistd.core.config.model import Config
from banlistd.ctl.commands import EVERY_COMMAND
from banlistd.events import EventName
from banlistd.formats import FormatType
from banlistd.model import Action, Direction, Ownership

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
DAEMON = PACKAGING.parent / "daemon" / "banlistd"
PAGES = sorted((PACKAGING / "man").iterdir())
COMPLETIONS = sorted((PACKAGING / "completions").iterdir())
_MARK = '.\\" '
# What the next step of an explanation in the journal may run.
PROGRAMS = ("banlistctl", "banlistd", "systemctl", "journalctl", "timedatectl", "getent", "df", "nft")
CATALOGUE = (PACKAGING / "journal" / "banlistd.catalog").read_text()


def page(name: str) -> str:
    """A man page as text, without the marks of roff; what macros of two fonts put together has no spaces in between."""
    lines = source(name).replace("\\-", "-").splitlines()
    return "\n".join(re.sub(r"\\f.", "", _plain(line)) for line in lines)


def generated(name: str, part: str) -> str:
    """A generated section of a man page, as it is written."""
    found = re.search(
        rf"{re.escape(_MARK)}begin generated: {part}\n(.*){re.escape(_MARK)}end generated: {part}\n", source(name), re.DOTALL
    )
    assert found
    return found[1]


def source(name: str) -> str:
    return (PACKAGING / "man" / name).read_text()


def bold_in(entry: str) -> set[str]:
    """What is bold in a piece of a man page."""
    found = set(re.findall(r"\\fB(.*?)\\f[RP]", entry))
    for macro, rest in re.findall(r"^\.(BR?|RB) (.*)$", entry, re.MULTILINE):
        words = [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', rest)]
        found |= {rest} if macro == "B" else set(words[macro == "RB" :: 2])
    return found


def _plain(line: str) -> str:
    macro, _, rest = line.partition(" ") if line.startswith(".") else ("", "", line)
    if macro in (".BR", ".BI", ".IB", ".IR", ".RB", ".RI"):
        return "".join(quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', rest))
    return rest.replace('"', "")


def entries() -> dict[str, str]:
    """The entries of the catalogue by their ids."""
    parts = re.split(r"^-- ([0-9a-f]{32})$", CATALOGUE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings if option not in ("-h", "--help")]


@pytest.mark.parametrize("name", EventName)
def test_a_catalogue_entry_has_a_subject_and_a_next_step(name: EventName) -> None:
    entry = entries()[name.kind.message_id]
    assert re.match(r"\nSubject: \S.{10,90}\nDefined-By: banlistd\nSupport: \S+\nDocumentation: man:banlistd\(8\)\n\n\S", entry)
    text = entry.replace("\n", " ")
    commands = re.findall(rf"^    (?:{'|'.join(PROGRAMS)}) ", entry, re.MULTILINE)
    assert commands or "nothing to do" in text or "Nothing was written" in text, (
        f"{name} needs an indented command of {', '.join(PROGRAMS)}, or the words: nothing to do"
    )
    assert all(len(line) <= 100 for line in entry.splitlines())


def test_the_catalogue_has_an_entry_for_each_event_and_no_other() -> None:
    assert sorted(entries()) == sorted(name.kind.message_id for name in EventName)


def test_the_catalogue_is_taken_by_systemd(tmp_path: Path) -> None:
    if shutil.which("journalctl") is None:
        pytest.skip("no command journalctl")
    folder = tmp_path / "usr/lib/systemd/catalog"
    folder.mkdir(parents=True)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    (folder / "banlistd.catalog").write_text(CATALOGUE)
    at = f"--root={tmp_path}"
    subprocess.run(["journalctl", at, "--update-catalog"], check=True, capture_output=True)
    listed = subprocess.run(["journalctl", at, "--list-catalog"], check=True, capture_output=True, text=True).stdout
    assert len(listed.splitlines()) == len(EventName)


@pytest.mark.parametrize("name", EventName)
def test_the_man_page_lists_every_event_with_its_fields(name: EventName) -> None:
    head = f'.BR {name} " ({name.kind.priority.level})"\n'
    (entry,) = [entry for entry in generated("banlistd.8", "events").split(".TP\n") if entry.startswith(head)]
    assert all(re.search(rf"\b{field}\b", entry) for field in name.kind.fields)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_man_page_has_no_mistake(path: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("no command man")
    command = ["man", "--warnings", "--encoding=UTF-8", "--local-file", "--troff-device=utf8", "--ditroff", str(path)]
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANROFFSEQ": ""}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")


def test_every_command_of_banlistctl_is_in_its_man_page_with_its_arguments() -> None:
    text = page("banlistctl.1")
    for command in EVERY_COMMAND:
        line = re.search(rf"^{command.name}\b.*$", text, re.MULTILINE)
        assert line, command.name
        assert all(argument.name in line[0] for argument in command.arguments if argument.name.startswith("-"))


def test_every_option_of_banlistd_is_in_its_man_page_and_in_every_completion() -> None:
    for option in options_of(_parser()):
        assert re.search(rf"^{option}\b", page("banlistd.8"), re.MULTILINE), option
        assert all(option.lstrip("-") in path.read_text() for path in COMPLETIONS), option


@pytest.mark.parametrize("path", COMPLETIONS, ids=lambda path: path.name)
def test_a_completion_knows_every_command(path: Path) -> None:
    for command in EVERY_COMMAND:
        assert re.search(rf"[' \"(]{command.name.split()[-1]}[': \")]", path.read_text()), command.name


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("banlistctl to", "top"),
        ("banlistctl top --", "--by --limit --runtime --json --help"),
        ("banlistctl top --by ", "country asn source hits"),
        ("banlistctl --json ban --fo", "--for --force"),
        ("banlistctl ban --for ", ""),
        ("banlistctl history ", "first second --limit --runtime --json --help"),
        ("banlistctl refresh s", "second"),
        ("banlistctl approve ", "refused --force --runtime --json --help"),
        ("banlistctl quarantine r", "refused"),
        ("banlistctl unban ", "192.0.2.7 2001:db8::7 --prefix6 --origin --runtime --json --help"),
        ("banlistctl unban 1", "192.0.2.7"),
        ("banlistctl unban 2001:d", "db8::7"),
        ("banlistctl teardown --state /us", "/usr"),
        ("banlistctl --runtime /us", "/usr"),
        ("banlistctl install-units --backend ip", "ipset"),
        ("banlistd --dry", "--dry-run"),
        ("banlistd --config /us", "/usr"),
    ],
)
def test_bash_offers_what_can_follow(words: str, offered: str) -> None:
    script = (
        'banlistctl() { case $1 in sources) printf "ID STATE\\nfirst completed\\nsecond off\\nsecond covers all\\n" ;;'
        ' quarantine) printf "refused: html since 10:00\\n  what: came\\n" ;;'
        ' bans) printf "ADDRESS ORIGIN\\n192.0.2.7 operator\\n2001:db8::7 operator\\n" ;; esac; }; . "$1"; shift;'
        ' COMP_WORDS=("$@") COMP_LINE="$*" COMP_WORDBREAKS=":="; COMP_POINT=${#COMP_LINE}'
        ' COMP_CWORD=$(($# - 1)); "_$1"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    command = ["bash", "-c", script, "bash", str(PACKAGING / "completions" / "banlistctl.bash"), *words.split(" ")]
    assert set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()) == {*offered.split()}


@pytest.mark.parametrize(("shell", "name"), [("bash", "banlistctl.bash"), ("zsh", "_banlistctl"), ("fish", "banlistctl.fish")])
def test_a_completion_is_understood_by_its_shell(shell: str, name: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no command {shell}")
    done = subprocess.run([shell, "-n", str(PACKAGING / "completions" / name)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("model", sections_of(Config))
def test_every_section_of_the_configuration_is_in_its_man_page_with_every_key(model: type[Section]) -> None:
    text = page("banlistd.yaml.5")
    assert f"\n{model.title.upper()}\n" in text
    for key in keys_of(model):
        assert re.search(rf"(?:^|, |\{{){key}\b", text, re.MULTILINE), key


@pytest.mark.parametrize(("key", "values"), [("owner", Ownership), ("action", Action), ("direction", Direction)])
def test_the_entry_of_a_key_has_every_value_in_bold(key: str, values: type[StrEnum]) -> None:
    (entry,) = [entry for entry in source("banlistd.yaml.5").split(".TP\n") if re.match(rf"\.B\w? {key}\b", entry)]
    assert set(values) <= bold_in(entry)


@pytest.mark.parametrize(
    ("name", "part", "values"), [("banlistd.8", "backends", BackendName), ("banlistd.yaml.5", "formats", FormatType)]
)
def test_a_generated_list_has_an_entry_for_every_value(name: str, part: str, values: type[StrEnum]) -> None:
    assert re.findall(r"^\.TP\n\.B (\S+)$", generated(name, part), re.MULTILINE) == list(values)


def test_the_package_has_the_version_of_the_program() -> None:
    project = pyproject()["project"]
    first = (PACKAGING / "debian" / "changelog").read_text().splitlines()[0]
    assert first.startswith(f"banlistd ({project['version']}) ")
    assert all(f"banlistd {project['version']}" in path.read_text().splitlines()[0] for path in PAGES)


@pytest.mark.parametrize("name", ["requirements.lock", "build.lock"])
def test_every_library_in_a_lock_has_its_hash(name: str) -> None:
    lines = (PACKAGING / name).read_text().splitlines()
    pinned = [number for number, line in enumerate(lines) if "==" in line and not line.startswith((" ", "#"))]
    assert pinned
    assert all("--hash=sha256:" in lines[number + 1] for number in pinned)


def test_the_lock_holds_every_library_that_the_program_needs() -> None:
    project = pyproject()["project"]
    needed = project["dependencies"]
    lock = (PACKAGING / "requirements.lock").read_text()
    for name in (re.split(r"[<>=~ \[]", word)[0] for word in needed):
        assert re.search(rf"^{name}==", lock, re.MULTILINE), f"{name} is missing: run packaging/lock"


def pyproject() -> dict[str, Any]:
    return tomllib.loads((PACKAGING.parent / "pyproject.toml").read_text())
