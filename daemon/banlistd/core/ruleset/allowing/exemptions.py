"""What no list banned because it was allowed or protected, and from when until when. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from banlistd.core.addresses.sets import to_number
from banlistd.core.ruleset.policy import Policy
from banlistd.model import Protected, Span

CONFIGURED = "allowed by the configuration"

MOST_NOTED = 20_000
"""Exemptions of one moment: as many as hardly a configuration has, and a transaction of 0.2 s when they are new."""

ExemptionKey = tuple[Span, str, bool]
"""The addresses, the reason, and whether it was learned."""


@dataclass(frozen=True, slots=True)
class ExemptSpan:
    """Addresses (integers, both ends inclusive) that no list banned, and why. `learned`: a manual ban overrode it.

    `since`, `until`: seconds since the epoch; `until` None: still.
    """

    span: Span
    reason: str
    learned: bool
    since: float
    until: float | None = None

    @property
    def key(self) -> ExemptionKey:
        return self.span, self.reason, self.learned

    def covers(self, at: float) -> bool:
        """Whether it was in force at a moment."""
        return self.since <= at and (self.until is None or at < self.until)

    def meets(self, span: Span) -> bool:
        """Whether it has any of these addresses."""
        family, first, last = self.span
        return family is span[0] and first <= span[2] and span[1] <= last

    def contains(self, span: Span) -> bool:
        """Whether it has all of these addresses."""
        family, first, last = self.span
        return family is span[0] and first <= span[1] and span[2] <= last


def exemption_keys(policy: Policy, protected: Sequence[Protected]) -> Sequence[ExemptionKey]:
    """What is exempt under a policy; an address from which only answers pass is banned otherwise, and is none."""
    return [*islice(dict.fromkeys(_keys(policy, protected)), MOST_NOTED)]


def _keys(policy: Policy, protected: Sequence[Protected]) -> Iterator[ExemptionKey]:
    for item in protected:
        if not item.answers:
            yield item.span, item.reason, item.learned
    for family, ranges in policy.allowed.items():
        for first, last in zip(ranges.first, ranges.last, strict=True):
            yield (family, to_number(first), to_number(last)), CONFIGURED, False


@dataclass(frozen=True, slots=True)
class ExemptionChange:
    """What has come, and what has ended."""

    come: tuple[ExemptSpan, ...]
    ended: tuple[ExemptSpan, ...]


def exemption_change(known: Mapping[ExemptionKey, ExemptSpan], keys: Sequence[ExemptionKey], now: float) -> ExemptionChange:
    """What changes at a moment (seconds since the epoch) from what was known to what is exempt now."""
    present = set(keys)
    come = tuple(ExemptSpan(*key, now) for key in keys if key not in known)
    ended = tuple(replace(one, until=now) for key, one in known.items() if key not in present)
    return ExemptionChange(come, ended)
