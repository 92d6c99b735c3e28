"""Long answers are encoded and sent in pieces, and are what they would be at once."""

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.control.answers import encoding
from banlistd.control.answers.encoding import json_pieces, one_by_one

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
)


@given(values, st.integers(1, 3))
def test_an_answer_in_pieces_is_the_json_of_the_whole(value: object, at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_AT_ONCE", at_once)
        assert b"".join(asyncio.run(json_pieces(value))) == json.dumps(value).encode()


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"bans": rows}, lambda rows: {"a": {"bans": rows}, "b": 1}])
def test_no_piece_of_a_long_answer_is_large_and_others_run_between_them(wrap: Callable[[object], object]) -> None:
    async def life() -> tuple[Sequence[bytes], int]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.ensure_future(count())
        pieces = await json_pieces(wrap([{"address": "192.0.2.1"}] * 10_000))
        counting.cancel()
        return pieces, turns

    pieces, turns = asyncio.run(life())
    assert len(pieces) >= 100
    assert turns >= 100
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 50


def test_pieces_are_sent_in_their_order() -> None:
    async def sent() -> list[bytes]:
        return [piece async for piece in one_by_one([b"a", b"b"])]

    assert asyncio.run(sent()) == [b"a", b"b"]
