"""Remote logins as values: who is remembered, for how long, and what is protected for it. Pure."""

from collections.abc import Collection, Mapping, Sequence

from banlistd.model import Family, Login, Protected

Remote = tuple[Family, int]
"""A family and an address as an integer."""

REMEMBERED = 30 * 86_400.0
"""Seconds for which an address stays protected after its last session was seen."""

MAX_LOGINS = 1000

CURRENT, EARLIER = "remote session", "earlier remote session"


def note_logins(known: Mapping[Remote, Login], current: Collection[Remote], now: float) -> Mapping[Remote, Login]:
    """What is remembered after a look at the sessions of this moment (seconds since the epoch); of too many the newest."""
    seen = {remote: Login(*remote, known[remote].since if remote in known else now, now) for remote in current}
    kept = [login for login in known.values() if login.last_seen > now - REMEMBERED and login.remote not in seen]
    newest = [*seen.values(), *sorted(kept, key=lambda login: -login.last_seen)][:MAX_LOGINS]
    return {login.remote: login for login in newest}


def protection_of_logins(known: Mapping[Remote, Login], current: Collection[Remote]) -> Sequence[Protected]:
    """What is protected for the logins that are remembered, those of this moment included."""
    return [
        Protected(
            login.family,
            login.address,
            login.address,
            CURRENT if login.remote in current else EARLIER,
            learned=True,
            since=login.since,
            until=None if login.remote in current else login.last_seen + REMEMBERED,
        )
        for login in known.values()
    ]
