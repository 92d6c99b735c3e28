"""Content that must not reach the firewall, and why. Each guard looks at one thing; the first that refuses is named."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from banlistd.core.addresses.comparison import SHOWN
from banlistd.core.addresses.sets import WIDTHS, from_numbers, to_text
from banlistd.core.config.model import Source
from banlistd.core.feeds.completeness import Announced
from banlistd.core.feeds.critical import CriticalReference
from banlistd.core.feeds.extent import FEW, AcceptedSizes, Extent, Size, percent
from banlistd.core.feeds.parsed_list import ParsedList
from banlistd.core.printing import counted
from banlistd.model import Action, Family, Outcome, OutcomeKind, Refusal

HOLD = "hold"
"""A version of a fleet's list that waits until others have tried it; no other refusal says nothing against the content."""

SHRUNK = "shrunk"
TURNOVER = "turnover"

NO_LIST = frozenset({"html", "unparseable", "empty"})
"""Guards that refuse what is no list at all."""

SETTLING = frozenset({SHRUNK, TURNOVER})
"""What these refuse is accepted once it stays so (`accept_shrink_after`)."""

NOTABLE4 = 2**20
"""Addresses, a /12; a list's share of the space may jump by less, as when a list of single addresses gains its first /16."""

NOTABLE6 = 2**28
"""/48s, a /20: the same for IPv6, of whose allocated space it is about as large a part."""


