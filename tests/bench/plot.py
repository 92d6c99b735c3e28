"""A plot for packaging/docs/speed.md: a panel for each question, a bar for each answer. SVG from plain strings; pure.

Text and bars have colours that are read on white and on black; a viewer that says which one it has gets better ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from bench.rows import Row

_WIDTH = 760
_LABELS = 266
_MARGIN = 8
_VALUES = 90
_LINE = 22
_BAR = 14
_HEAD = 46
_GAP = 14
_OURS = ("banlistd", "1-day", "1-day-beside")

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #767e87 }
.title { font-weight: 600; font-size: 14px }
.note { font-size: 12px }
.theirs { fill: #8c959f }
.ours { fill: #2da44e }
.floor { fill: #54aeff }
@media (prefers-color-scheme: light) { text { fill: #57606a } .title { fill: #24292f } }
@media (prefers-color-scheme: dark) { text { fill: #9da7b1 } .title { fill: #e6edf3 } .theirs { fill: #6e7781 } }
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """`bars`: names of rows and what is written beside them, in order; rows that were not measured are left out."""

    title: str
    note: str
    bars: Mapping[str, str]


PANELS: Sequence[Panel] = (
    Panel(
        "1,000,000 addresses: from a file into the kernel",
        "shorter is better; banlistd parses, guards, plans and keeps its ledger, the others get a script ready to load",
        {
            "1m/limit": "the kernel alone (one sendmsg)",
            "1m/banlistd": "banlistd",
            "1m/ipset-net": "ipset restore, hash:net",
            "1m/nft-hash": "nft -f, hash set",
            "1m/nft-interval": "nft -f, interval set, auto-merge",
        },
    ),
    Panel(
        "A daily update of a list of 100,000",
        "shorter is better; the others load the whole list again",
        {
            "update/1-day": "banlistd",
            "update/1-day-beside": "banlistd, beside millions of others",
            "update/ipset-swap": "ipset restore and swap",
            "update/nft-hash": "nft -f, hash set",
            "update/nft-interval": "nft -f, interval set, auto-merge",
        },
    ),
    Panel(
        "Packets from clean addresses, one core, 1,000,000 bans",
        "longer is better",
        {
            "packets/no-rules": "no rules at all",
            "packets/banlistd-1": "banlistd, 1 list",
            "packets/banlistd-100": "banlistd, 100 lists",
            "packets/interval-1": "1 interval set",
            "packets/hash-20": "20 lists, a hash set each",
            "packets/interval-20": "20 lists, an interval set each",
        },
    ),
)


def plot(rows: Sequence[Row], panels: Sequence[Panel] = PANELS) -> str:
    """The panels of which anything was measured, as one SVG document."""
    by_name = {row.name: row for row in rows}
    parts: list[str] = []
    top = _GAP
    for panel in panels:
        bars = [(text, by_name[name]) for name, text in panel.bars.items() if name in by_name]
        if bars:
            parts += _panel(panel, bars, top)
            top += _HEAD + _LINE * len(bars) + _GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{top}" viewBox="0 0 {_WIDTH} {top}">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


def _panel(panel: Panel, bars: Sequence[tuple[str, Row]], top: int) -> Iterable[str]:
    yield f'<text class="title" x="{_MARGIN}" y="{top + 14}">{escape(panel.title)}</text>'
    yield f'<text class="note" x="{_MARGIN}" y="{top + 32}">{escape(panel.note)}</text>'
    most = max(row.median for _, row in bars) or 1.0
    room = _WIDTH - _LABELS - _VALUES
    for number, (text, row) in enumerate(bars):
        y = top + _HEAD + _LINE * number
        width = max(1.0, room * row.median / most)
        yield f'<text x="{_LABELS - 10}" y="{y + 12}" text-anchor="end">{escape(text)}</text>'
        yield f'<rect class="{_kind(row)}" x="{_LABELS}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2"/>'
        yield f'<text x="{_LABELS + width + 6:.1f}" y="{y + 12}">{escape(quantity(row.median, row.unit))}</text>'


def _kind(row: Row) -> str:
    """Whose bar it is: ours, theirs, or what cannot be beaten."""
    who = row.name.partition("/")[2]
    if who in ("limit", "no-rules"):
        return "floor"
    return "ours" if who.startswith("banlistd") or who in _OURS else "theirs"


def quantity(value: float, unit: str) -> str:
    """As a person would say it."""
    if unit == "ms" and value >= 1000:
        return f"{value / 1000:.1f} s"
    if unit == "kpps":
        return f"{value:.0f},000/s"
    return f"{value:.0f} {unit}"
