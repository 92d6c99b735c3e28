"""A proof: packets of a test address through the real rules of this host, before a ban and during it."""

import argparse
import asyncio
import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import Any, NamedTuple, NoReturn

from banlistd.adapters.host.route_netlink import PROOF_LINKS
from banlistd.control.commands.checking.check import CHECK
from banlistd.control.commands.manual_bans.ban import BAN
from banlistd.control.commands.manual_bans.unban import UNBAN
from banlistd.control.commands.monitoring.metrics import METRICS
from banlistd.control.page import Page
from banlistd.control_api import VERDICT_EXITS
from banlistd.core.printing import printable
from banlistd.ctl import output
from banlistd.ctl.client import DaemonError, ask
from banlistd.ctl.proving.ground import GroundError, Joint, Namespace, join, part, place, require_network_of
from banlistd.ctl.proving.probes import Heard, arrivals, send
from banlistd.ctl.proving.publishing import PUBLISHED, published
from banlistd.ctl.proving.verdict import Finding, PathFinding, finding_of, verdict_of
from banlistd.ctl.remote import default_runtime, question_of
from banlistd.ctl.report import report
from banlistd.errors import NotAllowedError

_ORIGIN = "prove"
# A proof takes some seconds. The ban of one that was killed ends by itself after so long.
_LASTS = "60s"

# Networks for documentation (RFC 5737, RFC 3849), which no host has and which are not reserved, so that they can be banned; as
# a socket prints them.
_CANDIDATES: Mapping[int, Sequence[str]] = {
    socket.AF_INET: ("203.0.113.222", "203.0.113.223", "198.51.100.222", "198.51.100.223", "192.0.2.222", "192.0.2.223"),
    socket.AF_INET6: ("2001:db8:b1::222", "2001:db8:b1::223", "2001:db8:b2::222", "2001:db8:b2::223"),
}
_NAMES: Mapping[int, str] = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}
_FORWARDING: Mapping[int, str] = {
    socket.AF_INET: "/proc/sys/net/ipv4/ip_forward",
    socket.AF_INET6: "/proc/sys/net/ipv6/conf/all/forwarding",
}
# Networks for benchmarks and unique local addresses (RFC 2544, RFC 4193); the kernel refuses a pair whose name is taken.
_PEER = Joint(PROOF_LINKS[0], "198.18.255.1", "198.18.255.2", "fdb1:a571:57d0::1", "fdb1:a571:57d0::2")
_GUEST = Joint(PROOF_LINKS[1], "198.18.255.5", "198.18.255.6", "fdb1:a571:57d1::1", "fdb1:a571:57d1::2")

_COUNTER = re.compile(r'^banlistd_source_packets_total\{source="manual"\} (\d+)$', re.MULTILINE)

_PATHS = ("input", "forward", "published")
_WORDS = {
    Finding.STOPPED: "a banned packet is stopped, another arrives",
    Finding.PASSED: "a banned packet ARRIVES",
    Finding.COUNTED: "other rules of this host stop every packet; the ban takes a banned one before",
    Finding.CLOSED: "not proven: other rules of this host stop every packet",
    Finding.UNUSED: "not in use",
}


class _Way(NamedTuple):
    """One path of packets: `within` opens the socket where they arrive."""

    path: str
    family: int
    target: str
    within: Callable[[Callable[[], socket.socket]], socket.socket]


def run_proof(arguments: argparse.Namespace) -> int:
    """Prove, print, and return the exit code. Raises NotAllowedError, GroundError, and what the daemon answers."""
    if os.geteuid():
        raise NotAllowedError("only root can make network namespaces", "sudo banlistctl prove")
    socket_path = os.path.join(arguments.runtime or default_runtime(), "control.sock")  # noqa: PTH118 - pathlib: 10 ms

    def asked(command: Any, **fields: object) -> Any:
        return ask(socket_path, question_of(command, fields))

    require_network_of(socket_path)
    with _ended_by_signals():
        try:
            bypasses, paths = _bypasses(), _proof(asked)
        except DaemonError as exc:
            report(exc, exc.document if arguments.json else None, exc.problems)
            return exc.code
    verdict = verdict_of(paths, len(bypasses))
    if arguments.json:
        rows = [{"path": one.path, "family": one.family, "finding": str(one.finding)} for one in paths]
        print(json.dumps({"verdict": str(verdict), "paths": rows, "bypasses": bypasses}))
    else:
        output.show(_page(str(verdict), paths, bypasses))
    return VERDICT_EXITS[verdict]


def _page(verdict: str, paths: Sequence[PathFinding], bypasses: Sequence[Mapping[str, str]]) -> Page:
    return [
        verdict,
        *(f"  {one.path:9} {one.family}  {_WORDS[one.finding]}" for one in paths),
        *(line for one in bypasses for line in (f"  bypass    {printable(one['message'])}", f"      {printable(one['hint'])}")),
    ]


