"""The metrics in packaging/docs/metrics.md."""

from banlistd.control.metrics.declaration import EVERY_METRIC
from papers.paper import Paper, section


def _table() -> str:
    rows = (
        f"| `{metric.samples_named}` | {metric.type} | {', '.join(f'`{name}`' for name in metric.labels)} | {metric.help} |\n"
        for metric in EVERY_METRIC
    )
    return "| metric | type | labels | what it says |\n|---|---|---|---|\n" + "".join(rows)


PAPERS: tuple[Paper, ...] = (section("packaging/docs/metrics.md", "metrics", _table),)
