"""Some thousands of hostile inputs. `python tests/fuzz_parsers.py --count 1000000` is the same, longer."""

import random

from fuzz_parsers import SEEDS, Fuzzer, windows

INPUTS = 4000

OUT_OF_PROPORTION = 100
"""Of 1,000,000 inputs the slowest took 30 times as long for its length as the middle one (measured)."""


def test_hostile_bytes_raise_nothing_but_what_they_may_and_take_time_by_their_length() -> None:
    seed = random.SystemRandom().randrange(2**32)
    fuzzer = Fuzzer([*SEEDS, *windows()], random.Random(seed))
    try:
        fuzzer.run(INPUTS)
    except AssertionError as exc:
        raise AssertionError(f"python tests/fuzz_parsers.py --seed {seed}") from exc
    assert min(fuzzer.outcomes.values()) > 50, fuzzer.outcomes
    ratio, body = fuzzer.worst_ratio()
    assert ratio < OUT_OF_PROPORTION, body
