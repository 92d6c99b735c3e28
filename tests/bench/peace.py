"""Whether a measurement was left in peace by the rest of the machine, and waiting for it, within bounds."""

import time

from bench.heartbeats import Heartbeats
from bench.listeners import await_silence, room

_STILL = 0.1
_PATIENCE = 10.0


class Peace:
    """`budget`: seconds that may be spent on waiting in all, so that a busy machine makes a run worse but not endless."""

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._heartbeats = Heartbeats()
        self._overheard = False

    @property
    def is_worth_waiting_for(self) -> bool:
        """Whether there is time left for it."""
        return self._budget > 0

    def end(self) -> None:
        self._heartbeats.stop()

    def await_silence(self) -> None:
        """Until nobody else listens to nf_tables, if that comes soon."""
        began = time.monotonic()
        self._overheard |= not await_silence(0)
        await_silence(min(_PATIENCE, self._budget))
        self._budget -= min(self._budget, time.monotonic() - began)

    def most_elements(self) -> int | None:
        """How many elements may be loaded at once: None, without a bound, where nobody was ever seen to listen."""
        self._overheard |= not await_silence(0)
        return room() if self._overheard else None

    def broken(self, since: float, *, by_listeners: bool) -> str:
        """What has disturbed since a moment of time.monotonic(); empty where nothing did."""
        still = self._heartbeats.stood_still(since)
        if still >= _STILL:
            return f"the machine stood still for {still:.1f} s"
        if by_listeners and not await_silence(0):
            self._overheard = True
            return "somebody listens to nf_tables"
        return ""
