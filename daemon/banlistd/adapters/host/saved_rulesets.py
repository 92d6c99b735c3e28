"""The files that nftables.service loads: whether one of them names our table."""

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from banlistd.model import Remark

_LOADED = ("etc/nftables.conf", "etc/sysconfig/nftables.conf")  # Debian, Arch; Fedora
_INCLUDED_FROM = "etc"  # where nft looks for an include that begins neither with / nor with a dot

# Octets that are read of a file, and files that are read: nft lists a table's name before its elements.
_LARGEST_FILE = 1 << 22
_MAX_FILES = 256

_STRING_OR_COMMENT = re.compile(r'("[^"\n]*")|#.*')
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
    waiting = [root / name for name in _LOADED]
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
