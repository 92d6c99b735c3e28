"""Runs the program that takes signed lists from the mirrors of a fleet, and maps the lists that it writes.

The order, as JSON: `pinned` (the root, base64), `urls`, `ca`, `agent`, `folder` (the only one that the program may write),
`seconds` (of processor), `within` (seconds of the clock, for all mirrors together), `now`, `floor`, `rows` (name -> base64),
`lists` (`name`, `known`, `hash`, `max_bytes`, and `base` and `result`, descriptors), or `new_root` in place of both.
The answer: `rows`, `floor`, `root`, `timestamp`, `mirror`, `refused`, `late` (mirrors that took too long), `lists`, `octets`,
`requests`; or `fault`. What it says is checked as any foreign text: hostile bytes may have taken the program over. So the
content hash of every list is computed here once more.
"""

import asyncio
import base64
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from banlistd.adapters.parser_process.answer import Answer, Status
from banlistd.adapters.parser_process.result import taken_result
from banlistd.adapters.system.child_program import (
    QUICK_NAMES,
    ChildBounds,
    ChildEnd,
    ChildFaultError,
    LateChildError,
    run_child,
)
from banlistd.adapters.system.own_program import own_program
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.fleet.kept_rows import rows_to_keep
from banlistd.core.fleet.trust import FleetState, KnownTrust, MirrorFault, MirrorRefusal, Pulled, SignedList, WantedList
from banlistd.core.printing import quoted
from banlistd.errors import FetchError, ParseError, TrustError
from banlistd.model import ContentHash
from banlistd.ports import Clock

_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", **QUICK_NAMES}
_MOST_OUTPUT = 32 * 2**20
_LARGEST_ROOT = 512_000
"""Octets, as python-tuf has it."""

_MOST_REFUSALS = 1000
_DIGITS, _MOST_WITHDRAWN = 16, 64
"""Of a content hash, and how many contents of a list may be withdrawn: a hub names 16."""

_MOST_VERSION = 2**63
"""An integer of SQLite is less."""

_PART = 0.9
"""Of the time-out of a source, for the mirrors: the rest is for the start and the end of the program."""

_PROCESSOR_SECONDS = 60
_SECONDS_OF_A_ROOT = 20.0

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class MirrorPrograms:
    """The SignedLists of `ports`. `scratch`: a folder for the folders of its programs; None: where the system says."""

    def __init__(self, scratch: Path | None, version: str, clock: Clock) -> None:
        self._scratch = scratch
        self._clock = clock
        self._agent = f"banlistd/{version}"
        self._late: Collection[str] = ()

    async def pull(self, fleet: Fleet, wanted: Sequence[WantedList], known: KnownTrust, seconds: float) -> Pulled:
        with ExitStack() as stack:
            more = {"within": _PART * seconds, "compares": any(one.compares for one in wanted)}
            order, given = await _in_thread(self._order, stack, fleet, wanted, known, more)
            lists = order["lists"]
            self._late = order["urls"][:1]  # where no answer comes at all
            ended = await _ended(given, [one[key] for one in lists for key in ("base", "result")], seconds)
            results = {one["name"]: one["result"] for one in lists}
            return await _in_thread(_closing, stack, lambda: self._checked(fleet, _answer(ended), known, results))

    async def add_root(self, fleet: Fleet, root: bytes, known: KnownTrust) -> Pulled:
        with ExitStack() as stack:
            _, given = await _in_thread(self._order, stack, fleet, [], known, {"new_root": _text(root)})
            ended = await _ended(given, [], _SECONDS_OF_A_ROOT)
        answer = await _in_thread(_answer, ended)
        if answer.get("accepted") is not True:
            raise TrustError("the root is not proven by those before it, or is not the next one", "ask the owner of the fleet")
        pulled = self._checked(fleet, answer, known, {})
        if pulled.state.root_version <= known.state.root_version:
            raise TrustError(f"the root is not newer than version {known.state.root_version}: it is known, or not proven")
        return pulled

    def _order(
        self, stack: ExitStack, fleet: Fleet, wanted: Sequence[WantedList], known: KnownTrust, more: Mapping[str, Any]
    ) -> tuple[dict[str, Any], bytes]:
        """And its octets: metadata may have 8 MiB. `stack` closes what it names. Raises FetchError, and OSError."""
        if fleet.root is None:
            raise FetchError("the fleet has no root", "add fleet: root")
        pinned = _read_root(fleet.root)
        folder = tempfile.TemporaryDirectory(dir=self._scratch, prefix="fleet-", ignore_cleanup_errors=True)
        order = {
            "pinned": _text(pinned),
            "urls": sorted(fleet.urls, key=lambda one: one in self._late),
            "ca": str(fleet.ca) if fleet.ca else None,
            "agent": self._agent,
            "folder": stack.enter_context(folder),
            "seconds": _PROCESSOR_SECONDS,
            "now": self._clock.now(),
            "floor": known.state.floor,
            "rows": {name: _text(octets) for name, octets in rows_to_keep(known.rows, [one.name for one in wanted]).items()},
            "lists": [_listed(one, *_in_memory(stack, one.base)) for one in wanted],
            **more,
        }
        return order, json.dumps(order).encode()

    def _checked(self, fleet: Fleet, answer: Mapping[str, Any], known: KnownTrust, results: Mapping[str, int]) -> Pulled:
        """Raises FetchError."""
        try:
            late = answer.get("late", ())
            self._late = [url for url in fleet.urls if url in late]
            return _pulled(answer, known, results, self._clock.now())
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise FetchError("the program that takes lists from the mirrors gives no answer") from error


