"""The credits that the sources in use ask for."""

import asyncio
from types import SimpleNamespace
from typing import Any

from banlistd.control.commands.credits import CATALOGUE_CREDITS, CreditRow
from banlistd.control.declaration import PageContext
from support.written_config import read

MINE = 'id: mine, url: "https://lists.example/mine"'


def rows_of(sources: str) -> list[CreditRow]:
    parts: Any = SimpleNamespace(service=SimpleNamespace(config=read(f"sources: {sources}")))

    async def answer() -> list[CreditRow]:
        return await CATALOGUE_CREDITS.answer(parts, ())

    return asyncio.run(answer())


def page_of(rows: list[CreditRow]) -> list[str]:
    return [str(part) for part in CATALOGUE_CREDITS.page(rows, PageContext(0.0, lambda _: None))]


def test_a_list_of_the_catalogue_has_the_terms_of_its_entry() -> None:
    assert rows_of("[use: known]") == [{"id": "known", "use": "known", "attribution": "", "licence": "l", "home": "h"}]


def test_a_source_may_have_terms_of_its_own() -> None:
    rows = rows_of(f"[{{{MINE}, attribution: The Makers, licence: MIT}}]")
    assert page_of(rows) == ["mine: The Makers", "    MIT"]


def test_a_source_without_terms_and_one_that_is_off_ask_for_nothing() -> None:
    rows = rows_of(f"[{{{MINE}}}, {{use: known, enabled: no}}]")
    assert page_of(rows) == ["of no source in use the terms are known"]


def test_a_text_from_a_configuration_is_safe_to_print() -> None:
    row: CreditRow = {"id": "a", "use": "", "attribution": "\x1b[31m", "licence": "", "home": ""}
    assert page_of([row]) == ["a: \\x1b[31m"]
