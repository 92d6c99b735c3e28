from banlistd.core.ruleset.measuring.durations import BOUNDS, Durations


def test_a_duration_counts_in_the_first_span_that_contains_it() -> None:
    for at, bound in enumerate(BOUNDS):
        assert Durations().note(bound).counts[at] == 1
        assert Durations().note(bound * 1.001).counts[at + 1] == 1


def test_durations_are_summed() -> None:
    durations = Durations().note(0.25).note(100.0)
    assert (durations.count, durations.seconds) == (2, 100.25)
