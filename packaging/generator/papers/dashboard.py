"""The dashboard of Grafana in packaging/grafana/banlistd.json."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from banlistd.control.metrics import declaration as one
from banlistd.control.metrics.declaration import Metric
from papers.paper import Paper, whole

_WIDTH, _HEIGHT = 24, 8
_HERE = '{job="$job",instance=~"$instance"}'
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


class _Panel(NamedTuple):
    """`queries`: a query and its legend each. `width`: of 24 columns."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    width: int = 12
    kind: str = "timeseries"


def _of(metric: Metric) -> str:
    return f"{metric.samples_named}{_HERE}"


def _age(metric: Metric) -> str:
    return f"time() - {_of(metric)}"


_SECONDS = f"{one.TRANSACTIONS.name}_bucket{_HERE}"

_PANELS: Sequence[_Panel] = (
    _Panel("Verdict", ((f"{_of(one.VERDICTS)} == 1", "{{verdict}}"),), width=6, kind="stat"),
    _Panel("Bans", ((_of(one.BAN_COUNT), "{{instance}}"),), width=6, kind="stat"),
    _Panel("Sources that fail", ((f"count({_of(one.FAILURES)} > 0) or vector(0)", "failing"),), width=6, kind="stat"),
    _Panel("Since the last change", ((_age(one.LAST_CHANGE), "{{instance}}"),), "s", width=6, kind="stat"),
    _Panel("Bans over time", ((_of(one.BAN_COUNT), "{{instance}}"),)),
    _Panel("Packets by source", ((f"topk(10, rate({_of(one.PACKETS)}[5m]))", "{{source}}"),), "pps"),
    _Panel("Octets by source", ((f"topk(10, rate({_of(one.OCTETS)}[5m]))", "{{source}}"),), "Bps"),
    _Panel("Elements by source", ((f"topk(10, {_of(one.ELEMENTS)})", "{{source}}"),)),
    _Panel("Entries by source", ((f"topk(10, {_of(one.ENTRIES)})", "{{source}}"),)),
    _Panel("Age of the last good list", ((f"topk(10, {_age(one.LAST_GOOD)})", "{{source}}"),), "s"),
    _Panel("Failed polls in a row", ((f"{_of(one.FAILURES)} > 0", "{{source}}"),)),
    _Panel(
        "In quarantine or stale",
        ((f"{_of(one.QUARANTINED)} > 0", "{{source}} in quarantine"), (f"{_of(one.STALE)} > 0", "{{source}} stale")),
    ),
    _Panel("Time to the next poll", ((f"bottomk(10, {_of(one.NEXT_POLL)} - time())", "{{source}}"),), "s"),
    _Panel("Repairs by program", ((f"increase({_of(one.REPAIRS)}[1h])", "{{culprit}}"),)),
    _Panel("Duration of transactions", ((f"histogram_quantile(0.95, rate({_SECONDS}[15m]))", "95 %"),), "s"),
    _Panel("Delay of the event loop", ((_of(one.LOOP_LAG), "{{instance}}"),), "s"),
    _Panel("Memory", ((_of(one.MEMORY), "{{instance}}"),), "bytes"),
    _Panel("Processor", ((f"rate({_of(one.PROCESSOR)}[5m])", "{{instance}}"),), "percentunit"),
)


def _dashboard() -> str:
    document = {
        "title": "banlistd",
        "uid": "banlistd",
        "tags": ["banlistd"],
        "editable": True,
        "schemaVersion": 38,
        "version": 1,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
                _variable("job", f"label_values({one.BAN_COUNT.name}, job)", is_multi=False),
                _variable("instance", f'label_values({one.BAN_COUNT.name}{{job="$job"}}, instance)', is_multi=True),
            ]
        },
        "panels": _placed(),
    }
    return json.dumps(document, indent=2) + "\n"


def _variable(name: str, query: str, *, is_multi: bool) -> Mapping[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": _DATASOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "multi": is_multi,
        "includeAll": is_multi,
        **({"allValue": ".*", "current": {"text": "All", "value": "$__all"}} if is_multi else {}),
    }


def _placed() -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    x = y = 0
    for number, panel in enumerate(_PANELS, 1):
        height = _HEIGHT // 2 if panel.kind == "stat" else _HEIGHT
        found.append(
            {
                "id": number,
                "type": panel.kind,
                "title": panel.title,
                "datasource": _DATASOURCE,
                "gridPos": {"x": x, "y": y, "w": panel.width, "h": height},
                "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
                "options": {"textMode": "value_and_name" if panel.title == "Verdict" else "auto"}
                if panel.kind == "stat"
                else {},
                "targets": [
                    {"refId": chr(ord("A") + at), "datasource": _DATASOURCE, "expr": query, "legendFormat": legend}
                    for at, (query, legend) in enumerate(panel.queries)
                ],
            }
        )
        x += panel.width
        if x >= _WIDTH:
            x, y = 0, y + height
    return found


PAPERS: tuple[Paper, ...] = (whole("packaging/grafana/banlistd.json", _dashboard),)
