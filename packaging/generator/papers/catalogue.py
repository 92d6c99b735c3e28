"""The catalogue as the program reads it, of the files in daemon/banlistd/catalogue, and packaging/docs/catalogue.md."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from banlistd.core.config.catalogue.entry import CatalogueEntry
from banlistd.core.config.catalogue.known import text_of
from banlistd.core.config.catalogue.read import read_catalogue, trees_of
from banlistd.core.config.catalogue.terms import ListState, Permission, Purpose
from banlistd.core.config.kinds import show_duration
from banlistd.core.config.problems import Document
from banlistd.core.config.yaml import parse_document
from papers.paper import Paper, section, whole

_FOLDER = Path(__file__).resolve().parents[3] / "daemon" / "banlistd" / "catalogue"


@cache
def _documents() -> Sequence[Document]:
    return [parse_document(path.name, path.read_bytes()) for path in sorted(_FOLDER.glob("*.yaml"))]


def _json() -> str:
    read_catalogue(*_documents())  # raises ConfigError with all that is wrong
    return text_of(trees_of(_documents()))


def _table() -> str:
    rows = "".join(map(_row, read_catalogue(*_documents()).values()))
    head = "| name | what it is | good for | size | poll interval | licence | business |\n|---|---|---|---|---|---|---|\n"
    return head + rows


def _row(entry: CatalogueEntry) -> str:
    state = "" if entry.state is ListState.ALIVE else f"**{entry.state}**: "
    kind = "**reference**: " if entry.purpose is Purpose.ALLOW else ""
    business = "not known" if entry.commercial is Permission.UNKNOWN else str(entry.commercial)
    cells = (
        f"[`{entry.id}`]({entry.home})",
        f"{kind}{state}{entry.comment}",
        ", ".join(entry.good_for),
        str(entry.size),
        show_duration(entry.every),
        entry.licence,
        business,
    )
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n"


PAPERS: tuple[Paper, ...] = (
    whole("daemon/banlistd/catalogue.json", _json),
    section("packaging/docs/catalogue.md", "lists", _table),
)
