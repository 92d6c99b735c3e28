"""Which changes of the manual bans are written down to be reported."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from banlistd.core.fleet.reports.outbox import ReportChange
from banlistd.core.manual.manual_bans import read_ban
from banlistd.errors import LedgerError
from banlistd.model import ManualBan, Span
from banlistd.services.reports.noting import ReportNotes
from support.fakes import FakeClock
from support.reporters import lifted, reported

CLOCK = FakeClock()


@dataclass
class Notes:
    """What is put into the outbox. `bans`: those in force."""

    bans: list[ManualBan] = field(default_factory=list)
    put_in: list[ReportChange] = field(default_factory=list)
    fails: bool = False

    async def next_boot(self, now: float) -> int:
        raise AssertionError(now)

    async def put(self, changes: Sequence[ReportChange], most: int) -> int:
        if self.fails:
            raise LedgerError("the disk is full")
        self.put_in += changes
        return max(0, len(self.put_in) - most)

    async def oldest(self, limit: int) -> Sequence[tuple[int, ReportChange]]:
        raise AssertionError(limit)

    async def done(self, numbers: object) -> None:
        raise AssertionError(numbers)

    async def touching(self, span: Span) -> Sequence[ManualBan]:
        family, first, last = span
        return [ban for ban in self.bans if ban.family is family and ban.first <= last and first <= ban.last]

    def noted(self, come: Sequence[ManualBan] = (), gone: Sequence[ManualBan] = ()) -> int:
        """How many were lost."""
        notes = ReportNotes(self, ["fail2ban/*"], self.touching, CLOCK)
        asyncio.run(notes.note(come, gone))
        return notes.lost


def ban(address: str, origin: str = "fail2ban/sshd") -> ManualBan:
    return read_ban({"address": address, "origin": origin, "for": "10m"}).at(CLOCK.now())


@pytest.mark.parametrize("others", [0, 20])
def test_an_address_is_taken_back_once_no_reported_origin_bans_it(others: int) -> None:
    more = [ban(f"198.51.100.{number}") for number in range(others)]
    notes = Notes(bans=[ban("203.0.113.7", "fail2ban/nginx"), ban("203.0.113.8", "operator"), ban("2001:db8::1")])
    gone = [ban("203.0.113.7"), ban("203.0.113.8"), ban("2001:db8::9")]
    assert notes.noted(gone=[*gone, *more]) == 0
    assert notes.put_in == [lifted("203.0.113.8"), *(lifted(f"198.51.100.{number}") for number in range(others))]


def test_a_ban_of_another_origin_writes_nothing() -> None:
    notes = Notes(fails=True)
    assert notes.noted(come=[ban("203.0.113.7", "operator")], gone=[ban("203.0.113.8", "operator")]) == 0


def test_what_cannot_be_written_down_is_counted_and_fails_no_ban() -> None:
    notes = Notes(fails=True)
    assert notes.noted(come=[ban("203.0.113.7"), ban("203.0.113.8")]) == 2
    notes.fails = False
    notes.noted(come=[ban("203.0.113.7")])
    assert notes.put_in == [reported("203.0.113.7", CLOCK.now())]
