"""A manual ban as an answer shows it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.page import moment

if TYPE_CHECKING:
    from banlistd.core.manual.manual_bans import Exemption
    from banlistd.model import ManualBan

# An order waits for the transaction that is under way, which may be one of a million elements.
ORDER_SECONDS = 60.0


class ManualBanRow(TypedDict):
    """`address`: an address, a network, or both ends of a range. Times in seconds since the epoch; `expires_at` null: never.

    `user`: who ordered it; empty where that is not known. `confirm_by`: it is lifted then unless it is confirmed; null: it
    needs no confirmation. `packets`: which packets of it are banned; empty: all.
    """

    address: str
    packets: str
    origin: str
    user: str
    comment: str
    created_at: float
    expires_at: float | None
    confirm_by: float | None


class ExemptionRow(TypedDict):
    """What no source bans, and why."""

    address: str
    reason: str


def exemption_rows(exemptions: Sequence["Exemption"]) -> list[ExemptionRow]:
    return [{"address": item.address, "reason": item.reason} for item in exemptions]


async def ban_rows(bans: Sequence["ManualBan"], user_name: Callable[[int], str]) -> list[ManualBanRow]:
    import asyncio

    return await asyncio.to_thread(named_rows, bans, user_name)


def named_rows(bans: Sequence["ManualBan"], user_name: Callable[[int], str]) -> list[ManualBanRow]:
    """`user_name`: of a uid; blocks."""
    users = {uid: "" if uid is None else user_name(uid) for uid in {ban.uid for ban in bans}}
    return [_ban_row(ban, users[ban.uid]) for ban in bans]


def _ban_row(ban: "ManualBan", user: str) -> ManualBanRow:
    from banlistd.core.addresses.text import span_text

    return {
        "address": span_text(ban.span),
        "packets": str(ban.scope or ""),
        "origin": ban.origin,
        "user": user,
        "comment": ban.comment,
        "created_at": ban.created_at,
        "expires_at": ban.expires_at,
        "confirm_by": ban.confirm_by,
    }


def ordered_end(row: ManualBanRow) -> str:
    return "permanently" if row["expires_at"] is None else f"until {moment(row['expires_at'])}"


def until_when(row: ManualBanRow) -> str:
    """The end that was ordered, for a sentence, and until when the ban waits for its confirmation."""
    end = ordered_end(row)
    return end if row["confirm_by"] is None else f"{end}, if it is confirmed by {moment(row['confirm_by'])}"


EXAMPLE: ManualBanRow = {
    "address": "203.0.113.7",
    "packets": "",
    "origin": "fail2ban/sshd",
    "user": "root",
    "comment": "5 failures",
    "created_at": 1_790_000_000.0,
    "expires_at": 1_790_000_600.0,
    "confirm_by": None,
}
