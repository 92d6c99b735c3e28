"""Regular expressions of RE2, where its library is installed: a search takes time linear in the text, whatever that is."""

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

GROUPS = ("address", "prefix", "netmask", "last")
"""The names that mean something; `address` must be there, and at most one of the others."""

_SIZES = frozenset(GROUPS[1:])
_MEMORY = 8 << 20
"""Octets that one pattern may take; RE2 searches more slowly, and still in linear time, where that is too little."""

_MISSING = "needs the Python library google-re2", "pip install banlistd[pattern], or name another format"


class PatternFault(Exception):  # noqa: N818 - as `Unfit`: what is wrong with a value
    """Why a pattern cannot be used. `args`: what is wrong, and how to go on."""


@cache
def library() -> Any:
    """RE2, or None where it is not installed. Loaded when it is asked for: a process that reads lists asks before it begins."""
    try:
        return importlib.import_module("re2")
    except ImportError:
        return None


class Pattern:
    """A pattern, compiled. Raises PatternFault for one that cannot be used."""

    def __init__(self, text: str) -> None:
        engine = library()
        if engine is None:
            raise PatternFault(*_MISSING)
        if not text.isascii():
            raise PatternFault("has signs that are not ASCII", "write a dot for each octet of them")
        options = engine.Options()
        options.log_errors, options.max_mem, options.encoding = False, _MEMORY, engine.Options.Encoding.LATIN1
        try:
            self._compiled = engine.compile(text.encode("ascii"), options)
        except engine.error as error:
            said = error.args[0] if error.args else ""
            reason = said.decode("ascii", "replace") if isinstance(said, bytes) else str(said)
            raise PatternFault(f"is no pattern of RE2: {reason}", "https://github.com/google/re2/wiki/Syntax") from None
        self._groups: Mapping[str, int] = {name.decode("ascii"): at for name, at in self._compiled.groupindex.items()}
        self._check()

    def _check(self) -> None:
        unknown = sorted(set(self._groups) - set(GROUPS))
        if "address" not in self._groups:
            raise PatternFault("has no group called address", "write (?P<address>...) around the address")
        if unknown:
            raise PatternFault(f"has a group called {unknown[0][:40]}", f"groups may be called {', '.join(GROUPS)}")
        if len(_SIZES & set(self._groups)) > 1:
            raise PatternFault("has several groups that say where a network ends", "write one of prefix, netmask, last")
        if self._compiled.search(b"") is not None:
            raise PatternFault("matches an empty text", "write what is around each address, too")

    def matches(self, body: bytes) -> Iterator[tuple[int, bytes, Mapping[str, bytes]]]:
        """Where each match begins, its text, and the text of each group that took part, from the left, none over another."""
        groups = tuple(self._groups.items())
        for match in self._compiled.finditer(body):
            yield match.start(), match[0], {name: text for name, at in groups if (text := match[at]) is not None}