ALLOWED4, ALLOWED6 = 2**12, 2**16
"""Of an allow list: a /20 and a /32. What it gains by mistake is open, so its growth counts much earlier."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """What a guard looks at. `before`: the size of the last good content. `past`: it, and what came in the 30 days before.

    `replaced`: the share of the list that is replaced at once. `displaced`: what was replaced in other steps, within 30 days.
    `said`: what the list says itself; `missing`: why it is not whole. `critical`: the critical addresses in it, where they are
    a reason to refuse it. `passed`: of a source with `only`, what was let through with the last good content, if there is one,
    and what is with this one.
    """

    source: Source
    parsed: ParsedList
    extent: Extent
    before: Extent | None
    past: AcceptedSizes | None
    replaced: float
    displaced: float
    had_end_count: bool
    said: Announced | None
    missing: str
    critical: Sequence[CriticalReference]
    passed: Sequence[Size] = ()


Guard = Callable[[Candidate], str]
"""Returns the reason to refuse, or an empty string."""


_TITLE = re.compile("<title[^>]*>([^<]+)", re.IGNORECASE)


def _html(one: Candidate) -> str:
    if not (one.source.guards.html and one.parsed.is_html):
        return ""
    lines = [sample.text for sample in one.parsed.samples if sample.line]
    titles = [found[1] for line in lines if (found := _TITLE.search(line))]
    what = next(iter([*titles, *lines]), "")
    # A server may answer with the key that it was asked with.
    return "the answer is a web page, not a list" + (f": {what}" if what and not one.source.is_confidential else "")


def _unparseable(one: Candidate) -> str:
    parsed = one.parsed
    if not parsed.rejected or parsed.rejected <= one.source.guards.unparseable * (parsed.rejected + parsed.entries):
        return ""
    first = f", the first is line {parsed.samples[0].line}" if parsed.samples else ""
    # A server may answer with the key that it was asked with.
    first += f": {parsed.samples[0].text}" if first and not one.source.is_confidential else ""
    lines, others = counted(parsed.rejected, "line holds", "lines hold"), counted(parsed.entries, "does", "do")
    return f"{lines} no address and only {others}{first}"


def _truncated(one: Candidate) -> str:
    if not one.source.guards.truncated or one.missing:
        return one.missing
    # A publisher may give the line up; then the list is as long as before, or soon is again.
    shorter = one.before is not None and one.extent.size.entries < one.before.size.entries
    if one.had_end_count and shorter and (one.said is None or not one.said.at_end):
        return "the line at its end that counts the entries is missing, and the list is shorter than the last one"
    return ""


def _empty(one: Candidate) -> str:
    if one.source.allow_empty:
        return ""
    if not one.parsed.entries:
        return "the list is empty; say allow_empty: true if that may be"
    if one.before is not None and one.before.size.entries and not one.extent.size.entries:
        all_of = "" if one.parsed.entries == 1 else "all of "
        entries = counted(one.parsed.entries, "entry is", "entries are")
        return f"{all_of}its {entries} reserved or allowed, so nothing would be banned"
    return ""


def _critical(one: Candidate) -> str:
    found = [reference.text for reference in one.critical]
    more = ", ..." if len(found) > SHOWN else ""
    return f"it holds {', '.join(found[:SHOWN])}{more} (guards: critical)" if found else ""


def _wide(one: Candidate) -> str:
    for family, prefix in ((Family.IPV4, one.source.guards.widest4), (Family.IPV6, one.source.guards.widest6)):
        first, last = one.extent.widest[family]
        if last - first >= 2 ** (WIDTHS[family] - prefix):
            low, high = (to_text(family, from_numbers(family, [end])[0]) for end in (first, last))
            key = "widest4" if family is Family.IPV4 else "widest6"
            return f"{low} - {high} is wider than a /{prefix} (guards: {key})"
    return ""


def _share(one: Candidate) -> str:
    for family, name in ((Family.IPV4, "IPv4"), (Family.IPV6, "IPv6")):
        share, most = one.extent.shares[family], one.source.guards.share
        if share > most:
            return f"it covers {percent(share)} of the {name} space, more than {percent(most)} (guards: share)"
    return ""


def _grown(one: Candidate) -> str:
    past, now, most = one.past, one.extent.size, one.source.guards.grow
    if past is None:
        return ""
    notable4, notable6 = (ALLOWED4, ALLOWED6) if one.source.action is Action.ALLOW else (NOTABLE4, NOTABLE6)
    for what, count, least, largest, notable in (
        ("entries", now.entries, past.fewest, past.most, 0),
        ("addresses", now.addresses4, past.least4, past.most4, notable4),
        ("/48s", now.networks6, past.least6, past.most6, notable6),
    ):
        if least is not None and count > largest and count - least > notable and count > least * (1 + most):
            return f"{_compared(what, count, least, one)}, grown by more than {percent(most)} (guards: grow)"
    return ""


def _shrunk(one: Candidate) -> str:
    past, now, most = one.past, one.extent.size, one.source.guards.shrink
    if past is None or (one.source.allow_empty and not one.parsed.entries):
        return ""
    last = _counts(one.before.size) if one.before is not None else {}
    for what, count, largest, notable in (
        ("entries", now.entries, past.most if past.most >= FEW else 0, 0),
        ("addresses", now.addresses4, past.most4, NOTABLE4),
        ("/48s", now.networks6, past.most6, NOTABLE6),
    ):
        # A list that is growing again after it was empty, which it may be, is not shrunk.
        is_less = count < last.get(what, largest)
        if is_less and largest - count > notable and count < largest * (1 - most):
            return f"{_compared(what, count, largest, one)}, shrunk by more than {percent(most)} (guards: shrink)"
    return ""


def _narrowed(one: Candidate) -> str:
    """A database that has lost a part of itself would shut out those who are wanted."""
    most = one.source.guards.shrink
    for was, now in zip(one.passed, one.passed[1:], strict=False):
        for what, before, after in (("addresses", was.addresses4, now.addresses4), ("/48s", was.networks6, now.networks6)):
            if after < before * (1 - most):
                lets = f"it lets through {counted(after, _ONE[what], what)} where it let through {before:,}"
                return f"{lets}, fewer by more than {percent(most)} (guards: shrink)"
    return ""


_ONE = {"entries": "entry", "addresses": "address", "/48s": "/48"}


def _counts(size: Size) -> Mapping[str, int]:
    return {"entries": size.entries, "addresses": size.addresses4, "/48s": size.networks6}


def _compared(what: str, count: int, was: int, one: Candidate) -> str:
    is_last = one.before is not None and _counts(one.before.size)[what] == was
    return (
        f"{counted(count, _ONE[what], what)} where {counted(was, 'was', 'were')}{'' if is_last else ' within the last 30 days'}"
    )


def _turnover(one: Candidate) -> str:
    most, before = one.source.guards.turnover, one.past.replaced if one.past else 0.0
    if one.displaced > most:
        return f"more than {percent(most)} of the list were replaced in steps within the last 30 days (guards: turnover)"
    if not one.replaced or before + one.replaced <= most:
        return ""
    earlier = f", after {percent(before)} within the last 30 days" if before else ""
    return f"{percent(one.replaced)} of the list are replaced at once{earlier}, more than {percent(most)} (guards: turnover)"


def _held(one: Candidate) -> str:
    seconds = one.parsed.held_for
    return f"the version is new, and is taken in {counted(seconds, 'second', 'seconds')} (hold)" if seconds else ""


# The order is that of certainty. A list that is only shrunk is accepted after a time, so that guard comes last: a list that is
# empty, cut or a web page as well is refused for that. The same is true of one that is replaced at once.
GUARDS: Mapping[str, Guard] = {
    "html": _html,
    "unparseable": _unparseable,
    "truncated": _truncated,
    "empty": _empty,
    "critical": _critical,
    "wide": _wide,
    "share": _share,
    "narrowed": _narrowed,
    "grown": _grown,
    SHRUNK: _shrunk,
    TURNOVER: _turnover,
    HOLD: _held,
}


def first_refusal(candidate: Candidate) -> Refusal | None:
    """The refusal of the first guard that has a reason; None if the content may pass."""
    refusals = (Refusal(name, reason) for name, guard in GUARDS.items() if (reason := guard(candidate)))
    return next(refusals, None)


def waits(outcome: Outcome) -> bool:
    """Whether a poll ended with a version that waits: no other refusal says for how long (`ttl`)."""
    return outcome.kind is OutcomeKind.REFUSED and outcome.ttl is not None
