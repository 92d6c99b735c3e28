"""What follows an address in its line, looked at with arrays: mere words, or something that may change what the line says.

Where it may, the line is left to be read alone. Which lines those are decides about speed only.
"""

import numpy as np
from numpy.typing import NDArray


def _table(signs: bytes) -> NDArray[np.bool_]:
    table = np.zeros(256, dtype=np.bool_)
    table[list(signs)] = True
    return table


_DIGIT = _table(b"0123456789")
_HEX = _table(b"0123456789abcdefABCDEF")
_OPENING = _table(b"\"'`[({<")
_SEPARATES = _table(b" \t,|;/\"'`[({<!:*")
_NUMBER_ENDS = _table(b"\n,;|#-+%")
"""What may follow a number that is a mere number: with `.` or `:` it may be an address, with a blank there is more to see."""

_WORDS = (b"ok", b"pe", b"al", b"ac", b"du", b"re", b"no", b"wh", b"ex", b"pa", b"in", b"a ", b"a\t", b"aa", b"tx", b"cn")
_MORE_WORDS = (b"pt", b"ns", b"mx", b"ch", b"hs", b"to", b"th", b"un", b"ma", b"ne", b"wi")
_PAIRS = np.zeros(1 << 16, dtype=np.bool_)
for _pair in _WORDS + _MORE_WORDS:
    for _written in (_pair, _pair.upper(), _pair.title()):
        _PAIRS[_written[0] << 8 | _written[1]] = True


def may_say_more(text: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of each place, where the first word of a tail begins, whether what is there may be more than words.

    A word that begins like a verdict or a record type, an address, a slash, a sign that opens something.
    """
    first, second = text.take(at, mode="clip"), text.take(at + 1, mode="clip")
    more = _PAIRS[first.astype(np.uint16) << np.uint16(8) | second] | (_SEPARATES[first] & ~_OPENING[first])
    more &= ~((first == ord("/")) & (second == ord("/")))
    more |= _OPENING[first] & (_HEX[second] | _SEPARATES[second])
    digits = np.flatnonzero(_DIGIT[first])
    if len(digits):
        more[digits] |= ~_is_number(text, at[digits])
    letters = np.flatnonzero(_HEX[first] & ~_DIGIT[first])
    if len(letters):
        place = at[letters]
        colons = np.zeros(len(letters), dtype=np.bool_)
        for step in range(1, 5):
            colons |= text.take(place + step, mode="clip") == ord(":")
        more[letters] |= colons
    return np.asarray(more)


def _is_number(text: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of up to eight digits, and nothing joined to them that an address has."""
    ended, good = np.zeros(len(at), dtype=np.bool_), np.zeros(len(at), dtype=np.bool_)
    for step in range(1, 11):
        sign = text.take(at + step, mode="clip")
        ends = ~_DIGIT[sign] & ~ended
        good |= ends & _NUMBER_ENDS[sign]
        blanks = ends & ((sign == ord(" ")) | (sign == ord("\t")))
        if blanks.any():
            follow = text.take(at + step + 1, mode="clip")
            good |= blanks & ~_table(b"0123456789iIaAcCtT/-,;| \t").take(follow)
        ended |= ends
        if ended.all():
            break
    return good
