"""Which scopes the firewall has, and under which numbers."""

from collections.abc import Awaitable, Callable, Mapping

from banlistd.core.ruleset.policy import Policy
from banlistd.core.ruleset.scoping.by_hand import scoped_slots
from banlistd.core.ruleset.scoping.numbering import numbers_of, with_scopes
from banlistd.model import Mark
from banlistd.scopes.scope import Scope


class ScopesInForce:
    """`by_hand`: the scopes of manual bans, each with the mark of its source; at first those of the policy.

    `found`: reads the numbers in the firewall, as `Firewall.scope_numbers`.
    """

    def __init__(self, found: Callable[[], Awaitable[Mapping[str, int]]], policy: Policy) -> None:
        self.by_hand: Mapping[Scope, Mark] = scoped_slots(policy)
        self._found = found
        self._numbers: Mapping[str, int] = {}

    async def numbered(self, policy: Policy, *, known: bool) -> Policy:
        """A policy with its manual bans of some packets, and numbers that no other scope in the firewall has.

        `known`: the firewall has what `note` was last called for; else it is asked. Raises FirewallError.
        """
        if not known and (self.by_hand or any(owner.scope for owner in policy.sources)):
            self._numbers = {**self._numbers, **await self._found()}
        return with_scopes(policy, self.by_hand, self._numbers)

    def note(self, policy: Policy) -> None:
        """The firewall follows this policy now."""
        self._numbers = numbers_of(policy.sources)
