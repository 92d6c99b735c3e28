"""Nodes that sign reports with a key that a test has."""

from banlistd.core.fleet.reports.addresses import reported_address
from banlistd.core.fleet.reports.judging import Node
from banlistd.core.fleet.reports.report import REPORT_TYPE, LiftedBan, NodeReport, ReportedBan, report_payload
from support.operators import Signer

FLEET = "main"


def signer(name: str) -> Signer:
    """A key of its own for each name."""
    return Signer(name, name.encode().ljust(32, b"."))


def node(name: str = "node-1", site: str = "oslo", *own: str) -> Node:
    return Node(name, site, signer(name).public, frozenset(map(reported_address, own)))


def reported(address: str, at: float, seconds: int | None = 600, origin: str = "fail2ban/sshd") -> ReportedBan:
    return ReportedBan(reported_address(address), int(at), seconds, origin)


def lifted(address: str, origin: str = "fail2ban/sshd") -> LiftedBan:
    return LiftedBan(reported_address(address), origin)


def report(now: float, *entries: ReportedBan | LiftedBan, name: str = "node-1", boot: int = 1, seq: int = 1) -> NodeReport:
    bans = tuple(one for one in entries if isinstance(one, ReportedBan))
    return NodeReport(FLEET, name, boot, seq, int(now), bans, tuple(one for one in entries if isinstance(one, LiftedBan)))


def message_of(made: NodeReport, by: Signer | None = None) -> bytes:
    """The signed message of a report."""
    return (by or signer(made.node)).signed(report_payload(made), REPORT_TYPE)
