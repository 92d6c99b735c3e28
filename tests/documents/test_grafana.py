"""The dashboard and the alert rules ask for metrics that there are; Prometheus' own checker reads the rules."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from banlistd.control.metrics.declaration import EVERY_METRIC, MetricType

FOLDER = Path(__file__).resolve().parents[2] / "packaging/grafana"
ALERTS = FOLDER / "alerts.yaml"
NAMES = {metric.samples_named for metric in EVERY_METRIC} | {
    f"{metric.name}_bucket" for metric in EVERY_METRIC if metric.type is MetricType.HISTOGRAM
}
DASHBOARD = json.loads((FOLDER / "banlistd.json").read_text())
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def metrics_in(query: str) -> set[str]:
    return set(re.findall(r"\b(?:banlistd|process)_\w+", query))


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in RULES)])
def test_a_query_asks_for_declared_metrics(query: str) -> None:
    assert metrics_in(query) <= NAMES
    assert metrics_in(query) or query.startswith("up{")


def test_the_dashboard_shows_every_metric_of_a_source() -> None:
    shown = set().union(*map(metrics_in, QUERIES))
    assert {metric.samples_named for metric in EVERY_METRIC if metric.labels == ("source",)} <= shown


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in DASHBOARD["panels"]):
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description"}


def test_promtool_accepts_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian's package prometheus)")
    done = subprocess.run([promtool, "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout
