"""banlistctl reload: read the configuration again."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import Command, PageContext, no_fields
from banlistd.control.page import Page
from banlistd.core.printing import counted, printable
from banlistd.errors import ConfigError, FirewallError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts


class ReloadAnswer(TypedDict):
    """`sources`: how many are configured now. The others: ids."""

    sources: int
    added: list[str]
    removed: list[str]
    changed: list[str]


async def _answer(parts: "Parts", _: tuple[()]) -> ReloadAnswer:
    before = {source.id: source for source in (await parts.service.reload()).sources}
    after = {source.id: source for source in parts.service.config.sources}
    return {
        "sources": len(after),
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(name for name in after.keys() & before.keys() if after[name] != before[name]),
    }


def _page(answer: ReloadAnswer, _: PageContext) -> Page:
    named = (("added", answer["added"]), ("removed", answer["removed"]), ("changed", answer["changed"]))
    changes = [f"{verb}: {', '.join(printable(name) for name in names)}" for verb, names in named if names]
    total = counted(answer["sources"], "source", "sources")
    return [f"configuration reloaded: {total}; {'; '.join(changes) or 'no source was added, removed or changed'}"]


RELOAD: Command[tuple[()], ReloadAnswer] = Command(
    name="reload",
    help="read the configuration again; if it is wrong, the old one stays in force",
    method="POST",
    example={"sources": 12, "added": ["office-bans"], "removed": [], "changed": ["tor"]},
    read=no_fields,
    answer=_answer,
    page=_page,
    errors=(ConfigError, FirewallError),
    timeout=300.0,  # the whole firewall is written at worst
)
