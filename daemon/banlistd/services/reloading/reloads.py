"""The reload: another configuration is read, tried against the firewall and put in force, or nothing changes."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress

from banlistd.control_api import Reloaded
from banlistd.core.config.kept import Loaded
from banlistd.core.config.model import Config
from banlistd.core.config.reload import ReloadOrder, restart_only_changes
from banlistd.core.printing import counted
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.lifting import Lift, consent_to
from banlistd.errors import BanlistdError, ConfigError, LedgerError
from banlistd.events import Event, EventName
from banlistd.ports import Announcer, Supervisor
from banlistd.services.enforcer import Enforcer
from banlistd.services.reloading.live_config import LiveConfig
from banlistd.services.reloading.trial import Trial


class Reloads:
    """One reload at a time, and no repair meanwhile.

    `load`: reads the configuration again; raises ConfigError; blocks. `take_over`: lets every loop serve a configuration
    that the firewall already has.
    """

    def __init__(
        self,
        load: Callable[[], Loaded],
        live: LiveConfig,
        enforcer: Enforcer,
        trial: Trial,
        take_over: Callable[[Config], None],
        supervisor: Supervisor,
        announcer: Announcer,
    ) -> None:
        self._load = load
        self._live = live
        self._enforcer = enforcer
        self._trial = trial
        self._take_over = take_over
        self._supervisor = supervisor
        self._announcer = announcer
        self._reloading = asyncio.Lock()

    async def reload(self, order: ReloadOrder) -> Reloaded:
        """Put the configuration in force that is on the disk now, or raise BanlistdError and change nothing."""
        async with self._reloading:
            self._supervisor.reloading()
            try:
                return await self._reload(order)
            finally:
                self._supervisor.ready()

    async def confirm(self) -> None:
        """Confirm the configuration that is tried. Raises UsageError and LedgerError."""
        async with self._reloading:
            await self._trial.confirm()
            self._announce(EventName.CONFIG_RELOADED, "the configuration in force is confirmed")
            with suppress(BanlistdError):  # the boot snapshot; the next reconcile writes it otherwise
                await self._enforcer.reconcile(await self._live.policy(self._live.config))

    async def end_trial(self, every: float) -> None:
        """Wait until a trial is over, looked at `every` so many seconds, and put the configuration before back in force."""
        await self._trial.wait(every)
        async with self._reloading:
            pending = self._trial.pending
            if pending is None or not self._trial.is_over:
                return
            await self._enforcer.reconcile(await self._live.policy(pending.before))
            self._take_over(pending.before)
            words = "the configuration was not confirmed in time: the one before is in force again"
            self._announce(EventName.CONFIG_REJECTED, words, REASON="not confirmed in time")
            await self._trial.end(refused=True)

    async def reconcile(self) -> Change:
        """Make the firewall equal to the configuration in force; not during a reload: it would put the old one back."""
        async with self._reloading:
            return await self._enforcer.reconcile(await self._live.policy(self._live.config))

    async def repair(self) -> Change:
        """As `reconcile`; where it finds nothing to do, the change for another reason that has repaired drift meanwhile."""
        change, repair = await self.reconcile(), self._enforcer.drift.take()
        return repair if change.is_empty else change

    async def _reload(self, order: ReloadOrder) -> Reloaded:
        lifts: list[Lift] = []
        consent = consent_to(order.lift if order.confirm is None else sys.maxsize)

        def note(lift: Lift) -> None:
            lifts.append(lift)
            consent(lift)

        trial, before, begun = self._trial, self._live.config, False
        try:
            trial.refuse_another()
            loaded = await asyncio.to_thread(self._load)
            config, files = loaded.config, loaded.files
            if frozen := restart_only_changes(before, config):
                raise ConfigError(f"{', '.join(frozen)}: cannot be changed while banlistd runs", "restart it")
            policy = await self._live.policy(config)
            if order.confirm is not None:
                await trial.begin(before, files)
                begun = True
            await self._enforcer.reconcile(policy, note)
        except BanlistdError as error:
            if begun:
                await trial.end(refused=False)
            problems = "; ".join(error.problems) if isinstance(error, ConfigError) else ""
            self._announce(
                EventName.CONFIG_REJECTED, f"configuration has NOT been changed: {problems or error}", REASON=error.message
            )
            raise
        self._take_over(config)
        if order.confirm is not None:
            await trial.carried_out(order.confirm, order.uid)
        else:
            with suppress(LedgerError):
                await trial.put_in_force(files, order.uid)
        words = "" if order.confirm is None else f", for {order.confirm:.0f} s unless it is confirmed"
        enabled = counted(len(self._live.enabled), "source", "sources")
        self._announce(EventName.CONFIG_RELOADED, f"configuration reloaded: {enabled} enabled{words}")
        return Reloaded(before, lifts[-1])

    def _announce(self, name: EventName, message: str, **fields: str | float) -> None:
        self._announcer.announce(Event(name, message, fields))
