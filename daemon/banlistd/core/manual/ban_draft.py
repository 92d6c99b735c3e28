"""What the orders of one batch make of the manual bans, before any of it is written. No I/O."""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from banlistd.core.manual.ban_index import BanIndex
from banlistd.model import BanKey, ManualBan, Span
from banlistd.scopes.scope import Scope


class BanDraft:
    """What the orders of one batch make of an index, which stays as it is until they are written."""

    def __init__(self, index: BanIndex) -> None:
        self._index = index
        self._changes: dict[BanKey, ManualBan | None] = {}
        self._growth: Counter[str] = Counter()
        self._scope_growth: Counter[Scope] = Counter()
        self._of_span: dict[Span, tuple[BanKey, ...]] = {}

    def get(self, key: BanKey) -> ManualBan | None:
        return self._changes[key] if key in self._changes else self._index.get(key)

    def count_of(self, origin: str) -> int:
        return self._index.count_of(origin) + self._growth[origin]

    def scopes(self) -> AbstractSet[Scope]:
        """Those that bans have."""
        before, growth = self._index.scopes(), self._scope_growth
        return {scope for scope in before.keys() | growth.keys() if before.get(scope, 0) + growth[scope] > 0}

    def put(self, ban: ManualBan) -> None:
        key = ban.key
        before = self.get(key)
        if before is None:
            self._growth[ban.origin] += 1
        elif before.scope is not None:
            self._scope_growth[before.scope] -= 1
        if ban.scope is not None:
            self._scope_growth[ban.scope] += 1
        if key not in self._changes:
            # A tuple, because nearly every span has one ban: 100,000 dictionaries take 0.2 s.
            self._of_span[ban.span] = (*self._of_span.get(ban.span, ()), key)
        self._changes[key] = ban

    def bans_of(self, span: Span | None, origin: str | None) -> Sequence[ManualBan]:
        """What `BanIndex.keys_of` names."""
        keys = self._index.keys_of(span, origin)
        touched = self._changes if span is None else self._of_span.get(span)
        if touched:
            keys = [*dict.fromkeys((*keys, *(key for key in touched if origin in (None, key[3]))))]
        return [ban for key in keys if (ban := self.get(key)) is not None]

    def lift(self, span: Span | None, origin: str | None) -> Sequence[ManualBan]:
        """Take out what `BanIndex.keys_of` names, and return it."""
        lifted = self.bans_of(span, origin)
        for ban in lifted:
            self._growth[ban.origin] -= 1
            self._take(ban)
        return lifted

    def _take(self, ban: ManualBan) -> None:
        if ban.scope is not None:
            self._scope_growth[ban.scope] -= 1
        self._changes[ban.key] = None

    def run_out(self, now: float) -> Sequence[ManualBan]:
        """Take out what has run out, and return it; not what an order has touched."""
        ended = [ban for ban in self._index.ended(now) if ban.key not in self._changes]
        for ban in ended:
            self._take(ban)
        return ended

    def changes(self) -> tuple[Sequence[ManualBan], Sequence[BanKey]]:
        """The bans that are to be written, and the keys that are to be deleted."""
        come = [ban for key, ban in self._changes.items() if ban is not None and self._index.get(key) != ban]
        go = [key for key, ban in self._changes.items() if ban is None and self._index.get(key) is not None]
        return come, go
