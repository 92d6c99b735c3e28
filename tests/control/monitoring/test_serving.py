"""The routes, over commands whose answers a test gives."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

import pytest

from banlistd.control.commands.monitoring.metrics import MetricsOrder
from banlistd.control.declaration import Command
from banlistd.control.monitoring.loop_lag import LoopLag
from banlistd.control.monitoring.serving import monitoring_routes
from banlistd.control_api import Verdict

EXPECTED = MetricsOrder(is_open=False, lag=0.0, verdict=Verdict.DEGRADED, may_be_recent=True)


class Commands:
    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.orders: list[tuple[str, Any]] = []
        self.now = 0.0

    async def __call__(self, command: Command[Any, Any], order: Any) -> Any:
        self.orders.append((command.name, order))
        if command.name == "metrics":
            return {"text": "metric 1\n"}
        return {**command.example, "verdict": str(self.verdict), "ready": self.verdict is not Verdict.OPEN}

    def ask(self, *paths: str) -> list[tuple[HTTPStatus, bytes]]:
        async def main() -> list[tuple[HTTPStatus, bytes]]:
            routes = monitoring_routes(self, LoopLag(lambda: 0.0), lambda: self.now)
            replies = [await routes[path]("") for path in paths]
            return [(reply.status, reply.body) for reply in replies]

        return asyncio.run(main())


@pytest.mark.parametrize(
    ("verdict", "statuses"),
    [(Verdict.PROTECTED, [200, 200, 200]), (Verdict.DEGRADED, [200, 200, 503]), (Verdict.OPEN, [200, 503, 503])],
)
def test_health_is_three_questions(verdict: Verdict, statuses: list[int]) -> None:
    replies = Commands(verdict).ask("/live", "/ready", "/healthz")
    assert [status for status, _ in replies] == statuses
    assert [json.loads(body).get("verdict") for _, body in replies] == [None, verdict, verdict]


def test_a_verdict_serves_for_a_while() -> None:
    commands = Commands(Verdict.DEGRADED)
    commands.ask("/healthz", "/ready", "/metrics")
    assert commands.orders == [("health", ()), ("metrics", EXPECTED)]


def test_metrics_take_the_verdict_of_a_moment_ago_and_have_it_renewed_afterwards() -> None:
    async def main() -> None:
        commands = Commands(Verdict.PROTECTED)
        metrics = monitoring_routes(commands, LoopLag(lambda: 0.0), lambda: commands.now)["/metrics"]
        await metrics("")
        commands.verdict, commands.now = Verdict.DEGRADED, 30.0
        await metrics("")
        await asyncio.sleep(0)
        await metrics("")
        orders = [order.verdict if name == "metrics" else name for name, order in commands.orders]
        assert orders == ["health", Verdict.PROTECTED, Verdict.PROTECTED, "health", Verdict.DEGRADED]

    asyncio.run(main())


def test_metrics_take_no_verdict_that_is_older_than_a_minute() -> None:
    async def main() -> None:
        commands = Commands(Verdict.PROTECTED)
        metrics = monitoring_routes(commands, LoopLag(lambda: 0.0), lambda: commands.now)["/metrics"]
        await metrics("")
        commands.verdict, commands.now = Verdict.DEGRADED, 60.0
        await metrics("")
        assert commands.orders[-1][1].verdict is Verdict.DEGRADED

    asyncio.run(main())


def test_live_asks_nothing() -> None:
    commands = Commands(Verdict.OPEN)
    commands.ask("/live")
    assert commands.orders == []
