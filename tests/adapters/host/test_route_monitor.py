"""The kernel's word on a new address, link or route arrives at once."""

import asyncio
import subprocess
from collections.abc import Coroutine
from contextlib import closing
from typing import Any

import pytest

from banlistd.adapters.host.route_monitor import RouteMonitor
from support.network_namespace import in_network_namespace, settle

# No test measures it: it ends one that would wait for ever.
PATIENCE = 60.0
# For what must not be reported.
SECONDS = 0.5
# Without IPv6 addresses of its own: the kernel would check them for a second or two, and report that as a change.
LINK = (
    "link add one type veth peer name two",
    "link set one addrgenmode none",
    "link set two addrgenmode none",
    "link set one up",
    "link set two up",
)


def command_ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True)


async def reported(monitor: RouteMonitor, words: str) -> None:
    waiting = asyncio.ensure_future(monitor.wait_for_change())
    await asyncio.to_thread(command_ip, words)
    async with asyncio.timeout(PATIENCE):
        await waiting


async def undisturbed(monitor: RouteMonitor) -> asyncio.Future[None]:
    """What waits for the next change, once the kernel has reported the carrier of new links: it does so once a second
    (net/core/link_watch.c), and later on a busy machine.
    """
    settle()
    waiting = asyncio.ensure_future(monitor.wait_for_change())
    while (await asyncio.wait((waiting,), timeout=1.5))[0]:
        waiting = asyncio.ensure_future(monitor.wait_for_change())
    return waiting


def in_order(*words: str) -> Coroutine[Any, Any, None]:
    async def story() -> None:
        with closing(RouteMonitor()) as monitor:
            for each in words:
                await reported(monitor, each)

    return story()


@in_network_namespace
def test_a_change_of_links_addresses_and_routes_is_reported_at_once() -> None:
    asyncio.run(
        in_order(
            "link add one type veth peer name two",
            "address add 192.0.2.2/24 dev one",
            "address add 2001:db8::2/64 dev one nodad",
            "link set two up",
            "link set one up",
            "route add default via 192.0.2.1",
            "route add 198.51.100.0/24 dev one",
            "route del default",
            "address del 192.0.2.2/24 dev one",
            "link del one",
        )
    )


@in_network_namespace
def test_a_route_of_a_routing_daemon_is_no_change() -> None:
    for words in (*LINK, "address add 192.0.2.2/24 dev one"):
        command_ip(words)

    async def story() -> None:
        with closing(RouteMonitor()) as monitor:
            waiting = await undisturbed(monitor)
            command_ip("route add 203.0.113.0/24 via 192.0.2.3")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(waiting), SECONDS)
            command_ip("route add default via 192.0.2.1")
            await asyncio.wait_for(waiting, PATIENCE)

    asyncio.run(story())


@in_network_namespace
def test_more_notices_than_there_is_room_for_are_a_change(tmp_path: Any) -> None:
    for words in (*LINK, "address add 192.0.2.2/24 dev one"):
        command_ip(words)
    batch = tmp_path / "routes"
    batch.write_text("".join(f"route add 20.{n >> 8}.{n & 255}.0/24 dev one\n" for n in range(5000)))

    async def story() -> None:
        with closing(RouteMonitor()) as monitor:
            command_ip(f"-batch {batch}")
            for _ in range(2):
                await asyncio.wait_for(monitor.wait_for_change(), PATIENCE)
                command_ip("address add 192.0.2.7/24 dev one")
                command_ip("address del 192.0.2.7/24 dev one")

    asyncio.run(story())
