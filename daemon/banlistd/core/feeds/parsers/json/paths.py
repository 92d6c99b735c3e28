"""What lies at a path of a JSON value: dotted keys, `[]` for each item of an array, `{}` for values or keys of an object."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

ITEMS, MEMBERS = "[]", "{}"
_STEP = re.compile(r"[^\[\]{}.]+|\[\]|\{\}")


class Enclosing(NamedTuple):
    """The object that a value is in, and what that is in. There is one for each value: made in half the time of a dataclass."""

    record: dict[str, Any]
    outer: "Enclosing | None"


class Walk:
    """One path, for any number of documents. `only_key`: the key that is the whole path, if it is one."""

    def __init__(self, path: str) -> None:
        self._steps = tuple(_STEP.findall(path))
        self._reached = [0] * (len(self._steps) + 1)
        self._missed = [0] * len(self._steps)
        self.only_key = self._steps[0] if len(self._steps) == 1 and self._steps[0] not in (ITEMS, MEMBERS) else ""

    @property
    def is_absent(self) -> bool:
        """Whether some step of the path led nowhere, wherever it was tried."""
        return any(missed and not self._reached[at + 1] for at, missed in enumerate(self._missed))

    def values(self, document: Any) -> Iterator[tuple[Any, Enclosing | None]]:
        """Each value, and the objects that it is in; an array at the end is taken apart."""
        step = self.only_key
        if step and isinstance(document, dict) and step in document and not isinstance(document[step], list):
            # What most records of a line are, without a generator.
            self._reached[1] += 1
            return iter(((document[step], Enclosing(document, None)),))
        return self._from(document, None, 0)

    def _from(self, node: Any, inside: Enclosing | None, at: int) -> Iterator[tuple[Any, Enclosing | None]]:
        while at < len(self._steps):
            end = self._end_of_step(node, at)
            if end == at:
                self._missed[at] += 1
                return
            for passed in range(at, end):
                self._reached[passed + 1] += 1
            if self._steps[at] == ITEMS:
                yield from self._items(node or (), inside, end)
                return
            inside = Enclosing(node, inside)
            if self._steps[at] == MEMBERS:
                yield from self._members(node, inside, end)
                return
            node, at = node[".".join(self._steps[at:end])], end
        if isinstance(node, list):
            for item in node:
                yield item, inside
        else:
            yield node, inside

    def _items(self, items: Sequence[Any], inside: Enclosing | None, at: int) -> Iterator[tuple[Any, Enclosing | None]]:
        if at == len(self._steps):
            for item in items:
                for one in item if isinstance(item, list) else (item,):
                    yield one, inside
            return
        last = self._steps[at] if at + 1 == len(self._steps) else ITEMS
        is_key = last not in (ITEMS, MEMBERS)
        for item in items:
            if is_key and isinstance(item, dict) and last in item:
                # The end of nearly every path: without a generator of its own.
                self._reached[at + 1] += 1
                value, around = item[last], Enclosing(item, inside)
                for one in value if isinstance(value, list) else (value,):
                    yield one, around
            else:
                yield from self._from(item, inside, at)

    def _members(self, node: dict[str, Any], inside: Enclosing, at: int) -> Iterator[tuple[Any, Enclosing | None]]:
        for key, value in node.items():
            if at == len(self._steps):
                yield key, Enclosing(value, inside) if isinstance(value, dict) else inside
            else:
                yield from self._from(value, inside, at)

    def _end_of_step(self, node: Any, at: int) -> int:
        """Behind the steps that a node can take at once, which are several where a key itself has dots; `at` for none."""
        step = self._steps[at]
        if step == ITEMS:
            return at + 1 if isinstance(node, list) or node is None else at
        if not isinstance(node, dict):
            return at
        if step == MEMBERS or step in node:
            return at + 1
        for end in range(at + 2, len(self._steps) + 1):
            if self._steps[end - 1] in (ITEMS, MEMBERS):
                break
            if ".".join(self._steps[at:end]) in node:
                return end
        return at


def value_around(inside: Enclosing | None, field: str) -> Any:
    """The value of a key, or of dotted keys, in the nearest object around a value that has it; None where none has."""
    while inside is not None:
        found = _within(inside.record, field)
        if found is not None:
            return found
        inside = inside.outer
    return None


def _within(record: dict[str, Any], field: str) -> Any:
    if field in record or "." not in field:
        return record.get(field)
    node: Any = record
    for key in field.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node


def beside(path: str, field: str) -> str:
    """A field that is written as a whole path, from the object on in which the address is."""
    cut = max(path.rfind(ITEMS), path.rfind(MEMBERS)) + len(ITEMS)
    before = path[:cut] + "."
    return field.removeprefix(before) if cut >= len(ITEMS) and field.startswith(before) else field
