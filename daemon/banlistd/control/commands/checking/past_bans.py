"""The manual bans that were in force at a moment, or ever, as far as they are kept."""

from typing import TYPE_CHECKING

from banlistd.control.commands.manual_bans.rows import ManualBanRow, named_rows
from banlistd.control.page import moment
from banlistd.core.printing import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from banlistd.control.parts import Parts
    from banlistd.core.manual.ended_bans import EndedBan
    from banlistd.model import ManualBan, Span

_IN_FORCE = "in force"


class PastBanRow(ManualBanRow):
    """`expires_at`: the end that was ordered. `ended_at`: when it ended; null: it is in force. `how`: `in force`, `lifted`,
    `expired`, or `unconfirmed`.
    """

    ended_at: float | None
    how: str


async def past_ban_rows(parts: "Parts", span: "Span", at: float | None) -> list[PastBanRow]:
    """Those of any of the addresses that were in force at a moment; None: all that are kept, for as long as `history` of the
    defaults says.
    """
    import asyncio

    now = parts.clock.now()
    kept_since = now - parts.service.config.defaults.history
    over = await parts.banning.ended(span, kept_since, at)
    present = [] if at is not None and at > now else await parts.banning.touching(span)
    return await asyncio.to_thread(_rows, parts, at, present, over)


def _rows(parts: "Parts", at: float | None, bans: "Sequence[ManualBan]", ended: "Sequence[EndedBan]") -> list[PastBanRow]:
    present = named_rows([ban for ban in bans if at is None or ban.created_at <= at], parts.user_name)
    past = named_rows([one.ban for one in ended], parts.user_name)
    rows: list[PastBanRow] = [{**row, "ended_at": None, "how": _IN_FORCE} for row in reversed(present)]
    rows += [{**row, "ended_at": one.ended_at, "how": str(one.how)} for row, one in zip(past, ended, strict=True)]
    return rows


_ENDS = {"lifted": "lifted", "expired": "its time was over", "unconfirmed": "it was not confirmed"}


def past_ban_words(row: PastBanRow) -> str:
    """One line on one ban."""
    user = f" ({printable(row['user'])})" if row["user"] else ""
    comment = f": {printable(row['comment'])}" if row["comment"] else ""
    end = "still in force" if row["ended_at"] is None else f"until {moment(row['ended_at'])}, {_ENDS.get(row['how'], '')}"
    by = f"{printable(row['origin'])}{user}"
    only = f" ({printable(row['packets'])})" if row["packets"] else ""
    return f"manual: {printable(row['address'])}{only} since {moment(row['created_at'])} by {by}, {end}{comment}"
