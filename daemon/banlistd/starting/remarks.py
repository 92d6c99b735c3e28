"""What an administrator should know: about this host's firewall, the files of the configuration, and its lists."""

import asyncio
from collections.abc import Sequence

from banlistd.adapters.fetch.named_files import remarks_on_named_files
from banlistd.adapters.firewalls.nftables.structure import TABLE
from banlistd.adapters.firewalls.opener import open_backend
from banlistd.adapters.host.connections import LinuxConnections
from banlistd.adapters.host.coverage.uncovered import UncoveredTraffic
from banlistd.adapters.host.saved_rulesets import remarks_on_saved_rulesets
from banlistd.adapters.parser_process.confinement import landlock_version
from banlistd.adapters.system import config_file
from banlistd.core.config.catalogue.in_use import remarks_on_lists
from banlistd.core.config.combining.sources import remarks_on_unused
from banlistd.core.config.model import Config
from banlistd.core.config.reading.fleet_parts import remarks_on_cosigned
from banlistd.core.config.reading.wide_allows import remarks_on_wide_allows
from banlistd.core.download.intervals import remarks_on_turns
from banlistd.core.feeds.health.newest import OfNewest
from banlistd.core.ruleset.policy import identities, policy_of
from banlistd.daemon import Service
from banlistd.model import Mark, Remark, SourceSlot
from banlistd.paths import Paths
from banlistd.ports import Firewall
from banlistd.services.evidence.hits import HitRecorder
from banlistd.services.reloading.trial import Trial
from banlistd.starting.fleet import FleetInForce


def file_remarks(places: Paths, config: Config) -> Sequence[Remark]:
    """On the files that a configuration names, as the account of the service. Call it in a process without other threads."""
    return remarks_on_named_files(config, places.secret_folders)


def list_remarks(config: Config) -> Sequence[Remark]:
    """On what a configuration allows, on the lists that it polls, as the catalogue has them, and on those that it cannot use or
    publish.
    """
    on_use = [*remarks_on_unused(config), *remarks_on_turns(config.sources), *remarks_on_cosigned(config)]
    return [*remarks_on_wide_allows(config), *remarks_on_lists(config, config_file.load_catalogue()), *on_use]


_KEPT = OfNewest(list_remarks)


def confinement_remarks() -> Sequence[Remark]:
    """On what the kernel cannot forbid the processes that read what comes from outside."""
    if landlock_version():
        return ()
    return [
        Remark(
            "this kernel has no Landlock, or it is switched off: gpgv and the program that takes lists of a fleet have no"
            " capability, but may open every file that the account of the service may open",
            "Linux 5.13 or newer, with landlock in lsm= of its command line; the process that parses lists opens no file:"
            " its filter of system calls forbids that",
        )
    ]


async def host_remarks(places: Paths, config: Config) -> Sequence[Remark]:
    """On the firewall of this host as far as this process may read it, and on the files that nftables.service loads."""
    firewall = open_backend(config.backend, config)
    try:
        return [*await _remarks_on_rules(firewall, places, _slots_of(config)), *confinement_remarks()]
    finally:
        await firewall.close()


async def remarks_of_now(
    service: Service,
    firewall: Firewall,
    connections: LinuxConnections,
    uncovered: UncoveredTraffic,
    trial: Trial,
    hits: HitRecorder,
    places: Paths,
    fleet: FleetInForce,
) -> Sequence[Remark]:
    """All of the running daemon."""
    # Together: each waits for its turn of a processor that imports keep busy.
    on_lists, on_rules, passing_by = await asyncio.gather(
        asyncio.to_thread(_KEPT, service.config), _remarks_on_rules(firewall, places), uncovered.remarks()
    )
    on_traffic = [*connections.remarks(), *hits.remarks(), *passing_by, *fleet.remarks()]
    return [*trial.remarks(), *on_rules, *on_traffic, *on_lists, *confinement_remarks()]


def _slots_of(config: Config) -> Sequence[SourceSlot]:
    """The sources whose rules a start would write. No database is asked for their marks: any will do."""
    marks = {source_id: Mark(number) for number, source_id in enumerate(identities(config), 1)}
    return policy_of(config, marks, 0.0).acting


async def _remarks_on_rules(firewall: Firewall, places: Paths, sources: Sequence[SourceSlot] | None = None) -> Sequence[Remark]:
    on_rules, on_saved = await asyncio.gather(
        firewall.remarks(sources), asyncio.to_thread(remarks_on_saved_rulesets, TABLE, places.root)
    )
    return [*on_rules, *on_saved]
