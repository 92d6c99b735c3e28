"""Shared bans: what fail2ban bans on some nodes is reported, and listed by the hub once enough sites agree."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from support.mosquitto import broker, listening_to
from support.network_namespace import in_network_namespace
from support.reporters import lifted, message_of, report, reported, signer
from system.daemon_process import PATIENCE, running
from system.fleet.reporting import admit, ban, bans_of, hub_in, listed, next_import, node_in, topic_of, with_credentials


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(is_so):
            continue


@in_network_namespace
def test_a_ban_of_two_sites_is_listed_until_it_is_lifted_or_a_node_is_suspended(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        hub = hub_in(tmp_path / "hub", mosquitto)
        one, two, three = (node_in(tmp_path, mosquitto, f"node-{number}") for number in (1, 2, 3))
        silent = node_in(tmp_path, mosquitto, "node-4", "[]")
        with (
            running(hub, "reports") as gathers,
            running(one, through=with_credentials(one)),
            running(two, through=with_credentials(two)),
            running(three, through=with_credentials(three)),
            running(silent, through=with_credentials(silent)),
        ):
            for name, site in (("node-1", "oslo"), ("node-2", "bergen"), ("node-3", "oslo"), ("node-4", "paris")):
                admit(hub, name, site)
            since = len(gathers.events)
            # One site with two nodes, a node that reports nothing, and a ban of a whole network.
            ban(one, "203.0.113.7", "203.0.113.8", "2001:db8:7::1", "203.0.113.128/25")
            ban(three, "203.0.113.7")
            ban(silent, "203.0.113.7")
            ban(two, "203.0.113.7", "2001:db8:7::2")
            next_import(gathers, since)
            assert listed(hub, "203.0.113.7")
            assert listed(hub, "2001:db8:7::3")
            assert bans_of(hub) == 2
            rows = hub.ask("sightings", "203.0.113.7")
            assert [(row["node"], row["site"]) for row in rows] == [
                ("node-1", "oslo"),
                ("node-2", "bergen"),
                ("node-3", "oslo"),
            ]
            assert {row["id"]: row["sightings"] for row in hub.ask("nodes")} == {
                "node-1": 3,
                "node-2": 2,
                "node-3": 1,
                "node-4": 0,
            }
            since = len(gathers.events)
            assert two.ctl("unban", "2001:db8:7::2").returncode == 0
            next_import(gathers, since)
            assert not listed(hub, "2001:db8:7::3")
            assert hub.ctl("nodes", "suspend", "node-2").returncode == 0
            assert not listed(hub, "203.0.113.7")
            assert bans_of(hub) == 0
            assert not [event for event in gathers.events if event["event"] == "report_refused"]


@in_network_namespace
async def test_what_no_node_may_report_is_refused_and_other_nodes_are_not_delayed(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        hub = hub_in(tmp_path / "hub", mosquitto, "quorum: 1")
        with running(hub, "reports") as gathers:
            await asyncio.to_thread(gathers.wait_for, "mqtt_connected")
            for number in range(1, 10):
                admit(hub, f"node-{number}", f"site-{number}", f"192.0.2.{number}")
            async with listening_to(mosquitto) as heard:
                now = time.time()
                good = reported("203.0.113.7", now)

                async def sent(node: str, octets: bytes, *, retain: bool = False) -> None:
                    await heard.client.publish(topic_of(node), octets, qos=1, retain=retain)

                async def refused(node: str, octets: bytes, *, retain: bool = False) -> str:
                    since = len(gathers.events)
                    await sent(node, octets, retain=retain)
                    event = await asyncio.to_thread(gathers.wait_for, "report_refused", since=since)
                    assert event["node"] == node
                    return str(event["reason"])

                first, since = message_of(report(now, good, name="node-1")), len(gathers.events)
                await sent("node-1", first)
                await asyncio.to_thread(next_import, gathers, since)
                assert listed(hub, "203.0.113.7")
                assert await refused("node-1", first) == "replayed"
                assert await refused("node-2", message_of(report(now, good, name="node-2"), signer("node-1"))) == "wrong_key"
                assert await refused("node-3", message_of(report(now, good, name="node-2"), signer("node-3"))) == "wrong_node"
                assert await refused("node-99", message_of(report(now, good, name="node-99"))) == "unknown_node"
                assert await refused("node-2", b"x" * 60_000) == "too_large"
                assert await refused("node-2", b"PRESS") == "malformed"
                assert await refused("node-2", message_of(report(now - 7200, good, name="node-2"))) == "late"
                assert await refused("node-3", message_of(report(now + 600, good, name="node-3"))) == "early"
                since = len(gathers.events)
                bad = ("10.0.0.1", "127.0.0.1", "198.51.100.7", "192.0.2.4", "fe80::1", "::1")
                await sent("node-4", message_of(report(now, *(reported(text, now) for text in bad), name="node-4")))
                await asyncio.to_thread(gathers.wait_for, "report_refused", since=since)
                assert all(not listed(hub, text) for text in bad)
                assert not any(row["sightings"] for row in hub.ask("nodes") if row["id"] != "node-1")


@in_network_namespace
async def test_a_node_that_floods_uses_up_its_own_quota_alone(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        hub = hub_in(tmp_path / "hub", mosquitto, "quorum: 1")
        with running(hub, "reports") as gathers:
            await asyncio.to_thread(gathers.wait_for, "mqtt_connected")
            admit(hub, "node-1", "oslo")
            admit(hub, "node-2", "bergen")
            async with listening_to(mosquitto) as heard:
                now = time.time()
                floods = [
                    message_of(
                        report(
                            now, *(reported(f"203.{seq}.{high}.{low}", now) for high in (0, 1) for low in range(200)), seq=seq
                        )
                    )
                    for seq in range(1, 20)
                ]
                for octets in floods:
                    await heard.client.publish(topic_of("node-1"), octets, qos=1)
                await heard.client.publish(
                    topic_of("node-2"), message_of(report(now, reported("192.0.2.7", now), name="node-2")), qos=1
                )
                await until(lambda: listed(hub, "192.0.2.7"))
                assert {row["id"]: (row["sightings"], row["left"]) for row in hub.ask("nodes")} == {
                    "node-1": (500, 0),
                    "node-2": (1, 499),
                }
                await heard.client.publish(
                    topic_of("node-2"), message_of(report(now, lifted("192.0.2.7"), name="node-2", seq=2)), qos=1
                )
                await until(lambda: not listed(hub, "192.0.2.7"))


@in_network_namespace
def test_what_is_banned_while_the_hub_or_the_broker_is_away_is_reported_later(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        hub, node = hub_in(tmp_path / "hub", mosquitto, "quorum: 1"), node_in(tmp_path, mosquitto, "node-1")
        mosquitto.stop()
        with running(node, through=with_credentials(node)):
            ban(node, "203.0.113.7")
        mosquitto.start()
        with running(hub, "reports") as gathers:
            admit(hub, "node-1", "oslo")
            gathers.wait_for("mqtt_connected")
            since = len(gathers.events)
            with running(node, through=with_credentials(node)):
                next_import(gathers, since)
                assert listed(hub, "203.0.113.7")
