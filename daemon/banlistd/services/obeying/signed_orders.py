"""Orders over MQTT: judged, remembered, carried out once, and answered."""

import asyncio
from collections.abc import Awaitable, Callable

from banlistd.core.mqtt.orders.answers import done_answer, failed_answer, refused_answer
from banlistd.core.mqtt.orders.order import IsSigned, OrderRefusal, Recipient, SignedOrder, Why, judged
from banlistd.core.mqtt.orders.seen import MOST_REMEMBERED, SeenOrders
from banlistd.core.printing import counted
from banlistd.errors import BanlistdError, LedgerError, VerificationError
from banlistd.events import Event, EventName
from banlistd.ports import Announcer, Clock
from banlistd.ports.orders import SeenOrderLog

MOST_AT_ONCE = 8
"""Orders that are carried out at the same time: a refresh may take half an hour."""

MOST_REFUSALS = 10
"""Refusals of orders of an operator that are announced in a minute, and of others in an hour; more are only counted: who can
publish may publish at any rate, and each event costs those who follow them.
"""

_MINUTE, _HOUR = 60.0, 3600.0

CarryOut = Callable[[SignedOrder], Awaitable[object]]
"""Carries an order out and returns the document that the control socket would answer. Raises BanlistdError."""


class SignedOrders:
    """Of one recipient. An order is remembered before it is carried out: one that a crash interrupts is not repeated."""

    def __init__(
        self,
        recipient: Recipient,
        is_signed: IsSigned,
        log: SeenOrderLog,
        carry_out: CarryOut,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._recipient = recipient
        self._is_signed = is_signed
        self._log = log
        self._carry_out = carry_out
        self._announcer = announcer
        self._clock = clock
        self._seen: SeenOrders | None = None
        self._lock = asyncio.Lock()
        self._under_way = 0
        # Since when, and how many were announced, by period.
        self._announced: dict[float, tuple[float, int]] = {}
        self._silent = 0

    def configure(self, recipient: Recipient) -> None:
        """From now on, these operators count."""
        self._recipient = recipient

    async def take(self, octets: bytes, *, retained: bool = False) -> bytes | None:
        """The answer to a message of `order/<id>`, when the order is carried out; None: nothing is to be answered.

        A refresh may take half an hour: call it in a task of its own.
        """
        verdict = await self._verdict(octets, retained=retained)
        now = self._clock.now()
        if isinstance(verdict, OrderRefusal):
            is_announced = self._announce(verdict)
            is_answered = verdict.order_id and (verdict.operator or is_announced)
            return refused_answer(verdict, now) if is_answered else None
        try:
            return done_answer(verdict.id, await self._carry_out(verdict))
        except BanlistdError as error:
            return failed_answer(verdict.id, error, self._clock.now())
        finally:
            self._under_way -= 1

    async def _remembered(self) -> SeenOrders:
        if self._seen is None:
            self._seen = SeenOrders.of(await self._log.load())
        return self._seen

    async def _verdict(self, octets: bytes, *, retained: bool) -> SignedOrder | OrderRefusal:
        """A SignedOrder is remembered, and counts as under way."""
        async with self._lock:
            try:
                seen = await self._remembered()
                verdict = judged(octets, self._recipient, seen, self._clock.now(), self._is_signed, retained=retained)
                if isinstance(verdict, OrderRefusal):
                    return verdict
                if self._under_way >= MOST_AT_ONCE:
                    return _refused(verdict, Why.BUSY, f"{MOST_AT_ONCE} orders are being carried out; send it again later")
                await self._log.note([verdict.seen], MOST_REMEMBERED)
            except LedgerError as error:
                return OrderRefusal(Why.NOT_REMEMBERED, f"orders cannot be remembered, so none is carried out: {error.message}")
            except VerificationError as error:
                return OrderRefusal(Why.NOT_CHECKED, f"signatures cannot be checked, so no order is carried out: {error}")
            self._seen = seen.with_order(verdict.seen)
            self._under_way += 1
            return verdict

    def _announce(self, refusal: OrderRefusal) -> bool:
        """Whether it is announced, and not only counted."""
        now = self._clock.monotonic()
        period = _MINUTE if refusal.operator else _HOUR
        begun, announced = self._announced.get(period, (now, 0))
        if now - begun >= period:
            begun, announced = now, 0
        if announced >= MOST_REFUSALS:
            self._silent += 1
            return False
        self._announced[period] = begun, announced + 1
        more = f"; {counted(self._silent, 'other was', 'others were')} refused since the last event" if self._silent else ""
        self._silent = 0
        fields = {"REASON": str(refusal.why)} | ({"OPERATOR": refusal.operator} if refusal.operator else {})
        words = f"an order over MQTT is refused: {refusal.message}{more}"
        self._announcer.announce(Event(EventName.ORDER_REFUSED, words, fields))
        return True


def _refused(order: SignedOrder, why: Why, message: str) -> OrderRefusal:
    return OrderRefusal(why, message, order.id, order.operator.name)
