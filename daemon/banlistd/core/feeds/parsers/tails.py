"""What follows an address in its line, looked at with arrays: mere words, or something that may change what the line says.

Where it may, the line is left to be read alone. Which lines those are decides about speed only.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from banlistd.core.feeds.parsers.bare_quads import Octets, Positions

_MERE, _RISKY, _OPENING, _DIGIT, _HEX, _LETTER, _SLASH = range(7)
_CLASSES = np.full(256, _MERE, dtype=np.uint8)
_CLASSES[list(b" \t,|;!:*.\n")] = _RISKY
_CLASSES[list(b"\"'`[]{}()<")] = _OPENING
_CLASSES[list(b"0123456789")] = _DIGIT
_CLASSES[list(b"GHIJKLMNOPQRSTUVWXYZghijklmnopqrstuvwxyz")] = _LETTER
_CLASSES[list(b"ABCDEFabcdef")] = _HEX
_CLASSES[ord("/")] = _SLASH

_LOWER = np.uint8(0x20)
_WORD = 4
_WORDS = (
    *("acce", "allo", "dunn", "exce", "excl", "exem", "noma", "ok", "pass", "perm", "rela", "retu", "whit"),
    *("aaaa", "txt", "cnam", "ptr", "ns", "mx", "in", "ch", "hs", "a", "to", "thru", "thro", "unti", "mask", "netm", "wild"),
    *("dev", "via"),
)
"""How the words begin, of which `lines` knows more: verdicts, DNS, what joins two addresses, masks, routes."""


def _table(signs: bytes) -> NDArray[np.bool_]:
    table = np.zeros(256, dtype=np.bool_)
    table[list(signs)] = True
    return table


_NUMBER_ENDS = _table(b"\n,;|#-+%")
"""What may follow a number that is a mere number: with `.` or `:` it may be an address, with a blank there is more to see."""

_NUMBER_THEN = ~_table(b"0123456789iIaAcChHtT/-,;| \t")
_TIME_ENDS = _table(b"\n \t,;|#")
_ENDS = ~_table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def _codes(words: Iterable[str]) -> NDArray[np.uint32]:
    return np.array([int.from_bytes(word.ljust(_WORD, "\0").encode(), "little") for word in words], dtype=np.uint32)


_BY_LENGTH = {length: _codes(word for word in _WORDS if len(word) == length) for length in range(1, _WORD + 1)}
_STARTS = _table("".join(word[0] + word[0].upper() for word in _WORDS).encode())


def may_say_more(text: Octets, at: Positions, number_ends: Positions) -> NDArray[np.bool_]:
    """Of each place, where the first word of a tail begins, whether what is there may be more than words.

    A word that begins like one that `lines` knows, an address, a slash, a sign that opens something. `number_ends`: where
    the first sign from there on is that is no digit.
    """
    first = text.take(at, mode="clip")
    classes = _CLASSES.take(first)
    more = classes == _RISKY
    digits = np.flatnonzero(classes == _DIGIT)
    digits = digits[~_is_number(text, number_ends[digits])]
    if len(digits):
        more[digits] = ~_is_time(text, at[digits])
    letters = np.flatnonzero(_STARTS.take(first))
    if len(letters):
        more[letters] |= _is_known(text, at[letters])
    hexes = np.flatnonzero(classes == _HEX)
    for step in range(1, _WORD + 1) if len(hexes) else ():
        more[hexes] |= text.take(at[hexes] + step, mode="clip") == ord(":")
    others = np.flatnonzero((classes == _OPENING) | (classes == _SLASH))
    if len(others):
        second = text.take(at[others] + 1, mode="clip")
        opened = _CLASSES.take(second)
        is_slash = classes[others] == _SLASH
        more[others] = np.where(is_slash, second != ord("/"), (opened != _LETTER) & (opened != _MERE))
    return np.asarray(more)


def _is_known(text: Octets, at: Positions) -> NDArray[np.bool_]:
    signs = text.take(at[:, np.newaxis] + np.arange(_WORD), mode="clip")
    ends = _ENDS.take(signs)
    lower = (signs | _LOWER).astype(np.uint8)
    known = np.zeros(len(at), dtype=np.bool_)
    for length, codes in _BY_LENGTH.items():
        word = lower.copy()
        word[:, length:] = 0
        # Not `np.isin`, which imports modules at its first use: the parser process may open no file.
        same = (word.view("<u4") == codes).any(axis=1)
        known |= same & (ends[:, length] if length < _WORD else True)
    return np.asarray(known)


def _is_number(text: Octets, ends: Positions) -> NDArray[np.bool_]:
    """Whether nothing is joined to a number that an address or a record has."""
    sign = text.take(ends, mode="clip")
    follows = text.take(ends + 1, mode="clip")
    is_blank = (sign == ord(" ")) | (sign == ord("\t"))
    return np.asarray(_NUMBER_ENDS.take(sign) | (is_blank & _NUMBER_THEN.take(follows)))


def _is_time(text: Octets, at: Positions) -> NDArray[np.bool_]:
    """`10:00` or `10:00:00`: an IPv6 address has more colons, or two in a row."""
    signs = text.take(at[:, np.newaxis] + np.arange(9), mode="clip")
    is_digit = _CLASSES.take(signs) == _DIGIT
    minutes = is_digit[:, 1] & (signs[:, 2] == ord(":")) & is_digit[:, 3] & is_digit[:, 4]
    seconds = (signs[:, 5] == ord(":")) & is_digit[:, 6] & is_digit[:, 7] & _TIME_ENDS.take(signs[:, 8])
    return np.asarray(minutes & (_TIME_ENDS.take(signs[:, 5]) | seconds))
