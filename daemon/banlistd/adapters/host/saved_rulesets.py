"""The files that nftables.service loads: whether one of them names our table."""

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from banlistd.model import Remark

_LOADED = ("etc/nftables.conf", "etc/sysconfig/nftables.conf")  # Debian, Arch; Fedora
# An administrator's unit or drop-in may load another file.
_UNITS = ("usr/lib/systemd/system", "lib/systemd/system", "run/systemd/system", "etc/systemd/system")
_UNIT = "nftables.service"
_INCLUDED_FROM = "etc"  # where nft looks for an include that begins neither with / nor with a dot

# Octets that are read of a file, and files that are read: nft lists a table's name before its elements.
_LARGEST_FILE = 1 << 22
_MAX_FILES = 256

_STRING_OR_COMMENT = re.compile(r'("[^"\n]*")|#.*')
_COMMAND = re.compile(r"^\s*Exec(?:Start|StartPre|StartPost|Reload)\s*=(.*nft\b.*)$", re.MULTILINE)
_OPTION_FILE = re.compile(r"""(?:\s-[a-zA-Z]*f\s*|\s--file[=\s]\s*)["']?(/[^\s"';]+)""")
_INCLUDE = re.compile(r'^\s*include\s+"([^"\n\0]+)"', re.MULTILINE)


def remarks_on_saved_rulesets(table: str, root: Path = Path("/")) -> Sequence[Remark]:
    """One for each file that names the table of the family inet. A file that cannot be read is left out. Blocks."""
    named = re.compile(rf"\binet\s+{re.escape(table)}(?![\w/.-])")
    return [
        Remark(
            f"/{path.relative_to(root)} names table inet {table}: when nftables.service loads it, old bans come back for a "
            "moment, and with an owned table (owner: yes) the host is left without its own rules",
            "save the ruleset without the table: man banlistd, SAVED RULESETS",
        )
        for path, text in _loaded(root)
        if named.search(_STRING_OR_COMMENT.sub("", text))
    ]


def _loaded(root: Path) -> Iterator[tuple[Path, str]]:
    """Each file once, with its text."""
    waiting = [root / name for name in _LOADED] + [root / name.lstrip("/") for name in _named_in_units(root)]
    seen = set[Path]()
    while waiting and len(seen) < _MAX_FILES:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        text = _read(path)
        yield path, text
        for name in _INCLUDE.findall(_STRING_OR_COMMENT.sub(r"\1", text)):
            waiting += _matching(root, name)


def _named_in_units(root: Path) -> Iterator[str]:
    """What the commands of nftables.service load. Also what a drop-in has taken back: it may come again."""
    for folder in _UNITS:
        for path in (root / folder / _UNIT, *sorted((root / folder / f"{_UNIT}.d").glob("*.conf"))):
            for command in _COMMAND.findall(_read(path)):
                yield from _OPTION_FILE.findall(command)


def _matching(root: Path, name: str) -> list[Path]:
    """As nft does it; nftables.service runs it in the folder /."""
    beginning = root if name.startswith(("/", ".")) else root / _INCLUDED_FROM
    # Path.glob finds hidden files too, and refuses patterns that nft accepts.
    return [beginning / found for found in sorted(glob.glob(name.lstrip("/"), root_dir=beginning))]  # noqa: PTH207


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(_LARGEST_FILE).decode("utf-8", "replace")
    except OSError:
        return ""
