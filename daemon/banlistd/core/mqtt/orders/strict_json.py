"""JSON that has one reading: no key twice, no number that is none, and nothing but objects with the expected keys."""

import json
from collections.abc import Collection, Mapping
from typing import Any, NoReturn


class NotStrictError(ValueError):
    """What is wrong, as the end of a sentence about the text."""


def strict_object(octets: bytes) -> Mapping[str, Any]:
    """A JSON object.

    RFC 8259 leaves open what a key that comes twice means, so two readers of one signed text could act differently. Raises
    NotStrictError for that too, at any depth, and for text that is no UTF-8 or has half a surrogate pair.
    """
    try:
        text = octets.decode("utf-8")
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except NotStrictError:
        raise
    except UnicodeError as error:
        raise NotStrictError("is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise NotStrictError("is not JSON") from error
    if not isinstance(document, dict):
        raise NotStrictError("is not a JSON object")
    return document


def exact(document: object, keys: Collection[str]) -> Mapping[str, Any]:
    """An object with exactly these keys. Raises NotStrictError."""
    if not isinstance(document, dict):
        raise NotStrictError("is not a JSON object")
    if document.keys() != set(keys):
        raise NotStrictError(f"does not have exactly the keys {', '.join(keys)}")
    return document


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotStrictError("has a key twice")
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise NotStrictError("has a number that JSON does not know")
