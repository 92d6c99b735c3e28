"""What a backend of fail2ban is made of: entries, the record in the jail, and answers that may not do anything."""

import os
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.firewalls.contract import ALPHA, BETA, HOSTS4, LOGGED, NETS4, addresses, state
from banlistd.adapters.firewalls.fail2ban.entries import entries_of, entry_span, in_the_way
from banlistd.adapters.firewalls.fail2ban.record import Record, State, read, record_of, verify, write
from banlistd.adapters.firewalls.fail2ban.socket import Fail2banSocket, unpickled
from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.ruleset.state import SOUND
from banlistd.errors import FirewallError
from banlistd.model import Family

END = b"<F2B_END_COMMAND>"

NUMBERS = st.integers(0, 2**16 - 1).map(lambda number: number + (10 << 24))
RANGES = st.lists(st.tuples(NUMBERS, NUMBERS).map(sorted), max_size=8)


def content(ranges: list[list[int]]) -> AddressSet:
    first, last = ([bounds[at] for bounds in ranges] for at in (0, 1))
    return AddressSet.of(from_numbers(Family.IPV4, first), from_numbers(Family.IPV4, last))


@given(RANGES, RANGES)
def test_entries_are_disjoint_and_cover_the_sources(one: list[list[int]], other: list[list[int]]) -> None:
    held = state([ALPHA, BETA], {"alpha": content(one), "beta": content(other)})
    spans = sorted(entry_span(entry) or (0, 0, 0) for texts in entries_of(held.map_entries).values() for entry in texts)
    assert all(before[2] < after[1] for before, after in pairwise(spans))
    covered = {number for _, first, last in spans for number in range(first, last + 1)}
    assert covered == {number for first, last in [*one, *other] for number in range(first, last + 1)}


@given(RANGES, RANGES)
def test_what_is_in_the_way_is_what_overlaps(going: list[list[int]], coming: list[list[int]]) -> None:
    goes, comes = (
        [text for texts in entries_of(state([ALPHA], {"alpha": content(ranges)}).map_entries).values() for text in texts]
        for ranges in (going, coming)
    )
    networks = [ip_network(entry) for entry in comes]
    assert in_the_way(goes, comes) == {entry for entry in goes if any(ip_network(entry).overlaps(net) for net in networks)}


@pytest.mark.parametrize(
    ("entry", "span"),
    [
        ("192.0.2.7", (4, int(ip_address("192.0.2.7")), int(ip_address("192.0.2.7")))),
        ("192.0.2.0/24", (4, int(ip_address("192.0.2.0")), int(ip_address("192.0.2.255")))),
        ("0.0.0.0/1", (4, 0, 2**31 - 1)),
        ("8000::/1", (6, 2**127, 2**128 - 1)),
        ("192.0.2.0/33", None),
        ("192.0.2.0/-1", None),
        ("192.0.2.0/" + "9" * 5000, None),
        ("010.0.0.1", None),
        ("example.net", None),
        ("\0", None),
        ("", None),
    ],
)
def test_an_entry_is_read_strictly(entry: str, span: tuple[int, int, int] | None) -> None:
    assert entry_span(entry) == span


def test_entries_of_other_families_are_never_in_the_way() -> None:
    assert in_the_way(["::/1", "no address"], ["0.0.0.0/1", "128.0.0.0/1"]) == frozenset()


STATE = State(3, 17, {"nftables": 0})
HELD = state([ALPHA, BETA], {"alpha": addresses("192.0.2.1", "2001:db8::/32")}, allowed=["198.51.100.0/24"])


def test_a_record_is_read_as_it_was_written() -> None:
    record = record_of(HELD, STATE)
    assert read(write(record)) == record
    assert verify(record, HELD) == SOUND
    assert read(write(record)) == Record(STATE, record.sources, record.allowed, record.maps, HELD.markers)


def test_record_names_the_differences() -> None:
    record = record_of(HELD, STATE)
    content = {"alpha": addresses("192.0.2.1", "2001:db8::/32")}
    assert verify(record, state([ALPHA, LOGGED], content, allowed=["198.51.100.0/24"])).structure
    assert verify(record, state([ALPHA, BETA], content, allowed=["198.51.100.0/25"])).structure
    others = state([ALPHA, BETA], {"beta": content["alpha"]}, allowed=["198.51.100.0/24"])
    assert HOSTS4 in verify(record, others).maps
    assert NETS4 not in verify(record, others).maps


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "{}",
        "[]",
        "null",
        "[" * 60_000,
        '{"version": 2}',
        '{"version": 1}',
        '{"version": 1, "state": []}',
        write(record_of(HELD, STATE)).replace('"mark":1', '"mark":"x"'),
        write(record_of(HELD, STATE))[:-1],
    ],
)
def test_what_is_no_record_is_none(text: object) -> None:
    assert read(text) is None


class Trap:
    """A pickle that runs a command in a process that reads it carelessly."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self._call


def test_a_pickle_that_runs_something_runs_nothing(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    for trap in (
        Trap(os.unlink, str(victim)),
        Trap(os.system, f"rm {victim}"),
        Trap(eval, f"__import__('os').unlink({str(victim)!r})"),
        Trap(getattr, os, "unlink"),
    ):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            unpickled(pickle.dumps((0, [trap]), protocol) if trap._call[0] is not getattr else b"\x80\x02cos\nunlink\n.")
    assert victim.exists()


def test_what_fail2ban_answers_is_read_whatever_protocol_it_speaks() -> None:
    value = (0, ["192.0.2.1", ("Currently banned", 3), {"a": None, "b": True, "c": 1.5}, Trap(str, "192.0.2.0/24")])
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        read = unpickled(pickle.dumps(value, protocol))
        assert read == (0, ["192.0.2.1", ("Currently banned", 3), {"a": None, "b": True, "c": 1.5}, "192.0.2.0/24"])
        assert [type(item) for item in read[1]] == [str, tuple, dict, str]


def test_recursive_list_is_not_made_into_text() -> None:
    tower: list[object] = []
    for _ in range(60):
        tower = [tower, tower]
    with pytest.raises(FirewallError, match="only text"):
        unpickled(pickle.dumps((0, Trap(str, tower)), 2))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(answer: bytes) -> None:
    for tried in (answer, b"\x80\x02" + answer, b"\x80\x04(" + answer + b"."):
        with suppress(FirewallError):
            unpickled(tried)


@contextmanager
def answering(folder: Path, answer: bytes) -> Iterator[Path]:
    """A server that is not fail2ban, and gives the same answer to every command."""
    place = folder / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield place
        thread.join()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "broke off"),
        (b"\x80\x02", "broke off"),
        (END, "cannot be read"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" + END, "cannot be read"),
        (pickle.dumps("ERROR: \x1b[2J no") + END, r"unknown form: ERROR: \\x1b\[2J no"),
        (pickle.dumps([1, ValueError("no\nsuch")]) + END, r"refused ping: ValueError: no\\nsuch"),
        (pickle.dumps([1, [2]]) + END, "refused ping: list"),
        (pickle.dumps(None) + END, "unknown form: NoneType"),
        (pickle.dumps(np.float64(1)) + END, "unknown form: "),
    ],
)
def test_malformed_answer_is_reported_printably(tmp_path: Path, answer: bytes, words: str) -> None:
    with answering(tmp_path, answer) as place, pytest.raises(FirewallError, match=words), Fail2banSocket(place) as wire:
        wire.ask("ping")
