"""banlistctl metrics: what Prometheus collects, as text."""

from typing import TYPE_CHECKING, NamedTuple, TypedDict

from banlistd.control.commands.monitoring.health import HEALTH
from banlistd.control.declaration import Argument, Command, PageContext
from banlistd.control.page import Page
from banlistd.control_api import Verdict
from banlistd.core.printing import printable
from banlistd.errors import FirewallError, LedgerError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest

_FORMATS = ("prometheus", "openmetrics")


class MetricsAnswer(TypedDict):
    """`text`: lines of the format that was asked for."""

    text: str


class MetricsOrder(NamedTuple):
    """`is_open`: as OpenMetrics. `lag`: the delay of the event loop in seconds, where it is measured. `verdict`: that of
    `health` a moment ago; None: ask. `may_be_recent`: counters of a moment ago will do.
    """

    is_open: bool
    lag: float | None = None
    verdict: Verdict | None = None
    may_be_recent: bool = False


def _read(request: "ControlRequest") -> MetricsOrder:
    name = request.text("format") or _FORMATS[0]
    if name not in _FORMATS:
        raise UsageError(f"there is no format {name[:60]!a}", f"one of {', '.join(_FORMATS)}")
    return MetricsOrder(name == "openmetrics")


async def _answer(parts: "Parts", order: MetricsOrder) -> MetricsAnswer:
    import asyncio
    from importlib.metadata import version

    from banlistd.control.metrics.collecting import moment_of, readings
    from banlistd.control.metrics.exposition import exposition

    verdict = order.verdict or Verdict((await HEALTH.answer(parts, ()))["verdict"])
    known = await moment_of(parts, version("banlistd"), order.lag, verdict, may_be_recent=order.may_be_recent)

    def text() -> str:
        # In one turn of a thread: each turn waits for the event loop, which imports may keep busy.
        return exposition(readings(known, parts.poll_record.rests(known.sources)), parts.metric_lines, is_open=order.is_open)

    return {"text": await asyncio.to_thread(text)}


def _page(answer: MetricsAnswer, _: PageContext) -> Page:
    return [printable(line) for line in answer["text"].splitlines()]


METRICS: Command[MetricsOrder, MetricsAnswer] = Command(
    name="metrics",
    help="what Prometheus collects, as text for node_exporter's textfile collector",
    details="It needs no `metrics:` in the configuration. Write it to another name first, because the collector may read at any"
    " moment: banlistctl metrics >F.tmp && mv F.tmp F.prom",
    method="GET",
    example={"text": "# HELP banlistd_bans Bans in the firewall.\n# TYPE banlistd_bans gauge\nbanlistd_bans 1234567\n"},
    arguments=(Argument("--format", "FORMAT", f"{' or '.join(_FORMATS)}; default: {_FORMATS[0]}", choices=_FORMATS),),
    read=_read,
    answer=_answer,
    page=_page,
    errors=(UsageError, LedgerError, FirewallError),
)
