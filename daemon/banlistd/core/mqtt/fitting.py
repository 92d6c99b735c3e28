"""Messages to the broker, made to fit."""

import json
from collections.abc import Mapping

LARGEST = 48 * 1024
"""Octets of a message."""

_LENGTHS = (4096, 1024, 256, 64, 16)
"""Characters of a text, and items of a list, tried from the largest on. A character takes up to 12 octets in JSON (two escaped
surrogates); with the smallest length, some two hundred texts fit, and no event declares that many fields.
"""

_ELLIPSIS = "…"


def fitted(document: Mapping[str, object]) -> bytes:
    """JSON of at most `LARGEST` octets. Where the whole is larger, long texts are cut and end in an ellipsis, and long lists
    keep their first items.
    """
    octets = _json(document)
    for most in _LENGTHS:
        if len(octets) <= LARGEST:
            break
        octets = _json(_cut(document, most))
    return octets


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _cut(value: object, most: int) -> object:
    if isinstance(value, str):
        return value if len(value) <= most else value[: most - 1] + _ELLIPSIS
    if isinstance(value, Mapping):
        return {key: _cut(each, most) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(each, most) for each in value[:most]]
    return value
