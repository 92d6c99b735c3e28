"""Signatures that are missing where more than one hub must sign, as answers show them."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.page import Column, Table, moment
from banlistd.core.printing import printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts


class SignatureRow(TypedDict):
    """`role`: a list, or `hub`, which says which lists there are. `ours`: whether this hub wants to publish it, and the one at
    `hub` has not signed it; else it is the other way round. `since`: seconds since the epoch.
    """

    role: str
    version: int
    ours: bool
    hub: str
    since: float
    reason: str


SIGNATURE_EXAMPLE: SignatureRow = {
    "role": "spamhaus-drop",
    "version": 13,
    "ours": True,
    "hub": "https://hub-b.example/fleet",
    "since": 1_790_000_000.0,
    "reason": "1 entry is not in the list that this hub has: 203.0.113.9",
}


def signature_rows(parts: "Parts") -> list[SignatureRow]:
    """None on a machine that is no hub."""
    roll_out = parts.roll_out()
    return [
        {
            "role": one.role,
            "version": one.version,
            "ours": one.ours,
            "hub": one.hub,
            "since": one.since,
            "reason": one.reason,
        }
        for one in (roll_out.missing if roll_out is not None else ())
    ]


def signature_words(row: SignatureRow) -> str:
    """`drop is not signed by https://... since 2026-01-01 12:00:00: it does not answer`."""
    by = f"by {printable(row['hub'])}" if row["ours"] else f"here for {printable(row['hub'])}"
    return f"{printable(row['role'])} is not signed {by} since {moment(row['since'])}: {printable(row['reason'])}"


def signature_table(rows: list[SignatureRow]) -> list[Table]:
    """None where nothing is missing."""
    by, why = Column("BY", below=True), Column("WHY", below=True)
    columns = (Column("NOT SIGNED"), Column("VERSION"), Column("SINCE"), by, why)
    cells = tuple(
        (
            printable(row["role"]),
            str(row["version"]),
            moment(row["since"]),
            printable(row["hub"]) if row["ours"] else "this hub",
            printable(row["reason"] if row["ours"] else f"{row['reason']} (asked for by {row['hub']})"),
        )
        for row in rows
    )
    return [Table(columns, cells)] if cells else []
