"""A daemon that knows its answers by heart, behind the real control socket."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from banlistd.control.server import serve
from banlistd.core.manual_bans import BanOrder, UnbanOrder
from banlistd.errors import BanlistdError

SINCE = 1_790_000_000.0

SOURCE: dict[str, Any] = {
    "id": "spamhaus-drop",
    "enabled": True,
    "state": "completed",
    "entries": 1_650,
    "owned": 1_234,
    "rejected": 2,
    "action": "drop",
    "direction": "in",
    "packets": 98_765,
    "octets": 4_000_000,
    "polled_at": SINCE,
    "due_at": SINCE,
    "changed_at": SINCE,
    "stale_since": None,
    "extent": "",
    "quarantined": None,
    "failures": 0,
    "error": "",
}

HELD_BACK: dict[str, Any] = {
    "id": "spamhaus-drop",
    "guard": "shrunk",
    "reason": "30 entries where 1,650 were, shrunk by more than 50 % (guards: shrink)",
    "since": SINCE,
    "last_seen": SINCE + 7200,
    "refusals": 2,
    "stood": 7200.0,
    "settle": 259_200.0,
    "approved": False,
    "content_hash": "fedcba9876543210" * 4,
    "entries": 30,
    "entries_before": 1_650,
    "added": 1,
    "removed": 1_621,
    "added_sample": ["192.0.2.0/24"],
    "removed_sample": ["198.51.100.7", "203.0.113.9"],
}

BAN: dict[str, Any] = {
    "address": "203.0.113.7",
    "origin": "fail2ban/sshd",
    "comment": "5 failures",
    "created_at": SINCE,
    "expires_at": SINCE + 600,
}

RUN: dict[str, Any] = {
    "id": 7,
    "source_id": "spamhaus-drop",
    "content_hash": "0123456789abcdef" * 4,
    "state": "completed",
    "generation": 3,
    "attempts": 2,
    "entries": 1_650,
    "added": 12,
    "removed": 3,
    "rejected": 2,
    "error": "",
    "policy_hash": "0123456789abcdef",
    "started_at": SINCE,
    "completed_at": SINCE + 1.5,
}

ANSWERS: Mapping[str, Any] = {
    "status": {
        "version": "0.1.0",
        "state": "running",
        "backend": "nftables",
        "since": SINCE,
        "config": "/etc/banlistd",
        "pid": 4711,
        "sources": 12,
        "enabled": 11,
        "failing": 0,
        "quarantined": 0,
        "stale": 0,
        "ledger_fault": "",
        "bans": 1_234_567,
        "maps": {"hosts4": 1_200_000, "nets4": 34_567},
        "last_change": SINCE,
    },
    "sources": [SOURCE],
    "check": {
        "address": "203.0.113.9",
        "banned": True,
        "allowed": False,
        "protected": "",
        "reserved": False,
        "owner": "spamhaus-drop",
        "action": "drop",
        "sources": [
            {"id": "spamhaus-drop", "entry": "203.0.113.0/24", "since": SINCE, "exact": True},
            {"id": "office-bans", "entry": "203.0.113.9", "since": None, "exact": True},
        ],
        "origin": {"country": "NO", "country_name": "Norway", "asn": 64496, "organisation": "Example Network"},
    },
    "top": {
        "by": "country",
        "bans": 1_234_567,
        "total": 3,
        "rows": [
            {"key": "NO", "name": "Norway", "bans": 1_000_000, "addresses": 1_000_256},
            {"key": "", "name": "", "bans": 7, "addresses": 0},
        ],
    },
    "history": [RUN],
    "timers": [{"id": "spamhaus-drop", "due_at": SINCE, "every": 43_200, "polled_at": SINCE, "failures": 0}],
    "protected": [
        {"address": "192.0.2.1", "reason": "gateway", "sources": ["spamhaus-drop"], "carved": True},
        {"address": "10.0.0.53", "reason": "resolver", "sources": [], "carved": False},
    ],
    "bans": [{**BAN, "in_force": True, "spared": ""}],
    "ban": {**BAN, "new": True, "spared": []},
    "unban": {"address": "203.0.113.7", "origin": None, "removed": [BAN], "still": None},
    "quarantine": [HELD_BACK],
    "approve": [{"id": "spamhaus-drop", "outcome": "completed", "added": 1, "removed": 1_621, "error": ""}],
    "refresh": [{"id": "spamhaus-drop", "outcome": "completed", "added": 12, "removed": 3, "error": ""}],
    "reload": {"sources": 12, "added": ["office-bans"], "removed": [], "changed": ["tor"]},
}


class Canned:
    """`Operations` whose answers are laid down; an exception among them is raised. `asked` notes every call."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {**ANSWERS, **answers}
        self.asked: list[tuple[Any, ...]] = []
        self.begun = threading.Event()

    async def status(self) -> Any:
        return await self._give("status")

    async def sources(self) -> Any:
        return await self._give("sources")

    async def check(self, address: str) -> Any:
        return await self._give("check", address)

    async def top(self, by: str, limit: int) -> Any:
        return await self._give("top", by, limit)

    async def history(self, source_id: str | None, limit: int) -> Any:
        return await self._give("history", source_id, limit)

    async def timers(self) -> Any:
        return await self._give("timers")

    async def protected(self) -> Any:
        return await self._give("protected")

    async def quarantine(self, source_id: str | None) -> Any:
        return await self._give("quarantine", source_id)

    async def bans(self) -> Any:
        return await self._give("bans")

    async def ban(self, order: BanOrder) -> Any:
        return await self._give("ban", order)

    async def unban(self, order: UnbanOrder) -> Any:
        return await self._give("unban", order)

    async def approve(self, source_ids: Sequence[str]) -> Any:
        return await self._give("approve", *source_ids)

    async def refresh(self, source_ids: Sequence[str]) -> Any:
        return await self._give("refresh", *source_ids)

    async def reload(self) -> Any:
        return await self._give("reload")

    async def _give(self, name: str, *arguments: object) -> Any:
        self.asked.append((name, *arguments))
        self.begun.set()
        answer = self.answers[name]
        if answer is FOREVER:
            await asyncio.Event().wait()
        if isinstance(answer, BanlistdError):
            raise answer
        return answer


FOREVER = object()
"""An answer that never comes."""


class Daemon:
    """A running control socket: its folder, what it answers, and what it noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "control.sock"
        self.operations = Canned()
        self.changes: list[tuple[str, int]] = []


@contextmanager
def running(folder: Path) -> Iterator[Daemon]:
    """The control socket in a thread with a loop of its own."""
    daemon = Daemon(folder)
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve_until_stopped() -> None:
        async with serve(daemon.operations, daemon.socket, lambda words, uid: daemon.changes.append((words, uid))):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve_until_stopped(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield daemon
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
