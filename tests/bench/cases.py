"""Everything that is measured, in order."""

from collections.abc import Callable, Iterator, Mapping

from bench.case_answering import answers
from bench.case_bans import bans
from bench.case_evidence import evidence
from bench.case_fail2ban import one_by_one
from bench.case_fleet import fleet
from bench.case_history import history
from bench.case_importing import bogons6, million, networks, random_million, three_million
from bench.case_many_nodes import many_nodes
from bench.case_packets import packets, rules, scopes
from bench.case_parsing import parse_feeds, parse_million
from bench.case_repairing import repair
from bench.case_standing import idle, restart, unchanged
from bench.case_updating import update
from bench.rows import Row
from bench.setting import Setting

CASES: Mapping[str, tuple[str, Callable[[Setting], Iterator[Row]]]] = {
    "1m": ("1,000,000 addresses, sorted", million),
    "1m-random": ("1,000,000 addresses, spread evenly, in no order", random_million),
    "3m2": ("3,200,000 addresses, gzip, in no order", three_million),
    "networks": ("213,288 IPv4 networks", networks),
    "bogons6": ("143,544 IPv6 networks", bogons6),
    "parse-1m": ("parse and merge 1,000,000 addresses", parse_million),
    "parse-feeds": ("parse and merge real feeds", parse_feeds),
    "update": ("an update of 100,000 addresses", update),
    "history": ("the versions of a list are kept", history),
    "unchanged": ("nothing has changed", unchanged),
    "restart": ("restart and reboot, 60 sources, 1,000,000 bans", restart),
    "repair": ("bans that somebody else has flushed", repair),
    "idle": ("idle, 60 sources, 1,000,000 bans", idle),
    "answers": ("answers to an operator", answers),
    "fail2ban": ("bans one by one", one_by_one),
    "packets": ("packets that nobody has banned", packets),
    "bans": ("manual bans, many and one by one", bans),
    "evidence": ("what log and hits cost a packet", evidence),
    "rules": ("the cost of the rules for a packet", rules),
    "fleet": ("a hub and a node of a fleet", fleet),
    "nodes": ("many nodes of a fleet on this machine", many_nodes),
    "scopes": ("the cost of scopes for a packet that no source has", scopes),
}
