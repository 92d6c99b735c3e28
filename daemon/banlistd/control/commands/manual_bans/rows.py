"""A manual ban as an answer shows it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import Argument
from banlistd.control.page import moment

if TYPE_CHECKING:
    from banlistd.model import ManualBan

# An order waits for the transaction that is under way, which may be one of a million elements.
ORDER_SECONDS = 60.0


class ManualBanRow(TypedDict):
    """`address`: an address, a network, or both ends of a range. Times in seconds since the epoch; `expires_at` null: never.

    `user`: who ordered it; empty where that is not known. `confirm_by`: it is lifted then unless it is confirmed; null: it
    needs no confirmation.
    """

    address: str
    origin: str
    user: str
    comment: str
    created_at: float
    expires_at: float | None
    confirm_by: float | None


async def ban_rows(bans: Sequence["ManualBan"]) -> list[ManualBanRow]:
    import asyncio

    return await asyncio.to_thread(named_rows, bans)


def named_rows(bans: Sequence["ManualBan"]) -> list[ManualBanRow]:
    from banlistd.adapters.host.peer import user_name

    users = {uid: "" if uid is None else user_name(uid) for uid in {ban.uid for ban in bans}}
    return [_ban_row(ban, users[ban.uid]) for ban in bans]


def _ban_row(ban: "ManualBan", user: str) -> ManualBanRow:
    from banlistd.core.addresses.text import span_text

    return {
        "address": span_text(ban.span),
        "origin": ban.origin,
        "user": user,
        "comment": ban.comment,
        "created_at": ban.created_at,
        "expires_at": ban.expires_at,
        "confirm_by": ban.confirm_by,
    }


def until_when(row: ManualBanRow) -> str:
    """The end that was ordered, for a sentence."""
    end = "permanently" if row["expires_at"] is None else f"until {moment(row['expires_at'])}"
    return end if row["confirm_by"] is None else f"{end}, if it is confirmed by {moment(row['confirm_by'])}"


BAN_ADDRESS = Argument("address", "ADDRESS", "an address, a CIDR network or a range a-b")
EXAMPLE: ManualBanRow = {
    "address": "203.0.113.7",
    "origin": "fail2ban/sshd",
    "user": "root",
    "comment": "5 failures",
    "created_at": 1_790_000_000.0,
    "expires_at": 1_790_000_600.0,
    "confirm_by": None,
}
