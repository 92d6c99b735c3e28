"""What canaries refuse, from the broker to the stop: the signature counts, and a flood delays no other node."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.core.fleet.publish_job import KnownContent, Published
from banlistd.core.fleet.reports.judging import Node, ReportMessage, ReportRefusal, WhyNot
from banlistd.core.fleet.reports.report import MOST_REPORT_OCTETS
from banlistd.core.fleet.roll_out.refusals import REFUSAL_TYPE, NodeRefusals, RefusedVersion, refusals_payload
from banlistd.services.publishing import canaries as canaries_module
from banlistd.services.publishing.canaries import MOST_OCTETS_TO_HEAR, Canaries, CanaryPlace
from banlistd.services.publishing.roll_out import RollOut
from banlistd.services.reports.allowances import BURST, EVERY, Allowances
from support.fakes import FakeAnnouncer, FakeClock
from support.reporters import FLEET, node, signer
from support.roll_outs import RollOuts

A, B = ("a" * 64, "b" * 64)


class Hub:
    def __init__(self) -> None:
        self.clock, self.log, self.refusals = FakeClock(), RollOuts(), list[ReportRefusal]()
        self.roll_out: RollOut | None = RollOut(self.log, FakeAnnouncer(), self.clock)
        self.roll_out.note(["drop"], Published(1, 1, 0.0, {"drop": (KnownContent(B, B), KnownContent(A, A))}))
        self.asked = list[str]()
        place = CanaryPlace(FLEET, is_signed_by, self.refusals.append, Allowances().take)
        self.canaries = Canaries(place, cast("Any", self), lambda: self.roll_out, self.clock)

    async def some(self, ids: Collection[str]) -> Sequence[Node]:
        self.asked += ids
        every = [replace(node("node-1"), is_canary=True), node("node-2")]
        return [one for one in every if one.id in ids]

    def message(self, name: str, by: str = "") -> ReportMessage:
        said = NodeRefusals(FLEET, name, int(self.clock.now()), (RefusedVersion("drop", B, "wide", "10.0.0.0/8"),))
        return ReportMessage(name, signer(by or name).signed(refusals_payload(said), REFUSAL_TYPE))

    def turn(self, message: ReportMessage) -> None:
        self.canaries.hear(message)
        asyncio.run(self.canaries.turn())


def test_only_a_signed_refusal_of_a_canary_stops_a_list() -> None:
    hub = Hub()
    hub.turn(hub.message("node-2"))
    hub.turn(hub.message("node-1", by="node-2"))
    hub.turn(hub.message("node-3"))
    assert hub.log.rows == {}
    assert [one.why for one in hub.refusals] == [WhyNot.WRONG_KEY, WhyNot.UNKNOWN_NODE]
    hub.turn(hub.message("node-1"))
    assert hub.log.rows["drop"].bad == {B[:16]}


def test_a_machine_that_publishes_nothing_any_more_stops_nothing() -> None:
    hub = Hub()
    hub.roll_out = None
    hub.turn(hub.message("node-1"))
    assert hub.log.rows == {}


def test_a_node_that_sends_many_messages_has_only_its_newest_one_read() -> None:
    hub = Hub()
    for _ in range(3):
        hub.canaries.hear(ReportMessage("node-2", b"{}"))
    hub.turn(hub.message("node-1"))
    asyncio.run(hub.canaries.turn())
    assert hub.log.rows["drop"].bad == {B[:16]}
    assert len(hub.refusals) == 1


def test_a_node_that_floods_is_looked_at_now_and_then_and_a_canary_at_once() -> None:
    hub = Hub()
    for _ in range(1000):
        hub.canaries.hear(ReportMessage("node-2", b"{}"))
        if hub.canaries.waiting:
            asyncio.run(hub.canaries.turn())
    assert hub.asked == ["node-2"] * BURST
    hub.turn(hub.message("node-1"))
    assert hub.log.rows["drop"].bad == {B[:16]}
    hub.clock.time += EVERY
    hub.turn(ReportMessage("node-2", b"{}"))
    assert hub.asked == [*["node-2"] * BURST, "node-1", "node-2"]


def test_what_is_too_large_is_not_kept_and_topics_of_many_names_take_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub()
    hub.canaries.hear(ReportMessage("node-1", b"x" * (MOST_REPORT_OCTETS + 1)))
    assert [one.why for one in hub.refusals] == [WhyNot.TOO_LARGE]
    monkeypatch.setattr(canaries_module, "MOST_NODES_WAITING", 50)
    for number in range(55):
        hub.canaries.hear(ReportMessage(f"n{number}", b"{}"))
    for _ in range(50):
        asyncio.run(hub.canaries.turn())
    assert len(hub.refusals) == 51


def test_a_canary_is_heard_where_a_thousand_nodes_refuse_the_same_and_their_messages_are_bounded_by_octets() -> None:
    hub = Hub()
    for number in range(1000):
        hub.canaries.hear(ReportMessage(f"n{number}", b"x"))
    hub.canaries.hear(hub.message("node-1"))
    for number in range(1000):
        hub.canaries.hear(ReportMessage(f"n{number}", b"x" * MOST_REPORT_OCTETS))
    octets = sum(len(one.payload) for one in hub.canaries.waiting)
    assert MOST_OCTETS_TO_HEAR - MOST_REPORT_OCTETS < octets <= MOST_OCTETS_TO_HEAR
    for _ in range(1001):
        asyncio.run(hub.canaries.turn())
    assert hub.log.rows["drop"].bad == {B[:16]}
