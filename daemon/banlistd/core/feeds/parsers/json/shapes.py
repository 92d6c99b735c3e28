"""What the keys of a JSON object say: found out once for all objects that have the same keys at the same place."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from banlistd.core.feeds.parsers.json.paths import MEMBERS
from banlistd.core.feeds.parsers.json.words import (
    NO_MEANING,
    KeyRole,
    Meaning,
    is_no_ban,
    key_role,
    may_say_no_ban,
    meaning_of,
)
from banlistd.core.feeds.parsers.spans import span_of

LONGEST_PATH = 150
"""Characters; where addresses are deeper, the path must be named."""

_MOST_SHAPES, _MOST_KEYS = 500, 64
_NUMBERED = re.compile(r"(?:AS|as)?[\d:TZ .-]*\d[\d:TZ .-]*", re.ASCII)
"""Keys that are data: numbers, dates."""

_UNSAYABLE = re.compile(r"[\[\]{}]")
_CLEAN = str.maketrans("[]{}", "????")


@dataclass(frozen=True, slots=True)
class KeyShape:
    """`place`: the path of an address at the key; `below`: of an object or array at it. `number`: how its numbers are named.

    `is_kind`: its value may say that the record is no ban. `may_be_mask`: a netmask at it is one. `is_length`: it is called so.
    """

    key: str
    place: str
    number: str
    below: str
    is_kind: bool
    may_be_mask: bool
    is_length: bool


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """`meant`: the keys that say something of the whole object. `are_addresses`: all keys are."""

    keys: tuple[KeyShape, ...]
    meant: tuple[tuple[str, Meaning], ...]
    are_addresses: bool


class Shapes:
    """Those that were met; of a hostile document not all are kept."""

    def __init__(self) -> None:
        self._met: dict[tuple[str, tuple[str, ...]], ObjectShape] = {}

    def of(self, path: str, keys: tuple[str, ...]) -> ObjectShape:
        """Of an object at a path."""
        found = self._met.get((path, keys))
        if found is None:
            found = _shape(path, keys)
            if len(self._met) < _MOST_SHAPES and len(keys) <= _MOST_KEYS and max(map(len, keys), default=0) <= LONGEST_PATH:
                self._met[path, keys] = found
        return found


def below(path: str, step: str) -> str:
    """A path that is too long already stays as it is, or a hostile document could make us hold its depth times its width."""
    return path + step if len(path) <= LONGEST_PATH else path


def _shape(path: str, keys: Sequence[str]) -> ObjectShape:
    dot = path + "." if path else ""
    numbered = all(map(_NUMBERED.fullmatch, keys))
    meanings = ((key, meaning_of(key)) for key in keys)
    return ObjectShape(
        tuple(
            KeyShape(
                key,
                dot + _sayable(key),
                dot + key,
                below(path, MEMBERS) if numbered else below(path, dot[len(path) :] + _sayable(key)),
                may_say_no_ban(key),
                not is_no_ban(key),
                key_role(key)[0] is KeyRole.LENGTH,
            )
            for key in keys
        ),
        tuple((key, meaning) for key, meaning in meanings if meaning is not NO_MEANING),
        bool(keys) and all(span_of(key) is not None for key in keys),
    )


def _sayable(key: str) -> str:
    """A key as it can be written in a path; no value is found again at one that is not."""
    return key[:LONGEST_PATH].translate(_CLEAN) if len(key) > LONGEST_PATH or _UNSAYABLE.search(key) else key
