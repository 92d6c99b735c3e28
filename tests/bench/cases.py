"""Everything that is measured, in order."""

from collections.abc import Callable, Iterator, Mapping

from bench.case_importing import million
from bench.rows import Row
from bench.setting import Setting

CASES: Mapping[str, tuple[str, Callable[[Setting], Iterator[Row]]]] = {
    "1m": ("1,000,000 addresses", million),
}
