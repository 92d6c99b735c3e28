"""What was allowed or protected at a moment, or ever, as far as it is kept."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.page import moment
from banlistd.core.printing import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from banlistd.control.parts import Parts
    from banlistd.core.ruleset.allowing.exemptions import ExemptSpan
    from banlistd.model import Span


class PastExemptionRow(TypedDict):
    """Addresses that no list banned. `whole`: they have all that was asked for. `learned`: a manual ban overrode it.

    `since`: when it was written down first, which may be later than it began. `until`: when it ended; null: it is in force.
    """

    address: str
    reason: str
    whole: bool
    learned: bool
    since: float
    until: float | None


async def past_exemption_rows(parts: "Parts", span: "Span", at: float | None) -> list[PastExemptionRow]:
    """Those of any of the addresses at a moment; None: all that are kept, for as long as `history` of the defaults says."""
    import asyncio

    now = parts.clock.now()
    kept_since = now - parts.service.config.defaults.history
    found = await parts.exemptions.of(span)
    return await asyncio.to_thread(_rows, found, span, at, now, kept_since)


def _rows(
    found: "Sequence[ExemptSpan]", span: "Span", at: float | None, now: float, kept_since: float
) -> list[PastExemptionRow]:
    from banlistd.core.addresses.text import span_text

    return [
        {
            "address": span_text(one.span),
            "reason": one.reason,
            "whole": one.contains(span),
            "learned": one.learned,
            "since": one.since,
            "until": one.until,
        }
        for one in found
        if (one.until is None or one.until >= kept_since) and (at is None or (at <= now and one.covers(at)))
    ]


def past_exemption_words(row: PastExemptionRow) -> str:
    """One line on one of them."""
    until = "until now" if row["until"] is None else f"until {moment(row['until'])}"
    also = ", which a manual ban overrides" if row["learned"] else ""
    what = f"{printable(row['address'])}, {printable(row['reason'])}{also}"
    return f"not banned by lists: {what}, since {moment(row['since'])}, {until}"
