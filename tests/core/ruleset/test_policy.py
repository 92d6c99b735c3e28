"""The policy hash changes with everything that decides what is banned, and with nothing else."""

import datetime as dt
from ipaddress import ip_address
from typing import Any

import pytest

from banlistd.core.addresses.sets import from_numbers
from banlistd.core.config.model import Config, Source
from banlistd.core.config.sections.allow import AllowEntry
from banlistd.core.ruleset.policy import Policy, policy_of, slot_row, unread
from banlistd.formats import Format, FormatType
from banlistd.model import Action, Direction, Family, Mark, SourceId

ONE, TWO = SourceId("one"), SourceId("two")
MARKS = {ONE: Mark(1), TWO: Mark(2)}
NOON = dt.datetime(2030, 6, 1, 12, tzinfo=dt.UTC)


def source(source_id: SourceId, **keys: Any) -> Source:
    return Source(**{"id": source_id, "url": "https://lists.example/", **keys})


def allow(first: str, last: str | None = None, until: dt.date | None = None, comment: str = "") -> AllowEntry:
    return AllowEntry(first=ip_address(first), last=ip_address(last or first), until=until, comment=comment)


def policy(*sources: Source, allowed: tuple[AllowEntry, ...] = (), at: dt.datetime = NOON) -> Policy:
    return policy_of(Config(sources=sources, allow=allowed), MARKS, at.timestamp())


def lets_pass(of: Policy, text: str) -> bool:
    address = ip_address(text)
    family = Family.IPV4 if address.version == 4 else Family.IPV6
    needle = from_numbers(family, [int(address)])
    passes, never_banned = bool(of.allowed[family].contains(needle)[0]), bool(of.never_banned[family].contains(needle)[0])
    assert never_banned or not passes, "whatever is allowed is barred from being banned"
    return passes


BASE = policy(source(ONE), source(TWO))


@pytest.mark.parametrize(
    "other",
    [
        policy(source(TWO), source(ONE)),
        policy(source(ONE)),
        policy(source(ONE), source(TWO, enabled=False)),
        policy(source(ONE, action=Action.REJECT), source(TWO)),
        policy(source(ONE, direction=Direction.BOTH), source(TWO)),
        policy(source(ONE, log=True), source(TWO)),
        policy(source(ONE, log=True, log_group=4), source(TWO)),
        policy(source(ONE, hits=True), source(TWO)),
        policy(source(ONE, allow_empty=True), source(TWO)),
        policy(source(ONE), source(TWO), allowed=(allow("192.0.2.1"),)),
        policy(source(ONE), source(TWO), allowed=(allow("2001:db8::", "2001:db8::ffff"),)),
    ],
    ids=[
        "order",
        "one less",
        "one disabled",
        "action",
        "direction",
        "log",
        "log group",
        "hits",
        "guards",
        "allowed v4",
        "allowed v6",
    ],
)
def test_what_decides_what_is_banned_changes_the_hash(other: Policy) -> None:
    assert other.hash != BASE.hash