def _closing(stack: ExitStack, work: Callable[[], _Result]) -> _Result:
    """What `work` gives; `stack` is closed then, in the same turn of a thread."""
    with stack:
        return work()


async def _in_thread(work: Callable[_Parameters, _Result], *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
    """The result of `work`. Who is cancelled meanwhile goes on once it has ended: until then it needs its descriptors."""
    running = asyncio.get_running_loop().run_in_executor(None, partial(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # seen
        raise


async def _ended(given: bytes, descriptors: Sequence[int], seconds: float) -> ChildEnd:
    """Raises FetchError."""
    program, bounds = own_program("banlistd.trust.pull", "first", str(os.getpid())), ChildBounds(seconds, _MOST_OUTPUT)
    try:
        return await run_child(program, _ENVIRONMENT, bounds, given=given, descriptors=descriptors)
    except LateChildError as error:
        raise FetchError(f"the mirrors did not give their lists within {seconds:g} s") from error
    except ChildFaultError as error:
        raise FetchError(f"the program that takes lists from the mirrors {error}") from error


def _answer(ended: ChildEnd) -> dict[str, Any]:
    """Not on the thread of the event loop: it may have 32 MiB. Raises FetchError."""
    code, said = ended
    try:
        answer = json.loads(said)
    except (ValueError, RecursionError):
        answer = {"fault": f"it ended with {code} and no answer"}
    if not isinstance(answer, dict) or "fault" in answer:
        fault = quoted(str(answer["fault"])[:200]) if isinstance(answer, dict) else "it gives no answer"
        hint = "install python-tuf: pip install 'banlistd[fleet]'" if code == 1 and not said else ""
        raise FetchError(f"the program that takes lists from the mirrors failed: {fault}", hint)
    return answer


def _listed(one: WantedList, base: int, result: int) -> dict[str, Any]:
    return {
        "name": one.name,
        "known": one.known,
        "hash": one.base_hash if one.base is not None else "",
        "max_bytes": one.max_bytes,
        "base": base,
        "result": result,
    }


def _in_memory(stack: ExitStack, base: AddressSet | None) -> tuple[int, int]:
    """Descriptors of two files in memory: of the base, and of the result."""
    descriptors = []
    for name in ("base", "result"):
        descriptor = os.memfd_create(f"banlistd-fleet-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        stack.callback(os.close, descriptor)
        descriptors.append(descriptor)
    view = memoryview(base.encode() if base is not None else b"")
    while view:
        view = view[os.write(descriptors[0], view) :]
    return descriptors[0], descriptors[1]


def _pulled(answer: Mapping[str, Any], known: KnownTrust, results: Mapping[str, int], now: float) -> Pulled:
    refused = [
        MirrorRefusal(str(one["mirror"])[:200], MirrorFault(one["kind"]), str(one["reason"])[:400], str(one["list"])[:64])
        for one in answer["refused"][:_MOST_REFUSALS]
    ]
    root, timestamp, before = answer["root"], answer["timestamp"], known.state
    mirror = str(answer["mirror"])[:200] or before.mirror
    state = FleetState(
        max(before.floor, min(_finite(answer["floor"]), now)),
        _version(root["version"]),
        hashlib.sha256(base64.b64decode(root["octets"])).hexdigest(),
        _version(timestamp["version"]) or before.timestamp_version,
        _finite(timestamp["expires"]) or before.expires_at,
        mirror,
    )
    lists: dict[str, SignedList | None] = {}
    for name, result in results.items():
        if name in answer["lists"]:
            try:
                lists[name] = _signed(answer["lists"][name], result)
            except ParseError as error:
                refused.append(MirrorRefusal(mirror, MirrorFault.REFUSED, str(error), name))
    rows = rows_to_keep({str(name): base64.b64decode(text) for name, text in answer["rows"].items()}, results)
    return Pulled(rows, state, lists, tuple(refused), int(answer["octets"]), int(answer["requests"]))


def _finite(number: Any) -> float:
    if not math.isfinite(found := float(number)):
        raise ValueError("no finite number")
    return found


def _version(number: Any) -> int:
    if not 0 <= (found := int(number)) < _MOST_VERSION:
        raise ValueError("no version")
    return found


def _signed(found: Mapping[str, Any], result: int) -> SignedList | None:
    if found["state"] == "absent":
        return None
    content_hash, entries, seq = ContentHash(str(found["content"])), int(found["entries"]), int(found["seq"])
    withdrawn = frozenset(str(one)[:_DIGITS] for one in found.get("withdrawn", [])[:_MOST_WITHDRAWN])
    if found["state"] == "same":
        return SignedList(content_hash, entries, seq, withdrawn=withdrawn)
    hosts4, nets4, hosts6, nets6 = map(int, found["counts"])
    if min(hosts4, nets4, hosts6, nets6) < 0:
        raise ParseError("the result of the program that takes lists from the mirrors has the wrong size")
    addresses, _ = taken_result(result, Answer(Status.PARSED, hosts4, nets4, hosts6, nets6))
    if addresses.content_hash() != content_hash or len(addresses) != entries:
        raise ParseError("the list is not the content that was signed")
    return SignedList(content_hash, entries, seq, addresses, int(found["octets"]), bool(found["is_delta"]), withdrawn)


def _read_root(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            root = file.read(_LARGEST_ROOT + 1)
    except OSError as exc:
        hint = "the account of the service must be able to read the file"
        raise FetchError(f"cannot read the root of the fleet {quoted(str(path))}: {exc.strerror}", hint) from exc
    if len(root) > _LARGEST_ROOT:
        raise FetchError(f"the root of the fleet {quoted(str(path))} is larger than {_LARGEST_ROOT} bytes")
    return root


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