def _bypasses() -> list[dict[str, str]]:
    """What passes no rule of this host, which packets of a proof cannot show."""
    from banlistd.adapters.host.coverage.uncovered import UncoveredTraffic  # noqa: PLC0415 - help and usage do not need it

    uncovered = UncoveredTraffic()
    try:
        return [{"message": one.message, "hint": one.hint} for one in asyncio.run(uncovered.remarks())]
    finally:
        uncovered.close()


def _proof(asked: Callable[..., Any]) -> Sequence[PathFinding]:
    chosen = {family: _free(asked, family) for family in _NAMES}
    with ExitStack() as stack:
        peer, guest = (stack.enter_context(Namespace()) for _ in range(2))
        for far, joint in ((peer, _PEER), (guest, _GUEST)):
            join(far, joint)
            stack.callback(_parted, joint)
        for test, control in chosen.values():
            # The names of the links are taken, so no other proof runs: what is banned in its name is left over.
            with suppress(DaemonError):
                asked(UNBAN, address=test, origin=_ORIGIN)
            place(peer, _PEER, test)
            place(peer, _PEER, control)
        publishes = any(map(_forwards, _NAMES)) and stack.enter_context(published(_PEER, _GUEST))
        ways = [*_ways(guest, publishes=publishes)]
        before = [_sent(peer, way, chosen) for way in ways]
        for test, _ in chosen.values():
            stack.callback(_lifted, asked, test)
            asked(BAN, address=test, origin=_ORIGIN, comment="a proof that is under way", **{"for": _LASTS})
        during = [_sent(peer, way, chosen) for way in ways]
        found = [
            PathFinding(
                way.path,
                _NAMES[way.family],
                finding_of(before=first.test, banned=second.test, control=second.control),
            )
            for way, first, second in zip(ways, before, during, strict=True)
        ]
        found = [
            one._replace(finding=Finding.COUNTED if _counts(asked, peer, way, chosen) else one.finding)
            if one.finding is Finding.CLOSED
            else one
            for one, way in zip(found, ways, strict=True)
        ]
    taken = {(one.path, one.family) for one in found}
    every = [(path, name) for path in _PATHS for name in _NAMES.values()]
    unused = [PathFinding(*one, Finding.UNUSED) for one in every if one not in taken]
    return sorted([*found, *unused], key=lambda one: every.index((one.path, one.family)))


def _ways(guest: Namespace, *, publishes: bool) -> Iterator[_Way]:
    for family in _NAMES:
        yield _Way("input", family, _PEER.host(family), lambda make: make())
        if _forwards(family):
            yield _Way("forward", family, _GUEST.far(family), guest.run)
            if publishes:
                yield _Way("published", family, PUBLISHED[family], guest.run)


def _sent(peer: Namespace, way: _Way, chosen: Mapping[int, tuple[str, str]]) -> Heard:
    test, control = chosen[way.family]
    return arrivals(peer, way.target, test, control, within=way.within)


def _counts(asked: Callable[..., Any], peer: Namespace, way: _Way, chosen: Mapping[int, tuple[str, str]]) -> bool:
    """Whether the counter of the manual bans takes each packet of the test address, and nothing else while it is watched."""
    test, control = chosen[way.family]
    before = _taken(asked)
    send(peer, way.target, control)
    quiet = _taken(asked)
    sent = send(peer, way.target, test)
    after = _taken(asked)
    return before is not None and before == quiet and after == before + sent


def _taken(asked: Callable[..., Any]) -> int | None:
    """Packets that met manual bans; None where the firewall does not count."""
    found = _COUNTER.search(asked(METRICS)["text"])
    return int(found[1]) if found else None


def _free(asked: Callable[..., Any], family: int) -> tuple[str, str]:
    """The test address and the control address: those that nothing bans or allows. Raises GroundError."""
    free = [
        address
        for address, answer in ((address, asked(CHECK, address=address)) for address in _CANDIDATES[family])
        if not answer["allowed"] and not answer["protected"] and all(_is_left_over(row) for row in answer["sources"])
    ]
    if len(free) < 2:  # noqa: PLR2004 - one for the test, one for control
        raise GroundError(
            f"every test address of {_NAMES[family]} is banned or allowed already, as by a list of unused networks",
            f"banlistctl check {_CANDIDATES[family][0]} says by which; banlistctl disable ID while you prove",
        )
    return free[0], free[1]


def _is_left_over(row: Mapping[str, Any]) -> bool:
    bans = row.get("bans") or ()
    return bool(bans) and all(ban["origin"] == _ORIGIN for ban in bans)


def _forwards(family: int) -> bool:
    try:
        with open(_FORWARDING[family], encoding="ascii") as file:  # noqa: PTH123 - pathlib: 10 ms
            return file.read().strip() != "0"
    except OSError:  # a kernel without IPv6
        return False


def _parted(joint: Joint) -> None:
    with suppress(GroundError):
        part(joint)


def _lifted(asked: Callable[..., Any], address: str) -> None:
    """A daemon that does not answer lifts the ban when its time is over."""
    with suppress(Exception):
        asked(UNBAN, address=address, origin=_ORIGIN)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Each ends a proof as Ctrl-C does, also where a shell has started it to ignore that, so that it puts everything back."""

    def end(_: int, __: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
