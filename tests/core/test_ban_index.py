"""The index is always what the bans themselves say, and a change costs no look at the others."""

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banlistd.core.manual import ban_index
from banlistd.core.manual.ban_draft import BanDraft
from banlistd.core.manual.ban_index import BanIndex, age_of
from banlistd.core.manual.manual_bans import addresses_of, read_place
from banlistd.core.ruleset.scoping.by_hand import scoped_contents
from banlistd.errors import UsageError
from banlistd.model import BanKey, Family, ManualBan
from banlistd.scopes.scope import Scope

NOW = 1_000.0


def ban(first: int, last: int | None = None, **values: object) -> ManualBan:
    given: dict[str, object] = {"origin": "a", "comment": "", "created_at": 1.0, "expires_at": None, "family": Family.IPV4}
    return ManualBan(first=first, last=first if last is None else last, **given | values)  # type: ignore[arg-type]


bans = st.builds(
    lambda first, width, **values: ban(first, first + width, **values),
    st.integers(0, 40),
    st.sampled_from([0, 0, 0, 3]),
    family=st.sampled_from(Family),
    origin=st.sampled_from(["a", "b", "c"]),
    created_at=st.sampled_from([1.0, 2.0, 3.0]),
    expires_at=st.sampled_from([None, 500.0, NOW, 2000.0]),
    scope=st.sampled_from([None, None, Scope(ports=((22, 22),)), Scope(only_new=True)]),
)
changes = st.lists(st.tuples(st.lists(bans, max_size=6), st.lists(bans, max_size=6)), max_size=8)


def assert_is(index: BanIndex, known: dict[BanKey, ManualBan]) -> None:
    ordered = sorted(known.values(), key=age_of)
    assert len(index) == len(known)
    assert list(index.oldest_first()) == ordered
    in_force = [one for one in reversed(ordered) if one.in_force(NOW)]
    assert list(index.newest_first(None, 1000, NOW)) == in_force
    pages, place = list[ManualBan](), None
    while page := index.newest_first(place, 2, NOW):
        pages += page
        place = age_of(page[-1])
    assert pages == in_force
    assert set(index.ended(NOW)) == {one for one in known.values() if not one.in_force(NOW)}
    assert index.next_end() == min((one.expires_at for one in known.values() if one.expires_at is not None), default=None)
    assert index.addresses() == addresses_of(known.values())
    assert index.scoped() == {key: one for key, one in known.items() if one.scope is not None}
    assert index.scoped_addresses() == scoped_contents(known.values())
    assert index.scopes() == Counter(one.scope for one in known.values() if one.scope is not None)
    for origin in "abc":
        assert index.count_of(origin) == sum(one.origin == origin for one in known.values())
        assert set(index.keys_of(None, origin)) == {key for key in known if key[3] == origin}
    for number in (0, 7, 41):
        inside = [one for one in ordered if one.family is Family.IPV4 and one.first <= number <= one.last]
        assert list(index.containing(Family.IPV4, number)) == inside


@given(changes, st.sampled_from([0, 256]))
@settings(max_examples=200)
def test_an_index_is_what_its_bans_say(steps: list[tuple[list[ManualBan], list[ManualBan]]], many: int) -> None:
    before, ban_index._MANY = ban_index._MANY, many
    try:
        index, known = BanIndex(()), dict[BanKey, ManualBan]()
        for come, go in steps:
            index.change(come, [one.key for one in go])
            for one in go:
                known.pop(one.key, None)
            known |= {one.key: one for one in come}
            assert_is(index, known)
        assert_is(BanIndex(known.values()), known)
    finally:
        ban_index._MANY = before


def test_a_draft_changes_nothing_until_it_is_taken_over() -> None:
    old, other, ending = ban(1), ban(2, origin="b"), ban(3, expires_at=NOW)
    index = BanIndex([old, other, ending])
    draft = BanDraft(index)
    draft.put(fresh := ban(4))
    assert [draft.count_of(origin) for origin in ("a", "b")] == [3, 1]
    assert list(draft.lift(None, "a")) == [old, ending, fresh]
    assert list(draft.lift((Family.IPV4, 1, 1), None)) == []
    draft.put(again := ban(1, comment="again"))
    assert draft.run_out(NOW) == []
    assert (draft.get(old.key), draft.get(other.key), draft.count_of("a")) == (again, other, 1)
    assert draft.changes() == ([again], [ending.key])
    assert_is(index, {one.key: one for one in (old, other, ending)})
    index.change(*draft.changes())
    assert_is(index, {one.key: one for one in (again, other)})


def test_lifting_names_exactly_what_was_banned() -> None:
    one = ban(0xC0000200, 0xC00002FF, origin="fail2ban/sshd")
    index = BanIndex([one])
    assert list(index.keys_of(one.span, None)) == [one.key]
    assert list(index.keys_of(one.span, "fail2ban/sshd")) == [one.key]
    assert list(index.keys_of(one.span, "operator")) == []
    assert list(index.keys_of((Family.IPV4, 0xC0000200, 0xC0000200), None)) == []
    assert list(index.keys_of(None, "operator")) == []


def test_a_change_looks_at_no_other_ban() -> None:
    class Watched(ManualBan):
        looks = 0

        def in_force(self, now: float) -> bool:
            Watched.looks += 1
            return super().in_force(now)

    many = [Watched(Family.IPV4, 3 * n, 3 * n, "a", "", float(n), NOW + n + 1) for n in range(20_000)]
    random.Random(1).shuffle(many)
    index = BanIndex(many)
    Watched.looks = 0
    for number in range(100):
        draft = BanDraft(index)
        draft.put(ban(1_000_000 + number, created_at=NOW))
        assert not draft.run_out(NOW)
        index.change(*draft.changes())
    index.newest_first(None, 50, NOW)
    assert Watched.looks <= 50
    hosts = index.addresses().hosts4.tolist()
    assert len(hosts) == 20_100
    assert all(low < high for low, high in pairwise(hosts))


def test_a_ban_of_some_packets_looks_at_no_other_ban() -> None:
    class Watched(ManualBan):
        looks = 0

        def __getattribute__(self, name: str) -> object:
            if name == "scope":
                Watched.looks += 1
            return super().__getattribute__(name)

    scope, other = Scope(ports=((22, 22),)), Scope(only_new=True)
    index = BanIndex([Watched(Family.IPV4, 3 * n, 3 * n, "a", "", float(n), None, scope=scope) for n in range(20_000)])
    Watched.looks = 0
    for number in range(100):
        draft = BanDraft(index)
        assert draft.scopes() == {scope}
        draft.put(ban(1_000_000 + number, scope=scope))
        draft.put(ban(2_000_000 + number, scope=other))
        assert draft.scopes() == {scope, other}
        index.change(*draft.changes())
        assert index.scoped_addresses().keys() == {scope, other}
        index.change([], [(Family.IPV4, 2_000_000 + number, 2_000_000 + number, "a")])
    assert Watched.looks == 0
    assert len(index.scoped_addresses()[scope].hosts4) == 20_100


def test_a_place_is_read_as_it_is_written() -> None:
    one = ban(0xC0000200, 0xC00002FF, origin="fail2ban/sshd", created_at=1_790_000_000.123)
    assert read_place("1790000000.123|192.0.2.0/24|fail2ban/sshd") == age_of(one)
    for wrong in ("", "1|2", "x|192.0.2.1|a", "1|nowhere|a"):
        with pytest.raises(UsageError, match="names no ban"):
            read_place(wrong)
