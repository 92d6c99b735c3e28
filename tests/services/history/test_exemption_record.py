"""What is exempt is compared outside the event loop, which goes on meanwhile."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

from banlistd.core.ruleset.allowing.exemptions import ExemptSpan
from banlistd.model import Family, PolicyHash, Protected, Span
from banlistd.services.history.exemptions import ExemptionRecord
from support.fakes import FakeClock

INSIDE: Span = (Family.IPV4, 0x0A000000, 0x0A0000FF)


class Places(Sequence[Protected]):
    """One protected network, and the threads that have looked at it."""

    def __init__(self) -> None:
        self.threads: set[threading.Thread] = set()

    def __iter__(self) -> Iterator[Protected]:
        self.threads.add(threading.current_thread())
        return iter([Protected(*INSIDE, "own network")])

    def __len__(self) -> int:
        return 1

    def __getitem__(self, place: Any) -> Any:
        return [*self][place]


class Table:
    def __init__(self) -> None:
        self.rows: list[ExemptSpan] = []

    async def load(self) -> Sequence[ExemptSpan]:
        return []

    async def change(self, rows: Sequence[ExemptSpan]) -> None:
        self.rows += rows

    async def ended(self, span: Span) -> Sequence[ExemptSpan]:
        return [one for one in self.rows if one.until is not None]


async def nothing(*_: object) -> None:
    """Of the boot snapshot."""


def test_what_comes_and_ends_is_found_outside_the_event_loop() -> None:
    table, places = Table(), Places()
    policy: Any = SimpleNamespace(hash=PolicyHash("a"), allowed={})

    async def life() -> None:
        record = ExemptionRecord(cast("Any", SimpleNamespace(keep=nothing)), table, FakeClock())
        await record.keep(PolicyHash("a"), policy, places)
        assert [one.reason for one in await record.of(INSIDE)] == ["own network"]
        await record.keep(PolicyHash("b"), policy, [])
        assert [one.until is not None for one in await record.of(INSIDE)] == [True]

    asyncio.run(life())
    assert [one.until is None for one in table.rows] == [True, False]
    assert places.threads
    assert threading.main_thread() not in places.threads
