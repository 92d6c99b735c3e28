"""The folder in which python-tuf keeps metadata that it has verified. What is asked of it is parsed once."""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_ROOTS = "root_history"
_NUMBERS = re.compile(r"\d+")


class MetadataFolder:
    """`place`: it is this program's alone."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._signed: dict[bytes, dict[str, Any]] = {}
        self._ends: dict[str, float] = {}

    def write(self, rows: Mapping[str, bytes]) -> None:
        os.makedirs(f"{self.place}/{_ROOTS}", exist_ok=True)  # noqa: PTH103 - each pull does this
        for name, octets in rows.items():
            file = os.open(f"{self.place}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                left = memoryview(octets)
                while left:
                    left = left[os.write(file, left) :]
            finally:
                os.close(file)

    def add_root(self, version: int, octets: bytes) -> None:
        self.write({f"{_ROOTS}/{version}.root.json": octets})

    def remove(self, name: str) -> None:
        (self.place / name).unlink()

    def content(self, name: str) -> bytes:
        """Nothing where there is no such file."""
        with suppress(FileNotFoundError):
            file = os.open(f"{self.place}/{name}", os.O_RDONLY)
            try:
                return os.read(file, os.fstat(file).st_size)
            finally:
                os.close(file)
        return b""

    def rows(self) -> dict[str, bytes]:
        """All of it, by name."""
        found = {}
        for within, ending in (("", ".json"), (f"{_ROOTS}/", ".root.json")):
            with os.scandir(f"{self.place}/{within}") as entries:
                for entry in entries:
                    if entry.name.endswith(ending) and not entry.is_symlink():
                        found[within + entry.name] = self.content(within + entry.name)
        return found

    def changed(self, before: Mapping[str, bytes]) -> dict[str, bytes]:
        return {name: octets for name, octets in self.rows().items() if before.get(name) != octets}

    def signed_in(self, octets: bytes) -> dict[str, Any]:
        """The signed part of metadata that python-tuf has verified."""
        if octets not in self._signed:
            self._signed[octets] = json.loads(octets)["signed"]
        return self._signed[octets]

    def end_of(self, octets: bytes) -> float:
        """When metadata that was verified expires. python-tuf has made sure that the time is six numbers."""
        text = self.signed_in(octets)["expires"]
        if text not in self._ends:
            year, month, day, hour, minute, second = map(int, _NUMBERS.findall(text))
            self._ends[text] = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
        return self._ends[text]
