"""What was worked out last, kept for as long as it is asked for the same value. Pure."""

from collections.abc import Callable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")
_Result = TypeVar("_Result")


class OfNewest(Generic[_Value, _Result]):
    """The result of `work` for a value that never changes: worked out once for each, told by identity and not by equality.

    To compare, or to hash, the configuration of thousands of sources takes longer than most of what is asked of it.
    """

    def __init__(self, work: Callable[[_Value], _Result]) -> None:
        self._work = work
        self._kept: tuple[_Value, _Result] | None = None

    def __call__(self, value: _Value) -> _Result:
        kept = self._kept  # another thread may exchange it
        if kept is None or kept[0] is not value:
            self._kept = kept = value, self._work(value)
        return kept[1]
