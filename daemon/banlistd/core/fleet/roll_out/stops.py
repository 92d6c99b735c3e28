"""Which version of a list a hub publishes while one is in question, and what a refusal or an order changes. Pure.

A version is a content, by its hash. `known` is what was published of a list, the newest first, each content once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

DIGITS = 16
"""Of a content hash, where a hub signs which versions are withdrawn."""

MOST_QUESTIONED = 16
"""Versions of a list: as many contents as a hub has deltas from. Of more the oldest are forgotten."""

MOST_BACK = 4
"""Published versions that a list goes back over on the word of canaries: a few that came while one looked. Who has stolen a
canary could go back to any version of old else; beyond, the newest stays, and an operator decides.
"""


_COMPARING = frozenset({"grown", "shrunk", "turnover", "narrowed"})
"""Guards that compare with what a canary has in force."""

LARGEST_LEARNT = 2**52
"""Of the numbers of changes. With a stolen key any may be signed, and half of what JSON and SQLite take is left for our own."""

FOR_THE_CANARY_ALONE = _COMPARING | {"health"}
"""With its firewall: a version that the list has gone back to meets them because of what the canary has taken meanwhile."""


@dataclass(frozen=True, slots=True)
class Questioner:
    """Who stops a list, and why. `node`: a canary; empty: an operator, `uid`, if that is known. `guard`: of the canary."""

    node: str = ""
    uid: int | None = None
    guard: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class QuestionedVersion:
    """`content_hash`: only its digits, where no more is known. `at`: seconds since the epoch. `is_cleared`: an operator has
    released it, and no canary stops it again.
    """

    content_hash: str
    at: float
    by: Questioner
    is_cleared: bool = False

    @property
    def digits(self) -> str:
        return self.content_hash[:DIGITS]


@dataclass(frozen=True, slots=True)
class ListStop:
    """Nothing newer of the list is published since then. `kept`: the version that is; empty: the newest one that was."""

    since: float
    by: Questioner
    kept: str = ""


@dataclass(frozen=True, slots=True)
class RollOutState:
    """Of one list. `stop` None: what is completed is published. `questioned`: the newest first. `number`: of its changes, which
    is signed beside each version: where a hub has a lower one, its database is older than what it has published. `signed`: the
    highest one that was signed.
    """

    stop: ListStop | None = None
    questioned: tuple[QuestionedVersion, ...] = ()
    number: int = 0
    signed: int = 0

    @property
    def bad(self) -> frozenset[str]:
        """Digits of the versions that are in question, and were not released."""
        return frozenset(one.digits for one in self.questioned if not one.is_cleared)

    def question_of(self, version: str) -> QuestionedVersion | None:
        """Who put it in question, and why; None where it is not in question, or was released."""
        return next((one for one in self.questioned if one.digits == version[:DIGITS] and not one.is_cleared), None)


UNTOUCHED = RollOutState()


@dataclass(frozen=True, slots=True)
class SignedStop:
    """What a hub signs beside a version. `number`: as above. `withdrawn`: digits, sorted, of versions that
    nodes which wait with one must not take any more.
    """

    number: int = 0
    is_stopped: bool = False
    withdrawn: tuple[str, ...] = ()


NO_STOP = SignedStop()
_AS_PUBLISHED = Questioner(reason="so it was when it was published last")


def is_of_the_list(guard: str, base: str, known: Sequence[str]) -> bool:
    """Whether a refusal says something about a version. It does not where a guard compares it with what is not among the last
    ones that were published: the canary was away for long.
    """
    return guard not in _COMPARING or base in known


def after_refusals(
    state: RollOutState, known: Sequence[str], refusals: Iterable[tuple[str, Questioner]], now: float
) -> tuple[RollOutState, tuple[QuestionedVersion, ...]]:
    """What follows from all that a canary refuses of a list, each version with its guard and reason; and which count.

    A version that was never published, or that was decided about before, stops nothing. Neither does the one that the list has
    gone back to, where the guard is one of `FOR_THE_CANARY_ALONE`. They count together, so that their order does not matter.
    """
    decided = {one.digits for one in state.questioned}
    kept = state.stop.kept if state.stop else ""
    new = {
        one: QuestionedVersion(one, now, by)
        for one, by in refusals
        if one in known and one[:DIGITS] not in decided and not (one == kept and by.guard in FOR_THE_CANARY_ALONE)
    }
    if not new:
        return state, ()
    count = tuple(new.values())
    return _after(state, known[: MOST_BACK + 1], count, now), count


def after_order(state: RollOutState, known: Sequence[str], versions: Iterable[str], by: Questioner, now: float) -> RollOutState:
    """What follows from an order to stop a list and to withdraw these versions, maybe none."""
    return _after(state, known, [QuestionedVersion(one, now, by) for one in versions], now, by)


def ordered(state: RollOutState, known: Sequence[str]) -> Sequence[str]:
    """What an order withdraws that names no version: the newest, unless the list has gone back already."""
    return () if state.stop is not None and state.stop.kept else known[:1]


def after_completion(state: RollOutState, known: Sequence[str], completed: str, now: float) -> RollOutState | None:
    """What follows from an import at the hub; None: nothing. A version in question that comes again stops the list again, by
    the one who put it in question: a feed that is poisoned may give it in turn with a good one.
    """
    again = state.question_of(completed)
    if state.stop is not None or again is None:
        return None
    # What is published is not in question, and a second order does not mean it.
    kept = _kept("", known, state.bad) or "".join(known[:1])
    return replace(state, stop=ListStop(now, again.by, kept))


def after_publication(state: RollOutState, known: Sequence[str], now: float) -> RollOutState | None:
    """What follows from what is published now; None: nothing. A version that was on its way while the list went back to another
    one is in question like those before it.
    """
    stop, newest = state.stop, "".join(known[:1])
    if stop is None or not stop.kept or newest in {"", stop.kept} or stop.kept not in known:
        return None
    if any(one.digits == newest[:DIGITS] for one in state.questioned):
        return None
    return _after(state, known, [QuestionedVersion(newest, now, stop.by)], now)


def after_learning(state: RollOutState, known: Sequence[str], signed: SignedStop, now: float) -> RollOutState | None:
    """What follows from what a hub has published, where that is newer than its database; None: nothing. The database was
    replaced, or is a copy from before, or another hub has published. What that one says counts; a stop that was given here and
    never signed stays, and goes back over nothing.
    """
    if signed.number > LARGEST_LEARNT:
        return None
    if signed.number <= state.number:
        is_new = signed.number == state.number and state.signed < signed.number
        return replace(state, signed=signed.number) if is_new else None
    full = {one[:DIGITS]: one for one in known}
    at = {one.digits: replace(one, is_cleared=False) for one in state.questioned}
    gone = tuple(at.get(one, QuestionedVersion(full.get(one, one), now, _AS_PUBLISHED)) for one in signed.withdrawn)
    others = (one for one in state.questioned if one.digits not in signed.withdrawn)
    questioned = (*gone, *others)[:MOST_QUESTIONED]
    if signed.is_stopped:
        by = state.stop.by if state.stop else gone[0].by if gone else _AS_PUBLISHED
        since = state.stop.since if state.stop else now
        return RollOutState(ListStop(since, by, "".join(known[:1]) if gone else ""), questioned, signed.number, signed.number)
    stop = replace(state.stop, kept="") if state.stop and state.signed < state.number else None
    return RollOutState(stop, questioned, signed.number + (stop is not None), signed.number)


def _after(
    state: RollOutState, known: Sequence[str], new: Sequence[QuestionedVersion], now: float, by: Questioner | None = None
) -> RollOutState:
    """`by`: who stops the list; None: the first who puts a version in question."""
    digits = {one.digits for one in new}
    others = (one for one in state.questioned if one.digits not in digits)
    after = replace(state, questioned=(*new, *others)[:MOST_QUESTIONED])
    stop = state.stop or ListStop(now, by or new[0].by)
    return replace(after, stop=replace(stop, kept=_kept(stop.kept, known, after.bad)))


def _kept(before: str, known: Sequence[str], bad: frozenset[str]) -> str:
    if before and before[:DIGITS] not in bad:
        return before
    if not known or known[0][:DIGITS] not in bad:
        return ""
    # Without an earlier one the newest stays: there is nothing to go back to.
    return _first_good(known, bad)


def _first_good(known: Sequence[str], bad: frozenset[str]) -> str:
    return next((one for one in known if one[:DIGITS] not in bad), "")


def after_release(state: RollOutState, completed: str) -> RollOutState:
    """The list is published again. `completed`: its content at the hub, which counts as good from now on."""
    questioned = (replace(one, is_cleared=True) if one.digits == completed[:DIGITS] else one for one in state.questioned)
    return replace(state, stop=None, questioned=tuple(questioned))


def after_suspension(state: RollOutState, known: Sequence[str], node: str) -> RollOutState | None:
    """What follows where a canary is not believed any more; None: nothing. What it alone has put in question is not, so that no
    feed which gives that again stops the list; a stop stays until its release.
    """
    left = tuple(one for one in state.questioned if one.by.node != node or one.is_cleared)
    if left == state.questioned:
        return None
    after = replace(state, questioned=left)
    if state.stop is None or (known and known[0][:DIGITS] in after.bad):
        return after
    return replace(after, stop=replace(state.stop, kept=""))


def next_version(state: RollOutState, known: Sequence[str], completed: str) -> str:
    """What is to be published in place of the newest one that was; empty: that stays. `completed`: empty where nothing is."""
    kept = state.stop.kept if state.stop else ""
    if kept and kept not in {*known, completed}:
        # The folder is older than the database, say.
        kept = _first_good(known[: MOST_BACK + 1], state.bad)
    wanted = kept if state.stop else completed
    return "" if [wanted] == [*known[:1]] else wanted


def signed_stop(state: RollOutState, published: str) -> SignedStop:
    """What a hub signs beside a version."""
    return SignedStop(state.number, state.stop is not None, tuple(sorted(state.bad - {published[:DIGITS]})))
