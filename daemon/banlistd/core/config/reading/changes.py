"""What another version of the files changes in the configuration as it is written, place by place. Values are not told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from banlistd.core.config.kept import Files
from banlistd.core.config.problems import Document, Spot
from banlistd.core.config.reading.written import WrittenSource, sources_of, written_at
from banlistd.core.config.yaml import parse_document

_MAIN = "banlistd.yaml"


class ChangeKind(StrEnum):
    """What became of a source, or of a key of the file itself."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class WrittenChange:
    """`source_id` empty: a key of banlistd.yaml itself. `file`: relative to the folder of the configuration; `line` counts
    from 1, and is that of the file before for what is removed. `keys`: those that differ, of what is changed.
    """

    kind: ChangeKind
    source_id: str
    file: str
    line: int
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = f"source {self.source_id}" if self.source_id else ", ".join(self.keys)
        keys = f" ({', '.join(self.keys)})" if self.source_id and self.keys else ""
        return f"{what}: {self.kind} in {self.file}:{self.line}{keys}"


def written_changes(before: Files, after: Files) -> list[WrittenChange]:
    """In the order of the files. Files that are the same are not parsed: a large configuration takes seconds."""
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    old, new = _documents(before, names), _documents(after, names)
    return [*_of_keys(old.get(_MAIN), new.get(_MAIN)), *_of_sources(_sources(old), _sources(new))]


def _documents(files: Files, names: list[str]) -> Mapping[str, Document]:
    return {name: parse_document(name, files[name]) for name in names if name in files}


def _sources(documents: Mapping[str, Document]) -> Mapping[str, WrittenSource]:
    found: dict[str, WrittenSource] = {}
    for name, document in documents.items():
        root = Spot(document, [])
        tree = document.tree if isinstance(document.tree, dict) else {}
        written = written_at(root.at("sources"), tree.get("sources")) if name == _MAIN else sources_of(root)
        found |= {one.id: one for one in written if isinstance(one.id, str)}
    return found


def _of_sources(old: Mapping[str, WrittenSource], new: Mapping[str, WrittenSource]) -> Iterator[WrittenChange]:
    for source_id, one in new.items():
        was = old.get(source_id)
        if was is None:
            yield WrittenChange(ChangeKind.ADDED, source_id, one.spot.document.name, one.spot.line)
        elif was.tree != one.tree:
            keys = _differing(was.tree, one.tree)
            lines = [one.spot.at(key).line for key in keys if key in one.tree]
            line = min(lines, default=one.spot.line)
            yield WrittenChange(ChangeKind.CHANGED, source_id, one.spot.document.name, line, keys)
    for source_id, one in old.items():
        if source_id not in new:
            yield WrittenChange(ChangeKind.REMOVED, source_id, one.spot.document.name, one.spot.line)


def _of_keys(old: Document | None, new: Document | None) -> Iterator[WrittenChange]:
    """Keys of banlistd.yaml beside the sources."""
    was, now = (one.tree if one and isinstance(one.tree, dict) else {} for one in (old, new))
    document = new or old
    for key in _differing(was, now) if document else ():
        if document and key != "sources":
            kind = ChangeKind.ADDED if key not in was else ChangeKind.REMOVED if key not in now else ChangeKind.CHANGED
            spot = Spot(document if key in now or old is None else old, [])
            yield WrittenChange(kind, "", document.name, spot.at(key).line, (key,))


def _differing(was: Mapping[str, object], now: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(key for key in dict.fromkeys((*now, *was)) if was.get(key) != now.get(key) or (key in was) != (key in now))
