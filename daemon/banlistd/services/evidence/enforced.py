"""What is asked of the `Enforcer`: which sources are in the firewall, with which contents, and what it has counted."""

from collections.abc import Mapping
from typing import Protocol

from banlistd.core.feeds.content import Content
from banlistd.core.ruleset.policy import Policy
from banlistd.core.ruleset.state import FirewallState
from banlistd.model import Counter, Mark, SourceId


class Enforced(Protocol):
    policy: Policy

    @property
    def state(self) -> FirewallState | None:
        """The state of the firewall as far as it is known."""

    def content(self, source_id: SourceId) -> Content | None:
        """The content of a source that is in force."""

    async def counters(self) -> Mapping[Mark, Counter]:
        """What each source blocked. Raises FirewallError."""
