"""Runs the program that looks at another hub of the fleet, and maps the lists that it wants signed. Each hub has a program of
its own: what a stolen one shows keeps no other one from being looked at.

The order, as JSON: `url`, `ca`, `agent`, `folder` (the only one that the program may write), `seconds` (of processor),
`within` (seconds of the clock), `targets` (as the owners of the fleet have signed them, base64), and `lists` (`name`, `known`:
contents that need not be fetched, `max_bytes`, `result`: a descriptor). The answer: `hub`, with `fault`, `cosigned`, `refused`
(role, version, reason) and `asked` (`role`, `version`, `metadata`, `content`, `counts`, `fault`); or `fault`. Hostile bytes may
have taken the program over: the content hash of every list is computed here once more.
"""

import asyncio
import base64
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from banlistd.adapters.parser_process.answer import Answer, Status
from banlistd.adapters.parser_process.result import taken_result
from banlistd.adapters.system.child_program import QUICK_NAMES, ChildBounds, ChildFaultError, run_child
from banlistd.adapters.system.own_program import own_program
from banlistd.core.fleet.cosign_job import is_role
from banlistd.core.fleet.cosigning import AskedList, OtherHub, WantedProposal
from banlistd.errors import FleetError, FleetFileError, ParseError

_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", **QUICK_NAMES}
_MOST_OUTPUT = 32 * 2**20
"""Octets: what a hub asks for has 4 MiB, and is escaped twice."""

_TARGETS = re.compile(r"([1-9][0-9]{0,8})\.targets\.json", re.ASCII)
_LARGEST_TARGETS = 512 * 1024
_PROCESSOR_SECONDS = 60
_SECONDS, _PART = 60.0, 0.9
"""Of the clock, for all hubs; the part of it that is for them, the rest for the start and the end of the programs."""

_MOST_ASKED, _MOST_REASON = 1000, 400


class OtherHubPrograms:
    """The OtherHubs of `ports`. `folder`: of this hub. `scratch`: as for a pull."""

    def __init__(self, folder: Path, urls: Sequence[str], ca: Path | None, scratch: Path | None, version: str) -> None:
        self._folder = folder
        self._urls = urls
        self._ca = ca
        self._scratch = scratch
        self._agent = f"banlistd/{version}"

    async def look(self, wanted: Sequence[WantedProposal]) -> Sequence[OtherHub]:
        loop, urls = asyncio.get_running_loop(), self._urls
        end, targets = loop.time() + _SECONDS, await asyncio.to_thread(self._newest_targets)
        found, faults = list[OtherHub](), list[FleetError]()
        for number, url in enumerate(urls):
            try:
                found.append(await self._look_at(url, wanted, targets, (end - loop.time()) / (len(urls) - number)))
            except FleetError as error:
                faults.append(error)
                found.append(OtherHub(url, str(error)[:_MOST_REASON]))
        if faults and len(faults) == len(urls):
            raise faults[0]
        return found

    async def _look_at(self, url: str, wanted: Sequence[WantedProposal], targets: bytes, seconds: float) -> OtherHub:
        """Raises FleetError where the program does not do it."""
        with ExitStack() as stack:
            results = {one.name: _in_memory(stack) for one in wanted}
            folder = tempfile.TemporaryDirectory(dir=self._scratch, prefix="hubs-", ignore_cleanup_errors=True)
            lists = [
                {"name": one.name, "known": sorted(one.known), "max_bytes": one.max_bytes, "result": results[one.name]}
                for one in wanted
            ]
            order = {
                "url": url,
                "ca": str(self._ca) if self._ca else None,
                "agent": self._agent,
                "folder": stack.enter_context(folder),
                "seconds": _PROCESSOR_SECONDS,
                "within": _PART * seconds,
                "targets": base64.b64encode(targets).decode(),
                "lists": lists,
            }
            answer = await _answer(order, list(results.values()), seconds)
            return await asyncio.to_thread(_hub, answer, url, {one.name: one for one in wanted}, results)

    def _newest_targets(self) -> bytes:
        """Raises FleetError."""
        try:
            names = [path.name for path in (self._folder / "offline").iterdir()]
            versions = [int(found[1]) for name in names if (found := _TARGETS.fullmatch(name))]
            if versions:
                return (self._folder / "offline" / f"{max(versions)}.targets.json").read_bytes()[:_LARGEST_TARGETS]
        except FileNotFoundError:
            pass
        except OSError as error:
            raise FleetFileError(f"cannot read the targets of the fleet: {error.strerror}") from error
        hint = "banlistctl fleet install FOLDER takes over what the owners of the fleet have signed"
        raise FleetError("this hub knows no root of its fleet", hint)


