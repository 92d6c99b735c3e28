"""Which version of a list is published, after refusals of canaries, orders, and releases."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from banlistd.core.fleet.publish_job import signed_fields, stop_in
from banlistd.core.fleet.roll_out.stops import (
    DIGITS,
    LARGEST_LEARNT,
    MOST_BACK,
    MOST_QUESTIONED,
    NO_STOP,
    UNTOUCHED,
    Questioner,
    RollOutState,
    SignedStop,
    after_completion,
    after_learning,
    after_order,
    after_publication,
    after_refusals,
    after_release,
    after_suspension,
    next_version,
    ordered,
    signed_stop,
)

A, B, C, D = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)
CANARY, OPERATOR = Questioner("web-1", None, "wide", "10.0.0.0/8"), Questioner(uid=0)
SHRUNK = replace(CANARY, guard="shrunk")


def refused(state: RollOutState, known: Sequence[str], version: str) -> RollOutState:
    after, new = after_refusals(state, known, [(version, CANARY)], 1.0)
    assert [one.content_hash for one in new] == [version]
    return after


def test_what_is_completed_is_published_until_a_list_is_stopped() -> None:
    assert next_version(UNTOUCHED, [], A) == A
    assert next_version(UNTOUCHED, [A], A) == ""
    assert next_version(UNTOUCHED, [A], B) == B
    assert next_version(UNTOUCHED, [A], "") == ""


def test_a_refused_version_is_withdrawn_and_the_one_before_is_published_again() -> None:
    stopped = refused(UNTOUCHED, [B, A], B)
    assert stopped.stop is not None
    assert (stopped.stop.kept, stopped.stop.by, stopped.stop.since) == (A, CANARY, 1.0)
    assert next_version(stopped, [B, A], C) == A
    # Published so, it stays, whatever the hub imports.
    assert next_version(stopped, [A, B], C) == ""
    assert signed_stop(stopped, A).withdrawn == (B[:DIGITS],)


def test_versions_that_came_one_after_the_other_are_all_gone_back_over() -> None:
    once = refused(UNTOUCHED, [C, B, A], B)
    assert once.stop is not None
    # The newest is not in question: it stays, and nothing newer comes.
    assert (once.stop.kept, next_version(once, [C, B, A], D), signed_stop(once, C).withdrawn) == ("", "", (B[:DIGITS],))
    twice = refused(once, [C, B, A], C)
    assert next_version(twice, [C, B, A], D) == A
    assert signed_stop(twice, A).withdrawn == (B[:DIGITS], C[:DIGITS])


@pytest.mark.parametrize(("version", "by"), [(A, SHRUNK), (B, CANARY), (D, CANARY)])
def test_a_canary_stops_neither_what_it_finds_shrunk_now_nor_the_same_again_nor_what_was_never_published(
    version: str, by: Questioner
) -> None:
    stopped = refused(UNTOUCHED, [B, A], B)
    assert after_refusals(stopped, [A, B], [(version, by)], 2.0) == (stopped, ())


def test_a_version_that_the_list_went_back_to_is_gone_back_over_where_it_is_as_bad() -> None:
    stopped = refused(UNTOUCHED, [C, B, A], C)
    again = refused(stopped, [B, C, A], B)
    assert next_version(again, [B, C, A], C) == A
    assert signed_stop(again, A).withdrawn == (B[:DIGITS], C[:DIGITS])


@pytest.mark.parametrize("versions", [[B, C], [C, B]])
def test_what_a_canary_refuses_at_once_counts_in_any_order(versions: Sequence[str]) -> None:
    after, new = after_refusals(UNTOUCHED, [C, B, A], [(one, CANARY) for one in versions], 1.0)
    assert {one.content_hash for one in new} == {B, C}
    assert next_version(after, [C, B, A], D) == A


def test_a_version_that_came_between_an_order_and_its_effect_is_gone_back_over() -> None:
    stopped = after_order(UNTOUCHED, [B, A], [B], OPERATOR, 1.0)
    assert next_version(stopped, [C, B, A], C) == A


def test_without_an_earlier_version_the_newest_stays() -> None:
    stopped = refused(UNTOUCHED, [A], A)
    assert stopped.stop is not None
    assert (stopped.stop.kept, next_version(stopped, [A], B), signed_stop(stopped, A).withdrawn) == ("", "", ())


def test_an_order_may_withdraw_nothing_or_also_what_was_gone_back_to() -> None:
    kept = after_order(UNTOUCHED, [B, A], [], OPERATOR, 1.0)
    assert (kept.bad, next_version(kept, [B, A], C)) == (frozenset(), "")
    back = after_order(refused(UNTOUCHED, [C, B, A], C), [B, C, A], [B], OPERATOR, 2.0)
    assert next_version(back, [B, C, A], D) == A
    assert back.stop is not None
    assert (back.stop.since, back.stop.by) == (1.0, CANARY)


def test_a_release_publishes_what_is_completed_and_no_canary_stops_that_again() -> None:
    released = after_release(refused(UNTOUCHED, [B, A], B), B)
    assert next_version(released, [A, B], B) == B
    assert signed_stop(released, B).withdrawn == ()
    assert after_refusals(released, [B, A], [(B, CANARY)], 2.0) == (released, ())
    # An operator may change the decision.
    assert next_version(after_order(released, [B, A], [B], OPERATOR, 2.0), [B, A], B) == A


def test_after_a_release_of_a_newer_version_nodes_that_wait_with_the_bad_one_still_drop_it() -> None:
    released = after_release(refused(UNTOUCHED, [B, A], B), C)
    assert next_version(released, [A, B], C) == C
    assert signed_stop(released, C).withdrawn == (B[:DIGITS],)


def test_only_the_newest_questions_are_kept() -> None:
    known = [f"{number:016x}" + "0" * 48 for number in range(MOST_QUESTIONED + 5)]
    state = after_order(UNTOUCHED, known, known[:10], OPERATOR, 1.0)
    state = after_order(state, known, known[10:], OPERATOR, 2.0)
    assert len(state.questioned) == MOST_QUESTIONED
    assert {one[:DIGITS] for one in known[10:]} <= state.bad


def test_a_version_in_question_that_the_feed_gives_again_stops_the_list_again() -> None:
    released = after_release(refused(UNTOUCHED, [B, A], B), C)
    again = after_completion(released, [C, A, B], B, 5.0)
    assert again is not None
    assert again.stop is not None
    assert (again.stop.since, again.stop.by, again.stop.kept) == (5.0, CANARY, C)
    assert ordered(again, [C, A, B]) == ()
    assert next_version(again, [C, A, B], B) == ""
    # Released by an operator who has it, it is published.
    assert next_version(after_release(again, B), [C, A, B], B) == B


@pytest.mark.parametrize("completed", [A, B, C])
def test_an_import_stops_nothing_that_was_not_in_question_or_is_stopped_already(completed: str) -> None:
    stopped = refused(UNTOUCHED, [B, A], B)
    assert after_completion(stopped, [A, B], completed, 5.0) is None
    assert after_completion(UNTOUCHED, [B, A], completed, 5.0) is None
    assert after_completion(after_release(stopped, B), [B, A], completed, 5.0) is None


def test_what_a_suspended_canary_has_refused_is_in_question_no_more_and_the_stop_stays_until_its_release() -> None:
    stopped = refused(refused(UNTOUCHED, [C, B, A], C), [B, C, A], B)
    assert after_suspension(stopped, [A, B, C], "web-2") is None
    for known in ([A, B, C], [C, B, A]):
        after = after_suspension(stopped, known, "web-1")
        assert after is not None
        # What is published stays, also where the list has not gone back yet.
        assert (after.bad, next_version(after, known, D), after_publication(after, known, 3.0)) == (frozenset(), "", None)
        assert after_completion(after_release(after, D), [D, *known], B, 4.0) is None
    # Another one has its own say, and so has an operator.
    both = after_order(stopped, [A, B, C], [B], OPERATOR, 2.0)
    left = after_suspension(both, [A, B, C], "web-1")
    assert left is not None
    assert left.bad == {B[:DIGITS]}
    released = after_release(stopped, B)
    assert after_suspension(released, [B, A], "web-1") == replace(released, questioned=(released.questioned[0],))


def test_on_the_word_of_a_canary_a_list_goes_back_over_a_few_versions_and_by_an_order_over_any() -> None:
    known = [f"{number:016x}" + "0" * 48 for number in range(MOST_BACK + 3)]
    state = UNTOUCHED
    for version in reversed(known[: MOST_BACK + 1]):
        state = refused(state, known, version)
    assert next_version(state, known, "") == ""
    assert next_version(after_order(state, known, known[:1], OPERATOR, 2.0), known, "") == known[MOST_BACK + 1]
    # One after the other, each once it was gone back to, it goes no further either.
    state, published = UNTOUCHED, known
    for version in known[:MOST_BACK]:
        state = refused(state, published, version)
        kept = next_version(state, published, "")
        published = [kept, *(one for one in published if one != kept)]
    assert published[0] == known[MOST_BACK]
    assert next_version(refused(state, published, published[0]), published, "") == ""
    few = UNTOUCHED
    for version in reversed(known[:MOST_BACK]):
        few = refused(few, known, version)
    assert next_version(few, known, "") == known[MOST_BACK]


def test_a_second_order_without_a_version_withdraws_nothing_more() -> None:
    assert ordered(UNTOUCHED, [B, A]) == [B]
    assert ordered(refused(UNTOUCHED, [B, A], B), [A, B]) == ()
    # Stopped, and not gone back: the newest may be meant.
    assert ordered(after_order(UNTOUCHED, [B, A], [], OPERATOR, 1.0), [B, A]) == [B]


def test_a_version_that_was_on_its_way_while_the_list_went_back_is_in_question_too() -> None:
    stopped = refused(UNTOUCHED, [B, A], B)
    after = after_publication(stopped, [C, B, A], 2.0)
    assert after is not None
    assert (next_version(after, [C, B, A], C), signed_stop(after, A).withdrawn) == (A, (B[:DIGITS], C[:DIGITS]))
    assert after_publication(after, [C, B, A], 3.0) is None
    for state, known in ((UNTOUCHED, [B, A]), (stopped, [B, A]), (stopped, [A, B]), (stopped, [C, B]), (stopped, [])):
        assert after_publication(state, known, 2.0) is None
    # Nothing was gone back to: what came last stays.
    assert after_publication(after_order(UNTOUCHED, [A], [], OPERATOR, 1.0), [B, A], 2.0) is None


def test_where_the_version_to_go_back_to_is_not_there_another_good_one_is_published() -> None:
    stopped = refused(UNTOUCHED, [C, B, A], C)
    assert next_version(stopped, [C, A], D) == A
    assert next_version(stopped, [C], B) == B
    assert next_version(stopped, [C], D) == ""


def test_a_database_that_is_older_than_what_was_published_learns_the_stop() -> None:
    published = SignedStop(4, is_stopped=True, withdrawn=(B[:DIGITS], D[:DIGITS]))
    for state in (UNTOUCHED, after_release(replace(refused(UNTOUCHED, [B, A], B), number=3), B)):
        learnt = after_learning(state, [A, B], published, 9.0)
        assert learnt is not None
        assert signed_stop(learnt, A) == published
        assert next_version(learnt, [A, B], B) == ""
        assert after_learning(learnt, [A, B], published, 9.0) is None
        # Also by its digits, where the version is not at hand.
        assert after_completion(after_release(learnt, C), [C, A], D, 9.0) is not None
        assert after_release(learnt, D).bad == {B[:DIGITS]}


def test_a_number_that_a_thief_has_signed_leaves_room_for_those_that_follow() -> None:
    assert after_learning(UNTOUCHED, [A], SignedStop(LARGEST_LEARNT + 1, is_stopped=True), 9.0) is None
    learnt = after_learning(UNTOUCHED, [A], SignedStop(LARGEST_LEARNT, is_stopped=True), 9.0)
    assert learnt is not None
    assert stop_in(signed_fields(signed_stop(replace(learnt, number=learnt.number + 1), A))).number == LARGEST_LEARNT + 1


def test_a_database_that_is_newer_than_what_was_published_learns_nothing() -> None:
    released = replace(after_release(refused(UNTOUCHED, [B, A], B), B), number=2)
    assert after_learning(released, [A, B], SignedStop(1, is_stopped=True, withdrawn=(B[:DIGITS],)), 9.0) is None
    assert after_learning(UNTOUCHED, [A, B], NO_STOP, 9.0) is None


def test_a_stop_that_only_this_hub_knows_stays_and_goes_back_over_nothing() -> None:
    stopped = replace(refused(UNTOUCHED, [B, A], B), number=1)
    learnt = after_learning(stopped, [C, B, A], SignedStop(3), 9.0)
    assert learnt is not None
    assert (learnt.number, next_version(learnt, [C, B, A], D)) == (4, "")
    assert after_learning(UNTOUCHED, [C], SignedStop(3), 9.0) == RollOutState(None, (), 3, 3)


def test_a_stop_that_was_signed_is_over_once_another_hub_has_released_it() -> None:
    stopped = replace(refused(UNTOUCHED, [B, A], B), number=1)
    noted = after_learning(stopped, [A, B], signed_stop(stopped, A), 8.0)
    assert noted == replace(stopped, signed=1)
    assert after_learning(noted, [A, B], signed_stop(stopped, A), 8.0) is None
    learnt = after_learning(noted, [C, A, B], SignedStop(2, withdrawn=(B[:DIGITS],)), 9.0)
    assert learnt is not None
    assert (learnt.stop is None, learnt.number, [*learnt.bad]) == (True, 2, [B[:DIGITS]])
