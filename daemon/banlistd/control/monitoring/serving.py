"""Serves metrics and health beside the control socket, by asking the same commands."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from banlistd.control.commands.monitoring.metrics import METRICS, MetricsOrder
from banlistd.control.metrics.exposition import OPEN_METRICS, TEXT_FORMAT
from banlistd.control.monitoring.loop_lag import LoopLag
from banlistd.control.monitoring.server import MonitoringRoute, MonitoringServer, Reply, listening
from banlistd.control.server import Answerer
from banlistd.core.config.service.metrics import Listen


async def serve_monitoring(place: Listen, answer: Answerer) -> None:
    """Until it is cancelled. Raises ControlSocketError and AlreadyRunningError."""
    lag = LoopLag(asyncio.get_running_loop().time)
    async with listening(place) as listener, asyncio.TaskGroup() as together:
        together.create_task(lag.run())
        together.create_task(MonitoringServer(monitoring_routes(answer, lag)).run(listener))


def monitoring_routes(answer: Answerer, lag: LoopLag) -> Mapping[str, MonitoringRoute]:
    async def metrics(accept: str) -> Reply:
        is_open = bool(accept)
        answered = await answer(METRICS, MetricsOrder(is_open, lag.longest))
        text = answered["text"]  # type: ignore[index]  # the shape of the command's answer
        return Reply(HTTPStatus.OK, OPEN_METRICS if is_open else TEXT_FORMAT, text.encode())

    return {"/metrics": metrics}
