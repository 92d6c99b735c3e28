"""The addresses before and after each of an array, and IPv6 addresses as numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_Addresses = NDArray[Any]

# The two words of a 128-bit address; numpy has no wider integer.
_WORDS = np.dtype(">u8")


def before(addresses: _Addresses) -> _Addresses:
    """The address before each one; before the first address of all comes the last."""
    return _step(addresses, down=True)


def after(addresses: _Addresses) -> _Addresses:
    """The address after each one; after the last address of all comes the first."""
    return _step(addresses, down=False)


def _step(addresses: _Addresses, *, down: bool) -> _Addresses:
    if addresses.dtype == np.uint32:
        one = np.uint32(1)
        return addresses - one if down else addresses + one
    words = as_words(addresses)
    one64 = np.uint64(1)
    if down:
        carry = words[:, 1] == 0
        words[:, 1] -= one64
        words[carry, 0] -= one64
    else:
        words[:, 1] += one64
        words[words[:, 1] == 0, 0] += one64
    return words.astype(_WORDS).view("S16").reshape(-1)


def as_words(addresses: _Addresses) -> NDArray[np.uint64]:
    """IPv6 addresses as two words each, of the machine's order; shape (n, 2)."""
    return np.ascontiguousarray(addresses).view(_WORDS).reshape(-1, 2).astype(np.uint64)
