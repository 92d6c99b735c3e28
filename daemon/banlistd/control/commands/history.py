"""banlistctl history: the newest import runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import LIMIT, ONE_SOURCE, Command, PageContext
from banlistd.control.page import Column, Page, Table, moment, number
from banlistd.core.printing import printable
from banlistd.errors import NoSuchSourceError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.model import ImportRun


class RunRow(TypedDict):
    """One row of the table `import_runs`. `content_hash` null: the poll failed before there was content.

    `guard`: the one that refused the content of a failed run; null: none did.
    """

    id: int
    source_id: str
    content_hash: str | None
    state: str
    guard: str | None
    generation: int
    attempts: int
    entries: int
    added: int
    removed: int
    rejected: int
    error: str
    policy_hash: str
    started_at: float
    completed_at: float | None


def _read(request: "ControlRequest") -> tuple[str | None, int]:
    return request.source, request.limit


async def _answer(parts: "Parts", order: tuple[str | None, int]) -> list[RunRow]:
    source_id, limit = order
    runs = await parts.ledger.history(None if source_id is None else parts.source(source_id).id, limit)
    return [run_row(run) for run in runs]


def run_row(run: "ImportRun") -> RunRow:
    return {
        "id": run.id,
        "source_id": run.source_id,
        "content_hash": run.content_hash,
        "state": str(run.state),
        "guard": _guard_of(run),
        "generation": run.generation,
        "attempts": run.attempts,
        "entries": run.entries,
        "added": run.added,
        "removed": run.removed,
        "rejected": run.rejected,
        "error": run.error,
        "policy_hash": run.policy_hash,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
    }


def _guard_of(run: "ImportRun") -> str | None:
    """The reason of a refused run begins with its guard."""
    from banlistd.core.feeds.guards import GUARDS
    from banlistd.model import RunState

    name = run.error.partition(":")[0]
    return name if run.state is RunState.FAILED and name in GUARDS else None


_COLUMNS = (
    Column("STARTED", spare=1),
    Column("SOURCE"),
    Column("STATE", is_state=True),
    Column("ENTRIES", right=True, spare=2),
    Column("ADDED", right=True, spare=3),
    Column("REMOVED", right=True, spare=4),
    Column("REJECTED", right=True, spare=6),
    Column("TRIES", right=True, spare=8),
    Column("TOOK", right=True, spare=5),
    Column("CONTENT", spare=7),
    Column("ERROR", below=True),
)


def _page(rows: Sequence[RunRow], _: PageContext) -> Page:
    if not rows:
        return ["nothing has been imported yet"]
    return [Table(_COLUMNS, tuple(_cells(row) for row in rows))]


def _cells(row: RunRow) -> tuple[str, ...]:
    completed = row["completed_at"]
    return (
        moment(row["started_at"]),
        printable(row["source_id"]),
        "refused" if row["guard"] else printable(row["state"]),
        number(row["entries"]),
        number(row["added"]),
        number(row["removed"]),
        number(row["rejected"]),
        number(row["attempts"]),
        "" if completed is None else f"{max(0.0, completed - row['started_at']):.1f} s",
        printable(row["content_hash"] or "")[:12],
        printable(row["error"]),
    )


HISTORY: Command[tuple[str | None, int], list[RunRow]] = Command(
    name="history",
    help="the newest import runs, of all sources or of one",
    method="GET",
    example=[
        {
            "id": 7,
            "source_id": "spamhaus-drop",
            "content_hash": "0123456789abcdef" * 4,
            "state": "completed",
            "guard": None,
            "generation": 3,
            "attempts": 2,
            "entries": 1_650,
            "added": 12,
            "removed": 3,
            "rejected": 2,
            "error": "",
            "policy_hash": "0123456789abcdef",
            "started_at": 1_790_000_000.0,
            "completed_at": 1_790_000_001.5,
        }
    ],
    arguments=(ONE_SOURCE, LIMIT),
    read=_read,
    answer=_answer,
    page=_page,
    errors=(NoSuchSourceError,),
)
