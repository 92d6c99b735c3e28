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
    assert commands.orders == [("health", ()), ("metrics", MetricsOrder(is_open=False, lag=0.0, verdict=Verdict.DEGRADED))]


def test_live_asks_nothing() -> None:
    commands = Commands(Verdict.OPEN)
    commands.ask("/live")
    assert commands.orders == []
