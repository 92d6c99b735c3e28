"""Where a plan is made: a short one on the event loop, because two switches between threads would take as long, another one in
a worker thread.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ParamSpec, Protocol, TypeVar

from banlistd.core.feeds.content import Content
from banlistd.core.ruleset.policy import Policy
from banlistd.core.ruleset.state import FirewallState
from banlistd.model import Protected, SourceId

_MOST_SOURCES, _MOST_PROTECTED = 8, 64

_MOST_WORK = 50_000
"""Entries times sources. A change of such a plan takes one millisecond, and a whole one of overlapping IPv6 networks, which is
the slowest, eleven (measured)."""

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class PlanTurn(Protocol):
    """Carries out a work."""

    def __call__(
        self, work: Callable[_Parameters, _Result], /, *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> Awaitable[_Result]:
        """Its result, or what it raises."""


def turn_for(
    state: FirewallState | None, policy: Policy, contents: Mapping[SourceId, Content], protected: Sequence[Protected]
) -> PlanTurn:
    """How to plan these contents, after a plan of which the result is `state`; None: there was none."""
    is_short = len(contents) <= _MOST_SOURCES and len(protected) <= _MOST_PROTECTED
    return _here if is_short and _entries(state, policy, contents) * len(contents) <= _MOST_WORK else asyncio.to_thread


def _entries(state: FirewallState | None, policy: Policy, contents: Mapping[SourceId, Content]) -> int:
    exempt = (*policy.never_banned.values(), *policy.allowed.values())
    return len(state or ()) + sum(len(one.addresses) for one in contents.values()) + sum(map(len, exempt))


async def _here(work: Callable[_Parameters, _Result], /, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
    return work(*args, **kwargs)