def _in_memory(stack: ExitStack) -> int:
    descriptor = os.memfd_create("banlistd-proposal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    stack.callback(os.close, descriptor)
    return descriptor


async def _answer(order: Mapping[str, Any], descriptors: Sequence[int], seconds: float) -> Mapping[str, Any]:
    """Raises FleetError."""
    program = own_program("banlistd.trust.other_hubs", "first", str(os.getpid()))
    bounds, given = ChildBounds(seconds, _MOST_OUTPUT), json.dumps(order).encode()
    try:
        code, said = await run_child(program, _ENVIRONMENT, bounds, given=given, descriptors=descriptors)
    except ChildFaultError as error:
        raise FleetError(f"the program that looks at other hubs {error}") from error
    return await asyncio.to_thread(_read, code, said)


def _read(code: int, said: bytes) -> Mapping[str, Any]:
    """Not on the thread of the event loop: it may be long. Raises FleetError."""
    try:
        answer = json.loads(said)
    except (ValueError, RecursionError):
        answer = {"fault": f"it ended with {code} and no answer"}
    if not isinstance(answer, dict) or "fault" in answer:
        fault = str(answer["fault"])[:_MOST_REASON] if isinstance(answer, dict) else "it gives no answer"
        raise FleetError(f"the program that looks at other hubs failed: {fault}")
    return answer


def _hub(answer: Mapping[str, Any], url: str, wanted: Mapping[str, WantedProposal], results: Mapping[str, int]) -> OtherHub:
    """Raises FleetError."""
    try:
        return _shown(answer["hub"], url, wanted, dict(results))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FleetError("the program that looks at other hubs gives no answer") from error


def _shown(one: Mapping[str, Any], url: str, wanted: Mapping[str, WantedProposal], free: dict[str, int]) -> OtherHub:
    cosigned = str(one.get("cosigned", "")).strip()
    if not (cosigned.isascii() and cosigned.isprintable()):
        # Hubs write ASCII. Six times as long in the job of the program that publishes, it would leave no room for lists.
        cosigned = ""
    asked = [_asked(each, wanted, free) for each in one.get("asked", ())[:_MOST_ASKED] if is_role(str(each["role"]))]
    refused = [
        (str(role)[:64], int(version), str(reason)[:_MOST_REASON])
        for role, version, reason in one.get("refused", ())[:_MOST_ASKED]
    ]
    return OtherHub(url, str(one.get("fault", ""))[:_MOST_REASON], cosigned, refused, asked)


def _asked(one: Mapping[str, Any], wanted: Mapping[str, WantedProposal], free: dict[str, int]) -> AskedList:
    role, version, metadata = str(one["role"]), int(one["version"]), str(one["metadata"])
    content, fault = str(one["content"])[:64], str(one.get("fault", ""))[:_MOST_REASON]
    if fault or role not in wanted or content in wanted[role].known or "counts" not in one:
        return AskedList(role, version, metadata, "" if fault else content, None, fault)
    hosts4, nets4, hosts6, nets6 = map(int, one["counts"])
    try:
        addresses, _ = taken_result(free.pop(role), Answer(Status.PARSED, hosts4, nets4, hosts6, nets6))
    except (ParseError, OSError) as error:
        return AskedList(role, version, metadata, "", None, str(error))
    if addresses.content_hash() != content:
        return AskedList(role, version, metadata, "", None, "its file is not the content that it says")
    return AskedList(role, version, metadata, content, addresses)
