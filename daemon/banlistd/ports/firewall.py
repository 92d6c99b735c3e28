"""What a backend must do. The docstrings are contracts that tests check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from banlistd.core.addresses.sets import Addresses, AddressSet, Ranges
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.state import FirewallState, Verification
from banlistd.model import (
    Counter,
    ExternalChange,
    Family,
    Mark,
    Marker,
    Remark,
    ServiceEndpoint,
    SourceSlot,
)


class Firewall(Protocol):
    """One backend. It gets a Change and knows no source definition, no configuration and no database.

    Where backends differ, their `Capabilities` (banlistd.backends) say how.
    """

    async def markers(self) -> tuple[Marker, ...]:
        """The applied-state markers, in the order of marks; empty if it contains nothing of banlistd's.

        The cost does not depend on the number of bans. Raises FirewallError, as every call here.
        """

    async def verify(self, state: FirewallState) -> Verification:
        """Compare the firewall with the state that we expect, in milliseconds: shape, numbers, a sample; never a dump."""

    async def apply(self, change: Change) -> int:
        """Apply a change, markers included; returns the number of elements that were written or removed, for the debug log.

        An empty change writes nothing. `apply` is idempotent; removing what is absent is no error. With the capability
        `all_or_nothing` the change is atomic: after an error nothing of it is applied. Without it (fail2ban) a part may be
        applied, and the next `verify` finds the rest.
        """

    async def contents(self) -> Mapping[Mark, AddressSet]:
        """All banned addresses by the mark of their source. A dump: seconds for a million, so only after the ledger was lost.

        Without the capability `contents_by_owner` (fail2ban) the backend does not know the sources: each mark gets all of them.
        """

    async def scope_numbers(self) -> Mapping[str, int]:
        """The number under which it has each scope, by `Scope.digest`; none without the capability `scopes`."""

    async def wait_for_external_change(self) -> ExternalChange:
        """Wait until another process has changed the firewall, since the last call or since our own last change.

        The next `verify` finds every map of ours that was touched, even if its numbers are right. A backend without notices
        looks for signs of it now and then, or waits for ever.
        """

    async def counters(self) -> Mapping[Mark, Counter]:
        """Packets and octets of each source; empty without the capability `counters`."""

    async def remarks(self, sources: Sequence[SourceSlot] | None = None) -> Sequence[Remark]:
        """What an administrator should know about this firewall. Never raises: what cannot be found out is left out.

        `sources`: whose rules are to be tried, where that changes nothing; None: those of the last change.
        It does not wait for a change that is being applied.
        """

    async def gaps(self) -> Sequence[Remark]:
        """Why no ban takes effect at this moment: what is missing of our structure, after it was once written.

        Never raises: what cannot be found out is left out. It does not wait for a change that is being applied.
        """

    async def teardown(self) -> None:
        """Remove everything that banlistd has made and nothing else. No error if there is nothing."""

    async def close(self) -> None:
        """Close sockets; bans stay in place."""


class Connections(Protocol):
    """The connections that the kernel tracks."""

    async def end(self, changes: Sequence[Change], answers: Sequence[ServiceEndpoint], allowed: Ranges | None = None) -> None:
        """End those whose packets one of these changes, which are applied, bans newly; but not those with `answers`, nor of
        IPv6 sources that are `allowed` although an IPv4 address within is banned.

        Best effort: it never raises, because the bans are in force without it.
        """

    async def answering(self) -> Mapping[Family, Addresses]:
        """The addresses that hosts here or behind have connected to, and that answer; empty where that cannot be read."""
