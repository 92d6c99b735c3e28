"""The text, read by Prometheus' own parsers."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_plain

from banlistd.control.kept_lines import KeptLines, SourceColumn
from banlistd.control.metrics import declaration
from banlistd.control.metrics.declaration import EVERY_METRIC, MetricType
from banlistd.control.metrics.exposition import Readings, exposition
from banlistd.core.ruleset.measuring.durations import Durations

OF_SOURCES = ("source",)
READERS = {True: read_open, False: read_plain}
LABELS = {"source": "a-list", "culprit": 'odd "name"\\ \n', "version": "1", "backend": "b", "verdict": "v"}
EVERYTHING = Readings(
    {
        metric: [(tuple(LABELS[name] for name in metric.labels), 3)]
        for metric in EVERY_METRIC
        if metric.type is not MetricType.HISTOGRAM and metric.labels != OF_SOURCES
    },
    {declaration.TRANSACTIONS: Durations().note(0.001).note(0.3).note(60.0)},
    {metric: SourceColumn([LABELS["source"]], [3]) for metric in EVERY_METRIC if metric.labels == OF_SOURCES},
)


@pytest.mark.parametrize("is_open", READERS)
def test_every_metric_is_read_with_its_type_help_and_labels(is_open: bool) -> None:
    families = {family.name: family for family in READERS[is_open](exposition(EVERYTHING, KeptLines(), is_open=is_open))}
    assert families.keys() == {metric.name for metric in EVERY_METRIC}
    for metric in EVERY_METRIC:
        family = families[metric.name]
        assert (family.type, family.documentation) == (metric.type, metric.help)
        if metric.type is not MetricType.HISTOGRAM:
            (sample,) = family.samples
            assert (sample.name, sample.value) == (metric.samples_named, 3)
            assert sample.labels == {name: LABELS[name] for name in metric.labels}


@pytest.mark.parametrize("is_open", READERS)
def test_buckets_count_all_that_took_at_most_so_long(is_open: bool) -> None:
    (family,) = (
        family
        for family in READERS[is_open](exposition(EVERYTHING, KeptLines(), is_open=is_open))
        if family.name == declaration.TRANSACTIONS.name
    )
    buckets = {sample.labels["le"]: sample.value for sample in family.samples if sample.labels}
    assert buckets == {"0.005": 1, "0.02": 1, "0.1": 1, "0.5": 2, "2.0": 2, "10.0": 2, "+Inf": 3}
    assert {sample.name[-5:]: sample.value for sample in family.samples if not sample.labels} == {"count": 3, "s_sum": 60.301}


def test_a_metric_without_samples_is_left_out() -> None:
    assert exposition(Readings({}, {}, {}), KeptLines(), is_open=True) == "# EOF\n"
    assert exposition(Readings({}, {}, {}), KeptLines(), is_open=False) == ""


def test_only_the_configuration_and_bounded_names_are_labels() -> None:
    assert {name for metric in EVERY_METRIC for name in metric.labels} == {"source", "culprit", "version", "backend", "verdict"}
