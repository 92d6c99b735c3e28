"""Every command that asks the daemon, in the order in which help and documents list them. A new command is a line here."""

from typing import Any

from banlistd.control.commands.allowing.allow import MANUAL_ALLOW
from banlistd.control.commands.allowing.allowed import ALL_ALLOWED
from banlistd.control.commands.allowing.disallow import MANUAL_DISALLOW
from banlistd.control.commands.approve import APPROVE
from banlistd.control.commands.checking.check import CHECK
from banlistd.control.commands.confirm import CONFIRM
from banlistd.control.commands.credits import CATALOGUE_CREDITS
from banlistd.control.commands.evidence.hits import HITS
from banlistd.control.commands.export import EXPORT
from banlistd.control.commands.fleet.fleet import FLEET, FLEET_ROOT
from banlistd.control.commands.fleet.holding import FLEET_HOLD, FLEET_RELEASE
from banlistd.control.commands.history import HISTORY
from banlistd.control.commands.manual_bans.ban import BAN
from banlistd.control.commands.manual_bans.bans import BANS
from banlistd.control.commands.manual_bans.unban import UNBAN
from banlistd.control.commands.monitoring.events import EVENTS
from banlistd.control.commands.monitoring.health import HEALTH
from banlistd.control.commands.monitoring.metrics import METRICS
from banlistd.control.commands.monitoring.notify import NOTIFY
from banlistd.control.commands.past.diff import DIFF
from banlistd.control.commands.past.rollback import ROLLBACK
from banlistd.control.commands.past.versions import VERSIONS
from banlistd.control.commands.protected import PROTECTED, PROTECTED_FORGET
from banlistd.control.commands.quarantine import QUARANTINE
from banlistd.control.commands.refresh import REFRESH
from banlistd.control.commands.reload import RELOAD
from banlistd.control.commands.reports.admitting import NODES_ADMIT, NODES_FORGET, NODES_SUSPEND
from banlistd.control.commands.reports.nodes import NODES
from banlistd.control.commands.reports.sightings import SIGHTINGS
from banlistd.control.commands.sources import SOURCES
from banlistd.control.commands.status import STATUS
from banlistd.control.commands.suspending.pause import PAUSE_SOURCES, RESUME_SOURCES
from banlistd.control.commands.suspending.pin import PIN, UNPIN
from banlistd.control.commands.timers import TIMERS
from banlistd.control.commands.top import TOP
from banlistd.control.commands.value.promotion import PROMOTION
from banlistd.control.commands.value.report import REPORT
from banlistd.control.declaration import Command

COMMANDS: tuple[Command[Any, Any], ...] = (
    STATUS,
    SOURCES,
    CHECK,
    TOP,
    REPORT,
    PROMOTION,
    HITS,
    HISTORY,
    VERSIONS,
    DIFF,
    ROLLBACK,
    EVENTS,
    NOTIFY,
    EXPORT,
    TIMERS,
    HEALTH,
    METRICS,
    FLEET,
    FLEET_ROOT,
    FLEET_HOLD,
    FLEET_RELEASE,
    PROTECTED,
    PROTECTED_FORGET,
    BAN,
    UNBAN,
    BANS,
    MANUAL_ALLOW,
    MANUAL_DISALLOW,
    ALL_ALLOWED,
    QUARANTINE,
    APPROVE,
    PAUSE_SOURCES,
    RESUME_SOURCES,
    PIN,
    UNPIN,
    REFRESH,
    RELOAD,
    CONFIRM,
    NODES,
    NODES_ADMIT,
    NODES_SUSPEND,
    NODES_FORGET,
    SIGHTINGS,
    CATALOGUE_CREDITS,
)
