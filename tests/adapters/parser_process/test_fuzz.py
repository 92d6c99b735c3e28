"""Some hundreds of hostile inputs. `python tests/fuzz_parser_process.py --count 1000000` is the same, longer."""

import random
import time

import pytest

from banlistd.adapters.parser_process.answer import Status
from banlistd.formats import FormatType
from fuzz_parser_process import ConfinedParser, Input, ProcessFuzzer, all_seeds, input_of

INPUTS = 1000


def test_hostile_bytes_never_end_the_process_and_find_what_the_same_code_finds_here() -> None:
    fuzzer = ProcessFuzzer(random.SystemRandom().randrange(2**32), all_seeds())
    fuzzer.run(0, INPUTS)
    assert fuzzer.outcomes.total() == INPUTS
    assert all(fuzzer.outcomes[status] > 10 for status in (Status.PARSED, Status.NOT_A_LIST, Status.BAD_DOWNLOAD)), (
        fuzzer.outcomes
    )
    assert fuzzer.formats.keys() == set(FormatType)
    assert fuzzer.compared > 50


def test_an_input_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = all_seeds()
    today = [input_of(7, number, seeds) for number in range(100)]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86_400.0)
    assert [input_of(7, number, seeds) for number in range(100)] == today


def test_a_fault_names_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(parser: ConfinedParser, one: Input) -> None:
        raise AssertionError("the process ended: -31")

    monkeypatch.setattr(ConfinedParser, "read", failing)
    with pytest.raises(AssertionError, match="--seed 7 --first 3 --count 1"):
        ProcessFuzzer(7, all_seeds()).run(3, 1)
