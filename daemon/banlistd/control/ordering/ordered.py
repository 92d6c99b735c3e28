"""A signed order, or a button, becomes the command of banlistctl with the same name."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from banlistd.control.commands.approve import APPROVE
from banlistd.control.commands.fleet.holding import FLEET_HOLD, FLEET_RELEASE
from banlistd.control.commands.manual_bans.ban import BAN
from banlistd.control.commands.manual_bans.unban import UNBAN
from banlistd.control.commands.refresh import REFRESH
from banlistd.control.declaration import Command
from banlistd.control.read_request import read_request
from banlistd.core.config.service.orders import Press, Verb
from banlistd.core.mqtt.orders.order import SignedOrder
from banlistd.events import Event, EventName
from banlistd.ports import Announcer

_COMMANDS: Mapping[Verb, Command[Any, Any]] = {
    Verb.REFRESH: REFRESH,
    Verb.BAN: BAN,
    Verb.UNBAN: UNBAN,
    Verb.APPROVE: APPROVE,
    Verb.FLEET_HOLD: FLEET_HOLD,
    Verb.FLEET_RELEASE: FLEET_RELEASE,
}
_PRESSES: Mapping[Press, Command[Any, Any]] = {Press.REFRESH: REFRESH}

PRESSED = "button"
"""In place of the name of an operator."""


class OrderedCommands:
    """`answer`: answers a command, given what its `read` made of a request. No uid is known, so what is kept of a user's
    own (the content that he looked at last) does not count: `approve` needs the content hash.

    What has begun goes on until `end`, also where its caller is cancelled: a broker that cuts the connection must not end a
    poll half-way.
    """

    def __init__(self, answer: Callable[[Command[Any, Any], Any], Awaitable[object]], announcer: Announcer) -> None:
        self._answer = answer
        self._announcer = announcer
        self._works: set[asyncio.Future[object]] = set()

    async def end(self) -> None:
        """Give up what is under way."""
        works = [*self._works]
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)

    async def carry_out(self, order: SignedOrder) -> object:
        """The document of the command. A ban without an origin is one of `mqtt/NAME`, and the reason for which a list is
        stopped begins with it. Raises BanlistdError.
        """
        name = order.operator.name
        return await self._ordered(_COMMANDS[order.verb], _fields(order, f"mqtt/{name}"), name)

    async def press(self, press: Press) -> object:
        """The document of the command of a button. Raises BanlistdError."""
        return await self._ordered(_PRESSES[press], {}, PRESSED)

    async def _ordered(self, command: Command[Any, Any], fields: Mapping[str, object], name: str) -> object:
        request = read_request(command, {}, json.dumps(fields).encode(), None)
        order = command.read(request)
        words = " ".join((command.name, *request.subject))
        message = f"{words}: ordered by {name} over MQTT"
        self._announcer.announce(Event(EventName.ORDER_GIVEN, message, {"ORDER": words, "OPERATOR": name}))
        work = asyncio.ensure_future(self._answer(command, order))
        self._works.add(work)
        work.add_done_callback(self._ended)
        return await asyncio.shield(work)

    def _ended(self, work: "asyncio.Future[object]") -> None:
        self._works.discard(work)
        if not work.cancelled():
            work.exception()  # retrieved, also where its caller was cancelled


def _fields(order: SignedOrder, by: str) -> Mapping[str, object]:
    """Those of the request. No uid says who gives the order."""
    fields = order.fields
    match order.verb:
        case Verb.BAN:
            return {"origin": by, **fields}
        case Verb.FLEET_HOLD:
            reason = fields.get("reason", "")
            # What is no text is refused as it would be on the socket.
            return {**fields, "reason": f"{by}: {reason}" if reason else by} if isinstance(reason, str) else fields
        case _:
            return fields
