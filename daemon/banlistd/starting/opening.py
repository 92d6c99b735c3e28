"""Parts that are opened, or that a configuration chooses, before they are put together."""

from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Protocol, TypeVar

from banlistd.adapters.fetch.name_lookups import NameLookups
from banlistd.adapters.geo.mmdb import MmdbFile
from banlistd.adapters.geo.online import OnlineService
from banlistd.adapters.geo.tor_geoip import TorGeoip
from banlistd.adapters.host.route_monitor import RouteMonitor
from banlistd.adapters.names.lookup import TimedLookups
from banlistd.adapters.names.name_servers import NameServers
from banlistd.adapters.netlink.packet_log import NflogPackets
from banlistd.core.config.model import Config
from banlistd.core.config.sections.geo import Geo
from banlistd.paths import Paths
from banlistd.ports import Clock, HostMonitor
from banlistd.ports.evidence import PacketLog
from banlistd.services.enforcer import Enforcer
from banlistd.services.geo_enricher import GeoResolvers
from banlistd.services.null_objects import NoHostMonitor, NoPackets

_ASKED_AT_ONCE = 4
"""Names that operators ask for, which must not wait for those of feeds. The unit allows 64 threads, most of them for others."""


def name_lookups(stack: AsyncExitStack, clock: Clock) -> tuple[NameLookups, TimedLookups]:
    """By the system's own resolver, and by name servers, which say how long an answer counts."""
    lookups, servers = NameLookups(_ASKED_AT_ONCE), NameServers(clock)
    stack.push_async_callback(servers.close)
    return lookups, TimedLookups(servers, lookups.addresses, clock)


def host_monitor(stack: AsyncExitStack) -> HostMonitor:
    """Without it a new address is protected at the next comparison."""
    try:
        monitor = RouteMonitor()
    except OSError:
        return NoHostMonitor()
    return closed(stack, monitor)


class _Closable(Protocol):
    def close(self) -> None: ...


_Opened = TypeVar("_Opened", bound=_Closable)


def closed(stack: AsyncExitStack, opened: _Opened) -> _Opened:
    """It is closed in its turn."""
    stack.callback(opened.close)
    return opened


async def at_rest(enforcer: Enforcer) -> None:
    """Once no transaction is under way, and connections have ended."""
    await enforcer.wait_until_idle()
    await enforcer.connections_ended()


def packets(stack: AsyncExitStack, config: Config, dry_run: object) -> PacketLog:
    """Of a backend whose rules can sample; the socket is opened at the first question."""
    can = config.backend.kind.capabilities
    if dry_run is not None or not (can.samples and can.changes_host):
        return NoPackets()
    return closed(stack, NflogPackets())


def geo_resolvers(geo: Geo, places: Paths) -> GeoResolvers:
    """The resolvers of a configuration; none outside this machine unless the configuration enables it."""
    databases = tuple(MmdbFile(path) if path.suffix == ".mmdb" else TorGeoip(path) for path in geo.databases)
    online = geo.online
    services = (OnlineService(online.url, version("banlistd"), places.credentials),) if online.enabled else ()
    return GeoResolvers(databases, services)
