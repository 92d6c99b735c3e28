"""banlistctl report --html: what the daemon answered, as one HTML file that loads nothing and runs nothing. Pure.

Its size is bounded whatever the daemon has: lists, rows and texts beyond the bounds are left out, and the file says so.
"""

from collections.abc import Iterator, Sequence

from banlistd.control.commands.value.html.parts import BoundedReport, figure
from banlistd.control.commands.value.html.places import candidate_section, place_sections
from banlistd.control.commands.value.html.times import time_figures
from banlistd.control.commands.value.html.worth import overlap_figures, worth_figures
from banlistd.control.commands.value.shapes import ReportAnswer
from banlistd.control.drawing.charts import one_below_another
from banlistd.control.drawing.markup import Markup, markup_lines, tag
from banlistd.control.drawing.style import COLOURS, DRAWINGS, PAGE
from banlistd.control.page import moment, number
from banlistd.core.printing import counted

_NAMES_LEFT_OUT = 100
_COMPARED = (
    "The lists are compared as they were read, whatever their action. Sources that are made of others, and manual bans, are not"
    " compared."
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""A reader of the file loads nothing and runs nothing, even if there were something to load."""


def document(answer: ReportAnswer, machine: str, now: float) -> str:
    """`machine`: the name of the host; `now`: seconds since the epoch. Times are local, as banlistctl prints them."""
    report = BoundedReport.of(answer)
    title = f"What the blocklists of {machine} are worth"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(COLOURS + DRAWINGS + PAGE)),
    )
    body = tag(
        "body",
        tag("header", tag("h1", title), tag("p", _period(answer, now), class_="soft")),
        tag("main", markup_lines(_sections(report))),
        tag("footer", tag("p", "Made by banlistctl report --html.", class_="soft")),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def drawing(answer: ReportAnswer) -> str:
    """The first drawings of a report as one SVG file, for a page that shows pictures."""
    report = BoundedReport.of(answer)
    first = (*worth_figures(report)[:1], *overlap_figures(report)[:1], *time_figures(report)[:1])
    whole = one_below_another([(one.title, one.drawing) for one in first])
    texts = tag("title", "Drawings of a report"), tag("style", Markup(COLOURS + DRAWINGS))
    size = {"width": whole.width, "height": whole.height}
    box = {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {whole.width} {whole.height}"}
    return f"{tag('svg', *texts, whole.body, **box, **size, role='img')}\n"


def _period(answer: ReportAnswer, now: float) -> str:
    since = f"; from {moment(answer['over_time']['since'])} until then where it says so" if "over_time" in answer else ""
    return f"As it was at {moment(now)}{since}."


def _sections(report: BoundedReport) -> Iterator[Markup]:
    yield _summary(report)
    if not report.rows:
        yield tag("p", "No list has content yet.")
        return
    for figures in (worth_figures(report), overlap_figures(report), time_figures(report)):
        for one in figures:
            yield figure(one)
    yield place_sections(report.answer)
    yield candidate_section(report)
    yield _left_out(report)


def _summary(report: BoundedReport) -> Markup:
    rows = report.rows
    facts = (
        ("lists compared", number(len(rows))),
        ("entries", number(sum(row["entries"] for row in rows))),
        ("on one list only", number(sum(row["unique"] for row in rows))),
        ("candidates for false positives", number(sum(row["candidates"] for row in rows))),
    )
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts))


def _left_out(report: BoundedReport) -> Markup:
    names: Sequence[str] = report.left_out
    lines = [_COMPARED]
    if names:
        shown = ", ".join(names[:_NAMES_LEFT_OUT])
        more = f" and {number(len(names) - _NAMES_LEFT_OUT)} more" if len(names) > _NAMES_LEFT_OUT else ""
        lines.append(
            f"{counted(len(names), 'list is', 'lists are')} left out here, and count only as lists that have an address:"
            f" {shown}{more}. banlistctl report ID compares them by name."
        )
    return tag("section", tag("h2", "What is left out"), *(tag("p", line) for line in lines))
