"""banlistctl reload: read the configuration again."""

import argparse
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import Argument, Command, PageContext
from banlistd.control.page import Page
from banlistd.core.printing import counted, printable
from banlistd.errors import ConfigError, FirewallError, RefusedError, UsageError

_DIGITS = 12

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.config.reload import ReloadOrder


class ReloadAnswer(TypedDict):
    """`sources`: how many are configured now. `lifted`: bans that have ended. The others: ids."""

    sources: int
    lifted: int
    added: list[str]
    removed: list[str]
    changed: list[str]


def _read(request: "ControlRequest") -> "ReloadOrder":
    from banlistd.core.config.reload import ReloadOrder

    lift = request.fields.get("lift", 0)
    if not isinstance(lift, int) or isinstance(lift, bool) or lift < 0:
        raise UsageError("lift: is not a number of bans", '{"lift": 5019}')
    confirm = _seconds(request.fields["confirm"]) if "confirm" in request.fields else None
    return ReloadOrder(lift, confirm, request.uid)


def _seconds(text: object) -> float:
    from banlistd.core.config.values import Unfit, confirm_time

    try:
        return confirm_time(str(text))
    except Unfit as verdict:
        raise UsageError(f"confirm: {verdict.words}", verdict.hint) from verdict


async def _answer(parts: "Parts", order: "ReloadOrder") -> ReloadAnswer:
    reloaded = await parts.service.reload(order)
    before = {source.id: source for source in reloaded.before.sources}
    after = {source.id: source for source in parts.service.config.sources}
    return {
        "sources": len(after),
        "lifted": reloaded.lift.lifted,
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(name for name in after.keys() & before.keys() if after[name] != before[name]),
    }


def _page(answer: ReloadAnswer, _: PageContext) -> Page:
    named = (("added", answer["added"]), ("removed", answer["removed"]), ("changed", answer["changed"]))
    changes = [f"{verb}: {', '.join(printable(name) for name in names)}" for verb, names in named if names]
    total = counted(answer["sources"], "source", "sources")
    lifted = f"; {counted(answer['lifted'], 'ban', 'bans')} lifted" if answer["lifted"] else ""
    return [f"configuration reloaded: {total}{lifted}; {'; '.join(changes) or 'no source was added, removed or changed'}"]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS:
        raise argparse.ArgumentTypeError("expected the number of bans that the refusal gives")
    return int(text)


RELOAD: "Command[ReloadOrder, ReloadAnswer]" = Command(
    name="reload",
    help="read the configuration again; if it is wrong, the old one stays in force",
    method="POST",
    arguments=(
        Argument("--lift", "N", "lift up to N bans: the number that the refusal gives", kind=_number),
        Argument("--confirm", "TIME", "try it: unless banlistctl confirm follows within 10s to 1h, the old one comes back"),
    ),
    details="A reload that would lift more than half of the bans, or more than 1,000, is refused with their number, unless"
    " --lift names at least so many; up to 20 may always be lifted. The bans of a new list come with its first poll, so a"
    " list that takes the place of another lifts the bans of that one first. With --confirm any number is lifted, until the"
    " time is over. The old configuration also comes back if the daemon or the machine starts meanwhile. A start puts no"
    " files in force that were not confirmed, nor files that would lift so many bans: then the old configuration is in"
    " force, `banlistctl status` says so, and a reload puts the files in force.",
    example={"sources": 12, "lifted": 0, "added": ["office-bans"], "removed": [], "changed": ["tor"]},
    read=_read,
    answer=_answer,
    page=_page,
    exits={65: "it would lift too many bans (--lift)"},
    errors=(ConfigError, RefusedError, FirewallError),
    timeout=300.0,  # the whole firewall is written at worst
)
