"""Serves metrics and health beside the control socket, by asking the same commands."""

import asyncio
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import cast

from banlistd.control.commands.monitoring.health import HEALTH, HealthAnswer
from banlistd.control.commands.monitoring.metrics import METRICS, MetricsAnswer, MetricsOrder
from banlistd.control.metrics.exposition import OPEN_METRICS, TEXT_FORMAT
from banlistd.control.monitoring.loop_lag import LoopLag
from banlistd.control.monitoring.server import MonitoringRoute, MonitoringServer, Reply, listening
from banlistd.control.server import Answerer
from banlistd.control_api import Verdict
from banlistd.core.config.service.metrics import Listen

_JSON = "application/json"

_FRESH, _RECENT = 10.0, 60.0
"""Seconds for which a verdict serves: it reads the rules of the kernel, and all who can connect may ask for it. Metrics do not
wait for a newer one than a minute old.
"""


async def serve_monitoring(place: Listen, answer: Answerer) -> None:
    """Until it is cancelled. Raises ControlSocketError and AlreadyRunningError."""
    clock = asyncio.get_running_loop().time
    lag = LoopLag(clock)
    async with listening(place) as listener, asyncio.TaskGroup() as together:
        together.create_task(lag.run())
        together.create_task(MonitoringServer(monitoring_routes(answer, lag, clock)).run(listener))


def monitoring_routes(answer: Answerer, lag: LoopLag, clock: Callable[[], float]) -> Mapping[str, MonitoringRoute]:
    """What is served: metrics, and health as three questions. `clock`: seconds of a monotonic clock."""
    health = _Health(answer, clock)

    async def metrics(accept: str) -> Reply:
        is_open, known = bool(accept), await health.latest(_RECENT)
        order = MetricsOrder(is_open, lag.longest, Verdict(known["verdict"]), may_be_recent=True)
        text = cast("MetricsAnswer", await answer(METRICS, order))["text"]
        health.renew()
        return Reply(HTTPStatus.OK, OPEN_METRICS if is_open else TEXT_FORMAT, text.encode())

    async def live(_: str) -> Reply:
        return _document(is_well=True, document={"live": True})

    async def ready(_: str) -> Reply:
        known = await health.latest()
        return _document(is_well=known["ready"], document=known)

    async def healthz(_: str) -> Reply:
        known = await health.latest()
        return _document(is_well=known["verdict"] == Verdict.PROTECTED, document=known)

    return {"/metrics": metrics, "/live": live, "/ready": ready, "/healthz": healthz}


class _Health:
    """The answers of `health`."""

    def __init__(self, answer: Answerer, clock: Callable[[], float]) -> None:
        self._answer = answer
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: HealthAnswer | None = None
        self._known_at = 0.0
        self._renewal: asyncio.Task[HealthAnswer] | None = None

    async def latest(self, most: float = _FRESH) -> HealthAnswer:
        """At most so many seconds old. Raises BanlistdError."""
        if (known := self._known_within(most)) is not None:
            return known
        async with self._lock:
            known = self._known_within(most)  # another one may have asked meanwhile
            if known is None:
                self._known = known = cast("HealthAnswer", await self._answer(HEALTH, ()))
                self._known_at = self._clock()
            return known

    def _known_within(self, seconds: float) -> HealthAnswer | None:
        return self._known if self._clock() < self._known_at + seconds else None

    def renew(self) -> None:
        """Compute the next answer in the background, after this one was sent."""
        if self._renewal is None:
            self._renewal = asyncio.ensure_future(self.latest())
            self._renewal.add_done_callback(self._renewed)

    def _renewed(self, renewal: "asyncio.Task[HealthAnswer]") -> None:
        self._renewal = None
        if not renewal.cancelled():
            renewal.exception()  # who asks next gets the error


def _document(*, is_well: bool, document: Mapping[str, object]) -> Reply:
    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return Reply(status, _JSON, json.dumps(document).encode() + b"\n")
