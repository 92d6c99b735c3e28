"""The firewall of Linux: table `inet banlistd`. Structure by `nft`, elements by our own netlink messages (both measured).

A change of structure is three steps, so that no ban is missing in between: what is missing is added (nft), elements and
the rules that look them up change (one batch), then every chain is written as it shall be (nft).
"""

import asyncio
import errno
import os
import random
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from banlistd.adapters.backends.nftables_batch import Look, compose
from banlistd.adapters.backends.nftables_inspection import faults_of, look_at, markers_of, read_counters
from banlistd.adapters.backends.nftables_sets import table_body
from banlistd.adapters.backends.nftables_steps import steps_of
from banlistd.adapters.backends.nftables_structure import TABLE, preparation, settlement, structure_of
from banlistd.adapters.netlink import NFT_MSG_DELTABLE, NFT_MSG_NEWTABLE, NLM_F_ACK, Batch, NetlinkError, NetlinkSocket
from banlistd.core.planning import Change, Holding, MapId, Verdict
from banlistd.errors import FirewallError, StaleGenerationError
from banlistd.model import Counter, Mark, Marker

# How often a change is tried anew because somebody else wrote in between.
_TRIES = 5
# What the kernel says when a map does not hold what the change believes: absent, present, with another mark, full, overlap.
_SURPRISES = frozenset({errno.ENOENT, errno.EEXIST, errno.EBUSY, errno.ENFILE, errno.ENOTEMPTY})
# nft reads what stands before it writes; a minute is far beyond any measured time.
_NFT_DEADLINE = 60.0

_HINTS: Mapping[int, str] = {
    errno.EPERM: "it needs CAP_NET_ADMIN, and a table that belongs to no other process",
    errno.EMSGSIZE: "the change does not fit into a socket buffer: raise net.core.wmem_max, or grant CAP_NET_ADMIN",
    errno.EPROTONOSUPPORT: "this kernel has no nf_tables; load the module nf_tables",
    errno.ENOMEM: "the kernel has no memory left for so many elements",
    errno.EOPNOTSUPP: "this kernel lacks a part of nf_tables (maps, counters, reject, log, limit)",
    errno.ENOENT: "the table is not as it was left: verify it and write it anew",
}


class NftablesFirewall:
    """The Firewall of interfaces.py. Opens its socket at first use; blocking work is done in threads, one at a time."""

    def __init__(self) -> None:
        self._socket: NetlinkSocket | None = None
        # A thread's lock: a coroutine that is cancelled leaves its thread at work.
        self._lock = threading.Lock()

    async def markers(self) -> tuple[Marker, ...]:
        return await asyncio.to_thread(self._markers)

    async def verify(self, holding: Holding) -> Verdict:
        return await asyncio.to_thread(self._verify, holding)

    async def apply(self, change: Change) -> int:
        return 0 if change.is_empty else await asyncio.to_thread(self._apply, change)

    async def counters(self) -> Mapping[Mark, Counter]:
        return await asyncio.to_thread(self._counters)

    async def teardown(self) -> None:
        await asyncio.to_thread(self._teardown)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _markers(self) -> tuple[Marker, ...]:
        with self._at_work("cannot read the firewall") as wire:
            return markers_of(wire)

    def _verify(self, holding: Holding) -> Verdict:
        with self._at_work("cannot read the firewall") as wire:
            return faults_of(wire, holding, random.SystemRandom())

    def _counters(self) -> Mapping[Mark, Counter]:
        with self._at_work("cannot read the counters") as wire:
            return read_counters(wire)

    def _apply(self, change: Change) -> int:
        with self._at_work("the firewall refused the change") as wire:
            before = look_at(wire)
            structure_of(change.roster)  # refuses an id or mark that must not get into a script, before anything happens
            if not change.reshape:
                return sum(_commit(wire, step) for step in steps_of(change))
            _run(preparation(change.roster, before.chains))
            elements = sum(_commit(wire, step) for step in steps_of(change))
            if before.chains:
                _run(settlement(change.roster, look_at(wire).chains))
            return elements

    def _teardown(self) -> None:
        with self._at_work("cannot remove the table") as wire:
            # A table that is added where one stands stays as it is, so that the deletion always has its object.
            batch = Batch(generation=None)
            batch.add(NFT_MSG_NEWTABLE, NLM_F_ACK, table_body())
            batch.add(NFT_MSG_DELTABLE, 0, table_body())
            batch.end()
            wire.commit(batch)

    def _close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    @contextmanager
    def _at_work(self, failing: str) -> Iterator[NetlinkSocket]:
        """The border: the one socket, for one thread; what the kernel says comes out as FirewallError."""
        with self._lock:
            try:
                if self._socket is None:
                    self._socket = NetlinkSocket()
                yield self._socket
            except OSError as exc:
                if self._socket is not None and not isinstance(exc, NetlinkError):
                    self._socket.close()  # answers to what was not read to its end may be left in it
                    self._socket = None
                words = exc.strerror or str(exc)
                raise FirewallError(f"{failing}: {words}", _HINTS.get(exc.errno or 0, "")) from exc


def _commit(wire: NetlinkSocket, change: Change) -> int:
    """One transaction. A map that surprises is written whole; a ruleset that moved is looked at again."""
    distrusted: set[MapId] = set()
    stale = 0
    while True:
        look = look_at(wire)
        _refuse_without_table(change, look)
        composed = compose(change, look, distrusted)
        try:
            wire.commit(composed.batch)
        except NetlinkError as exc:
            map_id = composed.maps.get(exc.sequence)
            if exc.errno == errno.ERESTART:
                stale += 1
                if stale == _TRIES:
                    raise StaleGenerationError(
                        "somebody else writes to nftables all the time", "see who does: nft monitor"
                    ) from exc
            elif exc.errno in _SURPRISES and map_id is not None and map_id not in distrusted:
                distrusted.add(map_id)
            else:
                raise
        else:
            return composed.elements


def _refuse_without_table(change: Change, look: Look) -> None:
    missing = structure_of(change.roster).keys() - look.chains
    if missing:
        raise FirewallError(f"table inet {TABLE} lacks {', '.join(sorted(missing))}", "verify it and write it anew")


def _run(script: str) -> None:
    """Hand a script to nft; it is one transaction. Raises FirewallError with nft's first line."""
    if not script:
        return
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["nft", "-f", "-"],  # noqa: S607 - distributions disagree on its folder; systemd gives a PATH of system folders
            input=script, capture_output=True, text=True, check=False, timeout=_NFT_DEADLINE, env=environment,
        )  # fmt: skip
    except FileNotFoundError as exc:
        raise FirewallError("there is no command nft", "install the nftables package") from exc
    except subprocess.TimeoutExpired as exc:
        raise FirewallError(f"nft did not end within {_NFT_DEADLINE:.0f} s", "see what else writes to nftables") from exc
    if done.returncode:
        said = (done.stderr.splitlines() or ["nothing"])[0]
        hint = _HINTS[errno.EPERM] if "not permitted" in said else f"nft --version; nft list table inet {TABLE}"
        raise FirewallError(f"nft refused the structure: {said[:200]!r}", hint)