@pytest.mark.parametrize(
    "keys",
    [
        {"url": "https://mirror.example/"},
        {"every": 60.0},
        {"timeout": 5.0},
        {"max_bytes": 10},
        {"comment": "theirs"},
        {"headers": {"authorization": "secret"}},
        {"format": Format(FormatType.CSV, columns=("1",))},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_how_a_list_is_had_does_not_change_the_hash(keys: dict[str, Any]) -> None:
    assert policy(source(ONE, **keys), source(TWO)).hash == BASE.hash


def test_an_allow_entry_counts_by_its_addresses_not_by_how_it_is_written() -> None:
    whole = policy(source(ONE), allowed=(allow("192.0.2.0", "192.0.2.255"),))
    halves = policy(
        source(ONE), allowed=(allow("192.0.2.128", "192.0.2.255", comment="upper"), allow("192.0.2.0", "192.0.2.127"))
    )
    assert whole.hash == halves.hash


def test_one_allowed_range_more_is_not_taken_for_one_barred_range_more() -> None:
    """10.1.2.3 is reserved and so barred anyway; to allow it is still another policy, because then it passes first."""
    assert policy(source(ONE), allowed=(allow("10.1.2.3"),)).hash != policy(source(ONE)).hash


def test_policy_has_the_enabled_sources_in_order() -> None:
    of = policy(source(TWO, action=Action.LOG, direction=Direction.OUT), source(ONE, enabled=False))
    (owner,) = of.sources
    assert (owner.mark, owner.source_id, owner.action, owner.direction) == (2, TWO, Action.LOG, Direction.OUT)
    assert of.owner(TWO) is owner
    assert of.owner(ONE) is None


@pytest.mark.parametrize(
    ("until", "passes"),
    [
        (None, True),
        (dt.date(2030, 6, 1), True),  # a day counts to its end
        (dt.date(2030, 5, 31), False),
        (NOON + dt.timedelta(seconds=1), True),
        (NOON, False),
    ],
    ids=str,
)
def test_an_allow_entry_that_has_run_out_is_out(until: dt.date | None, *, passes: bool) -> None:
    of = policy(source(ONE), allowed=(allow("192.0.2.1", until=until),))
    assert lets_pass(of, "192.0.2.1") is passes
    assert (of.hash == policy(source(ONE)).hash) is not passes


def test_allowed_addresses_are_barred_and_reserved_ones_are_not_allowed() -> None:
    of = policy(source(ONE), allowed=(allow("192.0.2.1"), allow("2001:db8::1")))
    assert lets_pass(of, "192.0.2.1")
    assert lets_pass(of, "2001:db8::1")
    assert not lets_pass(of, "192.0.2.2")
    assert not lets_pass(of, "127.0.0.1")
    assert of.never_banned[Family.IPV4].contains(from_numbers(Family.IPV4, [int(ip_address("127.0.0.1"))])).all()


def test_the_hash_is_sixteen_hexadecimal_digits() -> None:
    assert len(BASE.hash) == 16
    int(BASE.hash, 16)


def test_only_enabled_sources_without_a_run_are_unread() -> None:
    config = Config(sources=(source(ONE), source(TWO), source(SourceId("off"), enabled=False)))
    assert unread(config, {ONE: object()}) == [TWO]
    assert unread(config, {ONE, TWO}) == []


def test_equal_scopes_have_one_number_and_another_scope_has_another_hash() -> None:
    ports = {"ports": ((22, 22),)}
    marks = {**MARKS, SourceId("three"): Mark(3)}
    sources = (source(ONE, **ports), source(TWO, protocols=("icmp",)), source(SourceId("three"), **ports))
    found = policy_of(Config(sources=sources), marks, NOON.timestamp())
    assert [owner.scope_number for owner in found.sources] == [1, 2, 1]
    assert found.sources[0].scope == found.sources[2].scope != found.sources[1].scope
    scoped, other = policy(source(ONE, **ports), source(TWO)), policy(source(ONE, ports=((23, 23),)), source(TWO))
    assert len({scoped.hash, other.hash, BASE.hash}) == 3


def test_a_slot_that_neither_logs_nor_samples_is_written_as_before() -> None:
    slots = policy(source(ONE), source(TWO, log=True, log_group=4, hits=True)).sources
    assert [len(slot_row(slot)) for slot in slots] == [5, 7]


@pytest.mark.parametrize(
    ("keys", "log"),
    [
        ({}, None),
        ({"log": True}, 0),
        ({"log": True, "log_group": 5}, 5),
        ({"log_group": 5}, None),
        ({"action": Action.LOG}, None),
        ({"action": Action.LOG, "log_group": 5}, 5),
    ],
)
def test_where_packets_are_logged(keys: dict[str, Any], log: int | None) -> None:
    (slot,) = policy(source(ONE, **keys)).sources
    assert slot.log == log


def test_the_sources_that_act_are_the_same_object_each_time() -> None:
    once = policy(source(ONE), source(TWO, action=Action.NONE))
    assert [owner.source_id for owner in once.acting] == [ONE]
    assert once.acting is once.acting
