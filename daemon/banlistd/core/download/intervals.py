"""How soon a list may be asked for again: what its publisher allows, and what its server asked for. Times are handed in."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from banlistd.core.config.kinds import show_duration
from banlistd.core.config.model import Source
from banlistd.core.download.retry import LONGEST_RETRY_AFTER
from banlistd.model import Remark


@dataclass(frozen=True, slots=True)
class LastRequest:
    """When a list was last asked for, and when its server wants the next request (Retry-After). None: never, or not said.

    Seconds by any one clock.
    """

    asked_at: float | None = None
    retry_at: float | None = None

    def by_another_clock(self, now: float, there: float) -> "LastRequest":
        """The same moments by a clock that shows `there` while this one shows `now`.

        A moment of a request that has not come yet shows that this clock was set back: the request counts as sent now, so that
        the next one is not early, and not later than one interval either.
        """
        asked_at = None if self.asked_at is None else there - max(now - self.asked_at, 0.0)
        left = 0.0 if self.retry_at is None else min(self.retry_at - now, LONGEST_RETRY_AFTER)
        return LastRequest(asked_at, there + left if left > 0 else None)


@dataclass(frozen=True, slots=True)
class Rest:
    """A list is not to be asked for yet: for how many seconds, and why."""

    seconds: float
    reason: str


def rest_before_next(last: LastRequest, minimum: float | None, now: float) -> Rest | None:
    """What keeps a list from being asked for now; None: nothing does. `minimum`: of its publisher, in seconds."""
    rests = []
    if minimum is not None and last.asked_at is not None:
        rests.append(Rest(last.asked_at + minimum - now, f"the publisher allows one request in {show_duration(minimum)}"))
    if last.retry_at is not None:
        rests.append(Rest(last.retry_at - now, "the server asked for this pause"))
    longest = max(rests, key=lambda rest: rest.seconds, default=None)
    return longest if longest is not None and longest.seconds > 0 else None


def download_place(source: Source) -> str:
    """A key of the place that a list is downloaded from, whatever its source is called and however the list is read."""
    return _place_of(source.urls)


def remarks_on_turns(sources: Iterable[Source]) -> Sequence[Remark]:
    """On sources that ask for the same list where its publisher limits requests: they take turns, and so come late.

    A list of which only the format or the action differs is asked for once for each source.
    """
    first: dict[str, Source] = {}
    remarks = []
    for source in sources:
        if not source.enabled or source.url is None:
            continue
        other = first.setdefault(download_place(source), source)
        minimum = max((one.minimum for one in (source, other) if one.minimum is not None), default=None)
        if other is not source and minimum is not None:
            words = f"{source.id}: it asks for the list of {other.id}, and its publisher allows one request in"
            hint = f"poll it once, and write merge: [{other.id}] in place of the url"
            remarks.append(Remark(f"{words} {show_duration(minimum)}: one of them comes late each time", hint))
    return remarks


# Metrics ask for thousands of them every minute.
@lru_cache(maxsize=8192)
def _place_of(urls: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(urls).encode()).hexdigest()[:16]
