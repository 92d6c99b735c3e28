"""What the parts of the ipset backend decide, without a kernel: differences, what is gathered, rules, what iptables says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.firewalls.holdings import ALPHA, BETA, BOTH, COUNTED, HOSTS4, LOGGED, NETS4, addresses, change_of, owner, state
from banlistd.adapters.firewalls.ipset.changing import plan_of
from banlistd.adapters.firewalls.ipset.entries import Entries, delta_of, entries_of
from banlistd.adapters.firewalls.ipset.iptables import counters_of, parse_saved, rule_lines, script
from banlistd.adapters.firewalls.ipset.record import Filled, Record
from banlistd.adapters.firewalls.ipset.rules import chains_of, jumps_of, order_of
from banlistd.adapters.firewalls.ipset.sets import EVERY_MAP, fresh, set_of, wanted_sets
from banlistd.core.addresses.sets import from_numbers
from banlistd.core.ruleset.diff import MapChange, difference
from banlistd.core.ruleset.state import MapEntries, MapId
from banlistd.model import Action, Counter, Direction, Family, Mark, SourceSlot

MARKS = st.integers(1, 3)


def map_entries(map_id: MapId, elements: Mapping[int, tuple[int, int]]) -> MapEntries:
    """By first address the last one and the mark."""
    first = sorted(elements)
    starts = from_numbers(map_id.family, first)
    ends = from_numbers(map_id.family, [elements[at][0] for at in first])
    return MapEntries(map_id.family, starts, ends, np.array([elements[at][1] for at in first], dtype=np.uint16))


def elements_of(entries: Entries) -> dict[tuple[int, int | None], int]:
    assert entries.mark is not None
    lengths: Sequence[int | None] = [None] * len(entries) if entries.length is None else entries.length.tolist()
    return dict(zip(zip(entries.first.tolist(), lengths, strict=True), entries.mark.tolist(), strict=True))


def hosts() -> st.SearchStrategy[MapEntries]:
    return st.dictionaries(st.integers(0, 12), MARKS).map(
        lambda found: map_entries(HOSTS4, {at: (at, found[at]) for at in found})
    )


@st.composite
def nets(draw: st.DrawFn) -> MapEntries:
    """Disjoint ranges of up to 40 addresses, aligned or not."""
    edges = sorted(draw(st.sets(st.integers(0, 40), max_size=8)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return map_entries(NETS4, {first: (last, draw(MARKS)) for first, last in pairs})


@pytest.mark.parametrize(("map_id", "some"), [(HOSTS4, hosts()), (NETS4, nets())], ids=["hosts", "nets"])
@given(data=st.data())
def test_delta_leads_to_the_desired_state(map_id: MapId, some: st.SearchStrategy[MapEntries], data: st.DataObject) -> None:
    before, after = (entries_of(map_id, data.draw(some)) for _ in range(2))
    delta = delta_of(after, before)
    fresh_ones, changed, gone = (elements_of(part) for part in (delta.fresh, delta.changed, delta.gone))
    present = elements_of(before)
    assert not fresh_ones.keys() & present.keys()
    assert changed.keys() <= present.keys()
    assert gone.keys() <= present.keys()
    assert {**{at: mark for at, mark in present.items() if at not in gone}, **fresh_ones, **changed} == elements_of(after)


EMPTY = state([ALPHA], {})
FEW = state([ALPHA], {"alpha": addresses("192.0.2.1", "198.51.100.0/24")})
PRESENT = wanted_sets([ALPHA])
HOSTS, NETS = set_of(HOSTS4), set_of(NETS4)


def record(**filled: Filled) -> Record:
    return Record(filled={HOSTS: Filled(0, 65_536, ""), NETS: Filled(0, 65_536, ""), **filled})


def test_a_few_elements_are_changed_in_place() -> None:
    plan = plan_of(difference(EMPTY, FEW), record(), PRESENT)
    assert plan.deltas.keys() == {HOSTS, NETS}
    assert not plan.gathered
    assert plan.filled[HOSTS].count == 1
    assert plan.elements == 2


@pytest.mark.parametrize(
    ("known", "present", "apart"),
    [
        (record(), PRESENT - {HOSTS}, False),
        (Record(), PRESENT, False),
        (record(**{HOSTS: Filled(65_536, 65_536, "")}), PRESENT, False),
        (record(), PRESENT, True),
    ],
    ids=["the set is missing", "nothing is known of it", "it is full", "it has surprised"],
)
def test_what_cannot_be_changed_in_place_is_gathered(known: Record, present: frozenset[str], apart: bool) -> None:
    plan = plan_of(difference(EMPTY, FEW), known, present, apart=apart)
    assert HOSTS in plan.gathered
    assert HOSTS not in plan.deltas


def test_a_set_of_which_most_changes_is_gathered() -> None:
    first = np.arange(1, 20_001, dtype=np.uint32)
    marks = np.ones(len(first), dtype=np.uint16)
    add, remove = (MapEntries(Family.IPV4, at, at, marks) for at in (first, first + np.uint32(50_000)))
    change = change_of(EMPTY, MapChange(HOSTS4, add, add, remove, replace=False))
    plan = plan_of(change, record(**{HOSTS: Filled(20_000, 65_536, "")}), PRESENT)
    assert plan.gathered.keys() == {HOSTS}


def test_sets_of_unused_hooks_are_surplus() -> None:
    full, less = state([ALPHA, COUNTED], {}), state([ALPHA], {})
    plan = plan_of(difference(full, less), record(), wanted_sets(full.sources))
    assert plan.surplus == wanted_sets(full.sources) - PRESENT
    assert plan.surplus


def test_names_fit_into_the_kernel() -> None:
    assert max(len(fresh(set_of(map_id))) for map_id in EVERY_MAP) <= 31
    crowd = [owner(mark, f"s{mark}", Action.COUNT, Direction.BOTH) for mark in range(65_535 - 1600, 65_536)]
    for chains in chains_of(crowd, Family.IPV6).values():
        assert max(map(len, chains)) <= 28


def test_who_drops_is_in_raw_and_who_rejects_counts_there_and_rejects_in_filter() -> None:
    chains = chains_of([ALPHA, BETA, LOGGED], Family.IPV4)
    assert chains["raw"]["banlistd-from-1"] == ("-m comment --comment alpha -j DROP",)
    assert chains["raw"]["banlistd-from-2"] == ("-m comment --comment beta",)
    assert chains["raw"]["banlistd-from-4"] == (
        '-m limit --limit 5/sec --limit-burst 20 -j LOG --log-prefix "banlistd logged "',
        "-m comment --comment logged",
    )
    assert chains["filter"].keys() == {"banlistd-refused", "banlistd-refusal"}
    assert chains["filter"]["banlistd-refusal"][-1].endswith("-j REJECT --reject-with icmp-admin-prohibited")
    assert jumps_of([ALPHA])["filter"] == {"INPUT": (), "FORWARD": (), "OUTPUT": ()}


def test_who_begins_to_reject_does_so_before_drop_ends() -> None:
    assert order_of([BETA]) == ("filter", "raw")
    assert order_of([ALPHA]) == ("raw", "filter")


def test_a_long_id_is_cut_to_what_a_log_line_takes() -> None:
    long = owner(1, "a" * 40, Action.LOG)
    rules = chains_of([long], Family.IPV4)["raw"]["banlistd-from-1"]
    prefix = rules[0].split('"')[1]
    assert prefix == f"banlistd {'a' * 19} "
    assert len(prefix) == 29


SAVED = """# Generated by iptables-save
*raw
:PREROUTING ACCEPT [10:1000]
:banlistd-from-1 - [0:0]
:banlistd-gone - [0:0]
:others - [0:0]
[1:60] -A PREROUTING -s 192.0.2.1/32 -j ACCEPT
[2:120] -A PREROUTING -j banlistd-in
[0:0] -A PREROUTING -p tcp -j banlistd-in
[3:180] -A banlistd-from-1 -m comment --comment alpha -j DROP
[4:240] -A others -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
[0:0] -A PREROUTING -j others
COMMIT
"""


def test_of_what_iptables_says_only_what_is_ours_is_read() -> None:
    ruleset = parse_saved(SAVED)
    assert ruleset.keys() == {"raw"}
    assert ruleset["raw"].chains.keys() == {"banlistd-from-1", "banlistd-gone"}
    assert ruleset["raw"].jumps == {"PREROUTING": [(2, "banlistd-in")]}
    assert counters_of(ruleset) == {Mark(1): Counter(3, 180)}
    assert "192.0.2.1" not in "".join(rule_lines(ruleset))


def test_script_moves_the_jump_first_and_keeps_counters() -> None:
    written = script([ALPHA], Family.IPV4, parse_saved(SAVED)).splitlines()
    assert written[0] == "*raw"
    assert written[-1] == "COMMIT"
    assert written.index("-D PREROUTING -j banlistd-in") < written.index("-I PREROUTING 1 -j banlistd-in")
    assert "[3:180] -A banlistd-from-1 -m comment --comment alpha -j DROP" in written
    assert ":banlistd-gone - [0:0]" in written
    assert "-X banlistd-gone" in written
    assert not [line for line in written if "others" in line or "192.0.2.1" in line]


def test_nothing_is_removed_where_nothing_is_ours() -> None:
    assert script(None, Family.IPV4, {}) == ""


@pytest.mark.parametrize("sources", [[ALPHA], [ALPHA, BETA], [BOTH, COUNTED, LOGGED]], ids=["drop", "reject", "every hook"])
@pytest.mark.parametrize("family", Family)
def test_rules_jump_only_to_chains_that_there_are(sources: Sequence[SourceSlot], family: Family) -> None:
    jumps = jumps_of(sources)
    for table, chains in chains_of(sources, family).items():
        targets = {target for chain in jumps[table].values() for target in chain}
        for rules in chains.values():
            words = [rule.split() for rule in rules]
            targets |= {line[at + 1] for line in words for at, word in enumerate(line) if word in ("-j", "-g")}
        assert {target for target in targets if target.startswith("banlistd-")} == chains.keys()


def test_a_source_that_logs_too_is_logged_first_and_its_last_rule_counts() -> None:
    for action, last in ((Action.DROP, "-j DROP"), (Action.COUNT, "")):
        logged = replace(owner(1, "alpha", action), log=0)
        rules = chains_of([logged], Family.IPV4)["raw"]["banlistd-from-1"]
        assert rules[0] == '-m limit --limit 5/sec --limit-burst 20 -j LOG --log-prefix "banlistd alpha "'
        assert rules[1:] == (f"-m comment --comment alpha {last}".rstrip(),)
        assert chains_of([owner(1, "alpha", action)], Family.IPV4)["raw"]["banlistd-from-1"] == rules[1:]
