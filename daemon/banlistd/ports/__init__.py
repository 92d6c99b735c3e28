"""Every access to the outside, as Protocols; those of geography are in `ports.geo`, which not every part needs."""

from banlistd.ports.feeds import Fetcher, ListParser, OnBody, ParserSession, Verifier, WholeBody
from banlistd.ports.firewall import Connections, Firewall
from banlistd.ports.history import ShadowLog, Suspensions, Versions
from banlistd.ports.host import Host, HostMonitor, LoginMemory, Logins, TimedAddresses
from banlistd.ports.state import (
    Backends,
    BootSnapshots,
    Departures,
    EndLog,
    FindingLog,
    KeptConfigs,
    Ledger,
    ManualAllows,
    ManualBans,
    Quarantine,
    RequestLog,
    SourceRecords,
    Storage,
)
from banlistd.ports.system import Announcer, BlockingCalls, Clock, Supervisor

__all__ = [
    "Announcer",
    "Backends",
    "BlockingCalls",
    "BootSnapshots",
    "Clock",
    "Connections",
    "Departures",
    "EndLog",
    "Fetcher",
    "FindingLog",
    "Firewall",
    "Host",
    "HostMonitor",
    "KeptConfigs",
    "Ledger",
    "ListParser",
    "LoginMemory",
    "Logins",
    "ManualAllows",
    "ManualBans",
    "OnBody",
    "ParserSession",
    "Quarantine",
    "RequestLog",
    "ShadowLog",
    "SourceRecords",
    "Storage",
    "Supervisor",
    "Suspensions",
    "TimedAddresses",
    "Verifier",
    "Versions",
    "WholeBody",
]
