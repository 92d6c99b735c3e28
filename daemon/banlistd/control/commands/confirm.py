"""banlistctl confirm: keep the configuration that `reload --confirm` tries."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import Command, PageContext, no_fields
from banlistd.control.page import Page
from banlistd.core.printing import counted
from banlistd.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts


class ConfirmAnswer(TypedDict):
    """`sources`: how many are configured now."""

    sources: int


async def _answer(parts: "Parts", _: tuple[()]) -> ConfirmAnswer:
    await parts.service.confirm()
    return {"sources": len(parts.service.config.sources)}


def _page(answer: ConfirmAnswer, _: PageContext) -> Page:
    return [f"the configuration is confirmed: {counted(answer['sources'], 'source', 'sources')}"]


CONFIRM: Command[tuple[()], ConfirmAnswer] = Command(
    name="confirm",
    help="keep the configuration that reload --confirm tries",
    details="Without it the configuration before comes back when the time is over.",
    method="POST",
    example={"sources": 12},
    read=no_fields,
    answer=_answer,
    page=_page,
    errors=(UsageError, LedgerError),
    exits={64: "no configuration waits for its confirmation"},
    timeout=60.0,
)
