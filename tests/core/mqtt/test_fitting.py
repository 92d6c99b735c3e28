"""Messages are cut to 48 KiB, and no more than they must."""

import json
from typing import Any

import pytest

from banlistd.core.mqtt.fitting import LARGEST, fitted


def read(document: dict[str, object]) -> Any:
    octets = fitted(document)
    assert len(octets) <= LARGEST
    return json.loads(octets)


def test_what_fits_stays_as_it_is() -> None:
    document: dict[str, object] = {"v": 1, "message": "m" * 40_000, "fields": {"A": "", "B": 0.5}, "stale": ["x"] * 100}
    assert read(document) == document


def test_a_long_text_is_cut_and_says_so() -> None:
    found = read({"v": 1, "message": "m" * 60_000, "fields": {"SOURCE_ID": "one", "ENTRIES": 10**9}})
    assert found == {"v": 1, "message": "m" * 4095 + "…", "fields": {"SOURCE_ID": "one", "ENTRIES": 10**9}}


def test_a_long_list_keeps_its_first_items() -> None:
    names = [f"{number:064}" for number in range(5000)]
    found = read({"v": 1, "failing": names, "bans": 7, "last_import": None})
    assert found == {"v": 1, "failing": names[:256], "bans": 7, "last_import": None}


@pytest.mark.parametrize("letter", ["a", "\x00", "\U0001f525"])
def test_many_long_texts_of_any_letters_fit(letter: str) -> None:
    found = read({"message": letter * 50_000, "fields": {f"FIELD_{number}": letter * 50_000 for number in range(100)}})
    assert len(found["fields"]) == 100
    assert found["message"].endswith("…")
