"""A bell causes one poll for each new version, and any number of false ones cost little."""

import asyncio
import json

import pytest

from banlistd.core.fleet.trust import FleetState
from banlistd.core.mqtt.bell import LARGEST_BELL, rung_version
from banlistd.errors import LedgerError
from banlistd.services.fleet.bell import BELL_REST, LOOK_AGAIN, Bell
from support.virtual_time import run_in_virtual_time


def timestamp(version: object) -> bytes:
    return json.dumps({"signatures": [], "signed": {"_type": "timestamp", "version": version}}).encode()


def test_the_version_of_a_timestamp_is_read() -> None:
    assert rung_version(timestamp(7)) == 7


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"7",
        b"[]",
        b"{}",
        timestamp(True),
        timestamp(0),
        timestamp(-1),
        timestamp("7"),
        b'{"signed": 7}',
        b"\xff",
        b"{" * 9000,
    ],
)
def test_anything_else_is_no_bell(payload: bytes) -> None:
    assert rung_version(payload) is None
    assert rung_version(timestamp(7) + b" " * LARGEST_BELL) is None


class Node:
    """`known`: what it has verified. A poll finds `newest`."""

    def __init__(self, known: int, newest: int, jitter: float = 5.0) -> None:
        self.known, self.newest, self.floor = known, newest, 1.0
        self.polled_at: list[float] = []
        self.bell = Bell(self.version, self.poll, lambda: jitter, self.now)
        self.fails, self.answers = False, True

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()

    async def version(self) -> FleetState:
        if self.fails:
            raise LedgerError("disk full")
        return FleetState(timestamp_version=self.known, floor=self.floor)

    async def poll(self) -> None:
        self.polled_at.append(self.now())
        if self.answers:
            self.known, self.floor = self.newest, self.floor + 1


def test_a_new_version_is_polled_after_a_random_time_and_once() -> None:
    async def body() -> None:
        node, began = Node(1, 2), Node.now()
        for _ in range(3):
            node.bell.ring(timestamp(2))
        await asyncio.sleep(100)
        node.bell.ring(timestamp(2))
        await asyncio.sleep(100)
        assert [at - began for at in node.polled_at] == [5.0]

    run_in_virtual_time(body())


def test_a_version_that_is_known_is_not_polled() -> None:
    async def body() -> None:
        node = Node(2, 2)
        node.bell.ring(timestamp(2))
        await asyncio.sleep(100)
        assert not node.polled_at

    run_in_virtual_time(body())


def test_a_mirror_that_is_behind_is_asked_again_until_it_has_the_version() -> None:
    async def body() -> None:
        node, began = Node(1, 1), Node.now()
        node.bell.ring(timestamp(2))
        await asyncio.sleep(20)
        node.newest = 2
        await asyncio.sleep(1000)
        assert [at - began for at in node.polled_at] == [5.0, 15.0, 35.0]

    run_in_virtual_time(body())


def test_a_version_that_no_mirror_ever_has_is_looked_for_some_times() -> None:
    async def body() -> None:
        node = Node(1, 1)
        node.bell.ring(timestamp(2))
        await asyncio.sleep(1000)
        assert len(node.polled_at) == 1 + len(LOOK_AGAIN)

    run_in_virtual_time(body())


def test_a_mirror_that_does_not_answer_is_left_to_the_polls_of_the_lists() -> None:
    async def body() -> None:
        node = Node(1, 2)
        node.answers = False
        node.bell.ring(timestamp(2))
        await asyncio.sleep(1000)
        assert len(node.polled_at) == 1

    run_in_virtual_time(body())


def test_a_bell_ends_the_pause_before_the_next_look() -> None:
    async def body() -> None:
        node, began = Node(1, 1), Node.now()
        node.bell.ring(timestamp(2))
        await asyncio.sleep(80)  # 75 was the last look; the next one is at 155
        node.newest = 3
        node.bell.ring(timestamp(3))
        await asyncio.sleep(1000)
        assert [at - began for at in node.polled_at][-2:] == [75.0, 85.0]

    run_in_virtual_time(body())


def test_false_bells_cost_a_poll_in_ten_seconds_at_most() -> None:
    async def body() -> None:
        node, began = Node(1, 1, jitter=0.0), Node.now()
        for version in range(2, 1002):
            node.bell.ring(timestamp(version))
            await asyncio.sleep(0.1)
        assert len(node.polled_at) <= (Node.now() - began) / BELL_REST + 1
        await node.bell.end()

    run_in_virtual_time(body())


def test_a_bell_while_a_poll_waits_needs_no_second_one() -> None:
    async def body() -> None:
        node = Node(1, 3)
        node.bell.ring(timestamp(2))
        await asyncio.sleep(1)
        node.bell.ring(timestamp(3))
        await asyncio.sleep(100)
        assert len(node.polled_at) == 1

    run_in_virtual_time(body())


def test_a_poll_that_waits_ends_with_the_connection() -> None:
    async def body() -> None:
        node = Node(1, 2)
        node.bell.ring(timestamp(2))
        await asyncio.sleep(1)
        await node.bell.end()
        await asyncio.sleep(100)
        assert not node.polled_at

    run_in_virtual_time(body())


def test_a_fault_leaves_the_bell_in_order() -> None:
    async def body() -> None:
        node = Node(1, 3)
        node.fails = True
        node.bell.ring(timestamp(2))
        await asyncio.sleep(100)
        node.fails = False
        node.bell.ring(timestamp(3))
        await asyncio.sleep(100)
        assert len(node.polled_at) == 1

    run_in_virtual_time(body())
