"""Cells of the first rows of a table, which are asked for the same again and again: what each of them is, found out once."""

from functools import lru_cache

from banlistd.core.feeds.parsers import spans

_CELLS = 4096
"""Two hundred rows have rarely more."""

span_of_cell = lru_cache(_CELLS)(spans.span_of)
address_of_cell = lru_cache(_CELLS)(spans.address_of)
quad_of_cell = lru_cache(_CELLS)(spans.quad)
range_of_cells = lru_cache(_CELLS)(spans.span_between)
