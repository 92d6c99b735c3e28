"""Orders over MQTT, carried out by a daemon with a real database file: once, also across a restart, and answered."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.adapters.storage.orders.orders_seen import SeenOrderTable
from banlistd.control.commands.fleet.holding import ReleaseOrder, StopOrder
from banlistd.control.declaration import Command
from banlistd.control.ordering.ordered import OrderedCommands
from banlistd.control.parts import answered_by
from banlistd.core.config.service.orders import Press, Verb
from banlistd.core.mqtt.orders.order import Recipient, SignedOrder
from banlistd.errors import LedgerError, UsageError, VerificationError
from banlistd.events import EventName
from banlistd.services.obeying.presses import Presses
from banlistd.services.obeying.signed_orders import MOST_AT_ONCE, MOST_REFUSALS, CarryOut, SignedOrders
from support.fakes import FakeAnnouncer, FakeClock
from support.operators import ANNA, BERT, ID, recipient
from support.sources import BOTH, ONE, TWO
from worlds import DaemonWorld, Environment, run

BAN = {"address": "203.0.113.7", "for": "10m"}
EVERYBODY = recipient(ANNA.operator(), BERT.operator(Verb.REFRESH))


def commands_of(world: DaemonWorld) -> OrderedCommands:
    return OrderedCommands(partial(answered_by, world.parts), world.announcer)


def orders_of(world: DaemonWorld, of: Recipient = EVERYBODY, carry_out: CarryOut | None = None) -> SignedOrders:
    table = world.service._services.orders
    return SignedOrders(of, is_signed_by, table, carry_out or commands_of(world).carry_out, world.announcer, world.clock)


async def taken(orders: SignedOrders, octets: bytes, *, retained: bool = False) -> Any:
    answer = await orders.take(octets, retained=retained)
    return None if answer is None else json.loads(answer)


def numbered(number: int) -> str:
    return f"{number:032x}"


def test_a_ban_and_its_end_are_carried_out_and_answered(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        orders = orders_of(world)
        now = world.clock.now()
        answer = await taken(orders, ANNA.order(now, "ban", BAN))
        assert (answer["v"], answer["id"], answer["ok"]) == (1, ID, True)
        assert (answer["document"]["address"], answer["document"]["origin"]) == ("203.0.113.7", "mqtt/anna")
        assert world.banned() == {"203.0.113.7"}
        (row,) = await world.ask("bans")
        assert (row["origin"], row["user"]) == ("mqtt/anna", "")
        answer = await taken(orders, ANNA.order(now, "unban", {"address": "203.0.113.7"}, id=numbered(1)))
        assert (answer["ok"], len(answer["document"]["removed"])) == (True, 1)
        assert world.banned() == set()
        given = [event for event in world.announcer.events if event.name is EventName.ORDER_GIVEN]
        assert [(event.fields["ORDER"], event.fields["OPERATOR"]) for event in given] == [
            ("ban 203.0.113.7", "anna"),
            ("unban 203.0.113.7", "anna"),
        ]

    run(Environment(tmp_path), BOTH, life)


def test_a_replay_is_refused_also_after_a_restart_and_with_the_clock_set_back(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    order = ANNA.order(environment.clock.now(), "ban", BAN)

    async def before(world: DaemonWorld) -> None:
        orders = orders_of(world)
        assert (await taken(orders, order))["ok"]
        await world.ask("unban", address="203.0.113.7")
        assert (await taken(orders, order))["error"]["kind"] == "replayed"

    async def after(world: DaemonWorld) -> None:
        environment.clock.ahead = 3600
        assert (await taken(orders_of(world), order))["error"]["kind"] == "late"
        environment.clock.ahead = 0
        assert (await taken(orders_of(world), order))["error"]["kind"] == "replayed"
        assert world.banned() == set()

    run(environment, BOTH, before)
    run(environment, BOTH, after)
    refused = [event for event in environment.announcer.events if event.name is EventName.ORDER_REFUSED]
    assert [event.fields for event in refused] == [
        {"REASON": "replayed", "OPERATOR": "anna"},
        {"REASON": "late", "OPERATOR": "anna"},
        {"REASON": "replayed", "OPERATOR": "anna"},
    ]


def test_sources_are_polled_and_a_refused_list_is_approved_by_its_hash(tmp_path: Path) -> None:
    environment = Environment(tmp_path)

    async def life(world: DaemonWorld) -> None:
        orders, now = orders_of(world), world.clock.now()
        answer = await taken(orders, BERT.order(now, "refresh", {"sources": [ONE]}))
        assert [(row["id"], row["outcome"]) for row in answer["document"]] == [(ONE, "completed")]
        answer = await taken(orders, BERT.order(now, "refresh", {}, id=numbered(1)))
        assert {row["id"] for row in answer["document"]} == {ONE, TWO}
        environment.fetcher.bodies[ONE] = b"192.0.0.0/7\n"
        answer = await taken(orders, ANNA.order(now, "refresh", {"sources": [ONE]}, id=numbered(3)))
        assert answer["document"][0]["outcome"] == "refused"
        (row,) = await world.ask("quarantine", source=ONE)
        answer = await taken(orders, ANNA.order(now, "approve", {"sources": [ONE]}, id=numbered(4)))
        assert (answer["ok"], answer["error"]["kind"]) == (False, "UsageError")
        digits = row["content_hash"][:8]
        answer = await taken(orders, ANNA.order(now, "approve", {"sources": [ONE], "hash": digits}, id=numbered(5)))
        assert [(row["id"], row["outcome"]) for row in answer["document"]] == [(ONE, "completed")]

    run(environment, BOTH, life)


@pytest.mark.parametrize(
    ("octets", "kind", "is_answered"),
    [
        (b"PRESS", "malformed", False),
        (BERT.order(1_000_000, "ban", BAN), "not_allowed", True),
        (BERT.order(1_000_000, "refresh", to="node-2"), "wrong_recipient", True),
        (ANNA.order(1_000_000 - 100, "ban", BAN), "late", True),
        (ANNA.order(1_000_000 + 100, "ban", BAN), "early", True),
        (b'{"v":1}', "unsigned", False),
        (50_000 * b"x", "too_large", False),
    ],
)
def test_a_refusal_is_announced_and_changes_nothing(tmp_path: Path, octets: bytes, kind: str, is_answered: bool) -> None:
    async def life(world: DaemonWorld) -> None:
        answer = await taken(orders_of(world), octets)
        assert (answer is not None) is is_answered
        if answer is not None:
            assert (answer["ok"], answer["error"]["kind"], answer["clock"]) == (False, kind, 1_000_000)
        (event,) = (event for event in world.announcer.events if event.name is EventName.ORDER_REFUSED)
        assert event.fields["REASON"] == kind
        assert world.banned() == set()
        assert EventName.ORDER_GIVEN not in world.announcer.names()

    run(Environment(tmp_path), BOTH, life)


def test_a_retained_order_is_never_carried_out(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        order = ANNA.order(world.clock.now(), "ban", BAN)
        assert await taken(orders_of(world), order, retained=True) is None
        assert world.banned() == set()

    run(Environment(tmp_path), BOTH, life)


def test_wrong_fields_are_answered_as_on_the_socket(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        orders, now = orders_of(world), world.clock.now()
        for number, fields in enumerate(({}, {"address": "x"}, {"address": "203.0.113.7", "more": 1}, {"address": 7})):
            answer = await taken(orders, ANNA.order(now, "ban", fields, id=numbered(number)))
            assert (answer["ok"], answer["error"]["kind"]) == (False, "UsageError")
        answer = await taken(orders, ANNA.order(now, "ban", {"address": "127.0.0.1"}, id=numbered(9)))
        assert (answer["ok"], answer["error"]["kind"]) == (False, "RefusedError")
        answer = await taken(orders, ANNA.order(now, "refresh", {"sources": ["\n"]}, id=numbered(10)))
        assert (answer["ok"], answer["error"]["kind"]) == (False, "NoSuchSourceError")
        assert world.announcer.names().count(EventName.ORDER_GIVEN) == 1

    run(Environment(tmp_path), BOTH, life)


def test_more_orders_than_go_at_once_are_refused_and_may_come_again(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        gate, entered = asyncio.Event(), asyncio.Semaphore(0)

        async def wait(_: SignedOrder) -> object:
            entered.release()
            await gate.wait()
            return []

        orders, now = orders_of(world, carry_out=wait), world.clock.now()
        tasks = [
            asyncio.create_task(taken(orders, ANNA.order(now, "refresh", id=numbered(number))))
            for number in range(MOST_AT_ONCE)
        ]
        for _ in tasks:
            await entered.acquire()
        late = ANNA.order(now, "refresh", id=numbered(99))
        assert (await taken(orders, late))["error"]["kind"] == "busy"
        gate.set()
        assert all(answer["ok"] for answer in await asyncio.gather(*tasks))
        assert (await taken(orders, late))["ok"]

    run(Environment(tmp_path), BOTH, life)


def test_an_order_that_cannot_be_remembered_is_not_carried_out(tmp_path: Path) -> None:
    class Broken(SeenOrderTable):
        async def note(self, *_: object) -> None:
            raise LedgerError("disk")

    async def life(world: DaemonWorld) -> None:
        orders = SignedOrders(
            EVERYBODY, is_signed_by, Broken(world.database), commands_of(world).carry_out, world.announcer, world.clock
        )
        await orders.take(ANNA.order(world.clock.now(), "ban", BAN))
        assert world.banned() == set()
        assert [event.fields["REASON"] for event in world.announcer.events if event.name is EventName.ORDER_REFUSED] == [
            "not_remembered"
        ]

    run(Environment(tmp_path), BOTH, life)


def test_an_order_whose_signature_cannot_be_checked_is_not_carried_out(tmp_path: Path) -> None:
    def without_library(*_: bytes) -> bool:
        raise VerificationError("there is no libcrypto")

    async def life(world: DaemonWorld) -> None:
        table = SeenOrderTable(world.database)
        carry_out = commands_of(world).carry_out
        orders = SignedOrders(EVERYBODY, without_library, table, carry_out, world.announcer, world.clock)
        await orders.take(ANNA.order(world.clock.now(), "ban", BAN))
        assert world.banned() == set()
        assert world.announcer.events[-1].fields["REASON"] == "not_checked"

    run(Environment(tmp_path), BOTH, life)


def test_what_was_seen_is_written_into_a_database_that_was_replaced(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    order = ANNA.order(environment.clock.now(), "ban", BAN)

    async def before(world: DaemonWorld) -> None:
        assert (await taken(orders_of(world), order))["ok"]
        await world.database.write(lambda connection: connection.execute("DELETE FROM orders_seen"))
        await world.service._resync_ledger()

    async def after(world: DaemonWorld) -> None:
        assert (await taken(orders_of(world), order))["error"]["kind"] == "replayed"

    run(environment, BOTH, before)
    run(environment, BOTH, after)


def test_a_flood_of_refusals_is_counted_and_not_announced_one_by_one(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        orders = orders_of(world)
        for _ in range(MOST_REFUSALS + 5):
            await orders.take(b"x")
        refused = [event for event in world.announcer.events if event.name is EventName.ORDER_REFUSED]
        assert len(refused) == MOST_REFUSALS
        # The answer to a proven operator does not depend on what others send.
        assert (await taken(orders, BERT.order(world.clock.now(), "ban", BAN)))["error"]["kind"] == "not_allowed"
        assert "5 others were refused" in world.announcer.events[-1].message
        world.clock.time += 61
        seen = len(world.announcer.events)
        await orders.take(b"x")
        assert len(world.announcer.events) == seen
        world.clock.time += 3600
        await orders.take(b"x")
        assert "1 other was refused" in world.announcer.events[-1].message

    run(Environment(tmp_path), BOTH, life)


def test_a_key_that_is_taken_out_by_a_reload_counts_no_more(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        orders = orders_of(world)
        orders.configure(recipient(BERT.operator(Verb.REFRESH)))
        assert (await taken(orders, ANNA.order(world.clock.now(), "ban", BAN)))["error"]["kind"] == "wrong_key"

    run(Environment(tmp_path), BOTH, life)


def test_what_has_begun_goes_on_when_the_connection_is_lost_until_the_daemon_stops() -> None:
    async def life() -> None:
        begun, may_end, ends = asyncio.Event(), asyncio.Event(), []

        async def answer(*_: object) -> object:
            begun.set()
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                ends.append("cancelled")
                raise
            ends.append("done")
            return {}

        commands = OrderedCommands(answer, FakeAnnouncer())
        presses = Presses([Press.REFRESH], commands.press, FakeClock())
        for expected in (["done"], ["done", "cancelled"]):
            begun.clear()
            pressing = asyncio.ensure_future(presses.press("refresh"))
            await begun.wait()
            pressing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pressing
            presses._last = None
            assert not await presses.press("refresh")
            if expected == ["done"]:
                may_end.set()
            else:
                await commands.end()
            for _ in range(5):  # turns in which the works and those that wait for them end
                await asyncio.sleep(0)
            may_end.clear()
            assert ends == expected

    asyncio.run(life())


def test_a_button_polls_every_source_at_most_once_in_a_minute(tmp_path: Path) -> None:
    environment = Environment(tmp_path)

    async def life(world: DaemonWorld) -> None:
        presses = Presses([Press.REFRESH], commands_of(world).press, world.clock)
        assert not await presses.press("ban")
        assert not await presses.press("refresh", retained=True)
        assert await presses.press("refresh")
        assert environment.fetcher.polled() == [ONE, TWO]
        assert not await presses.press("refresh")
        world.clock.time += 61
        assert await presses.press("refresh")
        (event, _) = (event for event in world.announcer.events if event.name is EventName.ORDER_GIVEN)
        assert event.fields == {"ORDER": "refresh", "OPERATOR": "button"}
        presses.configure([])
        world.clock.time += 61
        assert not await presses.press("refresh")

    run(environment, BOTH, life)


def test_who_stops_a_list_for_a_fleet_is_named_in_its_reason() -> None:
    async def life() -> None:
        asked: list[tuple[str, Any]] = []

        async def answer(command: Command[Any, Any], order: Any) -> object:
            asked.append((command.name, order))
            return {}

        commands = OrderedCommands(answer, FakeAnnouncer())
        for verb, fields in (
            (Verb.FLEET_HOLD, {"list": "drop"}),
            (Verb.FLEET_HOLD, {"list": "drop", "reason": "odd", "keep": True}),
            (Verb.FLEET_RELEASE, {"list": "drop"}),
        ):
            await commands.carry_out(SignedOrder(ANNA.operator(), verb, fields, ID, 0, 60))
        with pytest.raises(UsageError):
            await commands.carry_out(SignedOrder(ANNA.operator(), Verb.FLEET_HOLD, {"list": "drop", "reason": 1}, ID, 0, 60))
        assert asked == [
            ("fleet hold", StopOrder("drop", None, "mqtt/anna", None)),
            ("fleet hold", StopOrder("drop", (), "mqtt/anna: odd", None)),
            ("fleet release", ReleaseOrder("drop", None)),
        ]

    asyncio.run(life())
