"""The walk-through of packaging/docs/fleet.md: what is typed on which machine, and the configuration of each."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "packaging" / "docs" / "fleet.md"
_ASKS = re.compile(r"^(banlistctl fleet (?:sign|new-key \S+ --role (?:root|targets))\b.*)$", re.MULTILINE)
_CONFIRMS = re.compile(r"^(banlistctl fleet sign .*)$", re.MULTILINE)


def walk() -> dict[str, list[tuple[str, str]]]:
    """Of each section the machines and commands of its blocks, in order."""
    found = {}
    for title, text in _sections().items():
        blocks = _blocks(text)
        found[title] = [(block.partition("\n")[0][2:], block.partition("\n")[2]) for block in blocks if block.startswith("# ")]
    return found


def configured(section: str, containing: str) -> str:
    """The one block of configuration of a section that has a text."""
    blocks = (block for block in _blocks(_sections()[section]) if not block.startswith("# "))
    (found,) = (block for block in blocks if containing in block)
    return found


def answered(commands: str, passphrase: str) -> str:
    """The commands with what a person would be asked for. `passphrase`: the path of a file."""
    return _CONFIRMS.sub(r"\1 --yes", _ASKS.sub(rf"\1 --passphrase-file {passphrase}", commands))


def _sections() -> dict[str, str]:
    return dict(part.partition("\n")[::2] for part in DOCUMENT.read_text().split("\n## ")[1:])


def _blocks(text: str) -> list[str]:
    blocks = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    return ["".join(line[4:] for line in block.splitlines(keepends=True)) for block in blocks]
