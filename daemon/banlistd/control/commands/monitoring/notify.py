"""banlistctl notify: try the notices and the hooks, by an event that only does that."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import Argument, Command, PageContext
from banlistd.control.page import Page
from banlistd.core.printing import printable
from banlistd.errors import UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest


class NotifyAnswer(TypedDict):
    """`event`: the name of what was announced."""

    event: str


def _read(request: "ControlRequest") -> tuple[()]:
    if request.fields.get("test") is not True:
        raise UsageError("test: is missing", "banlistctl notify --test")
    return ()


async def _answer(parts: "Parts", _: tuple[()]) -> NotifyAnswer:
    from banlistd.events import Event, EventName

    parts.events.announce(Event(EventName.NOTICE_TEST, "a test notice was ordered"))
    return {"event": EventName.NOTICE_TEST}


def _page(answer: NotifyAnswer, _: PageContext) -> Page:
    return [
        f"the event {printable(answer['event'])} is announced; banlistd-notify sends it to each receiver and runs each hook",
        "what became of it: journalctl -u banlistd-notify",
    ]


NOTIFY: "Command[tuple[()], NotifyAnswer]" = Command(
    name="notify",
    help="try the notices and the hooks",
    details="An event is announced that banlistd-notify sends to each receiver of `notify:`, and for which it runs each hook,"
    " at once and whatever they select. `banlistd-notify --test`, as root, does so without the daemon, and prints the result.",
    method="POST",
    example={"event": "notice_test"},
    arguments=(Argument("--test", "", "send a test notice", is_flag=True, required=True),),
    read=_read,
    answer=_answer,
    page=_page,
    errors=(UsageError,),
)
