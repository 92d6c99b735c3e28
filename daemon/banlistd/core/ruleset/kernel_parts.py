"""What a kernel may lack of what rules need: what a source does instead, and what the administrator should know. Pure."""

from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from banlistd.model import Action, Remark, SourceSlot


@dataclass(frozen=True, slots=True)
class _Need:
    """What needs a part. `actions`: of the sources that need it. `every`: how to call them all. `instead`: what happens."""

    rule: str
    module: str
    actions: Collection[Action]
    every: str
    instead: str


# With more sources a remark names none of them.
_NAMED = 8
_WATCHING = tuple(action for action in Action if not action.blocks)
_NOT_LOGGED = "packets of {sources} are counted and not logged"


class KernelPart(StrEnum):
    """A part of the kernel that some rules need. Without it, every address is banned all the same."""

    need: _Need

    def __new__(cls, name: str, need: _Need) -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.need = need
        return member

    REJECT = (
        "reject",
        _Need(
            "reject with icmpx admin-prohibited",
            "nft_reject_inet, of Linux 5.9 or newer",
            (Action.REJECT,),
            "sources with action: reject",
            "packets of {sources} are dropped and not rejected",
        ),
    )
    LOG = ("log", _Need("log", "nft_log", (Action.LOG,), "sources with action: log", _NOT_LOGGED))
    LIMIT = ("limit", _Need("limit rate 5/second", "nft_limit", (Action.LOG,), "sources with action: log", _NOT_LOGGED))
    COUNTER = (
        "counter",
        _Need(
            "counter name", "nft_counter or nft_objref", tuple(Action), "all sources", "packets of {sources} are not counted"
        ),
    )
    ADDRESS_TYPE = (
        "fib",
        _Need(
            "fib daddr type",
            "nft_fib_inet",
            tuple(Action),
            "all sources",
            "answers from services that the host needs also reach hosts behind it, if {sources} ban them",
        ),
    )
    INTERFACE_KIND = (
        "meta iifkind",
        _Need(
            "meta iifkind",
            "nf_tables, of Linux 5.1 or newer",
            _WATCHING,
            "sources with action: log or count",
            "in a VRF, packets of {sources} are counted twice",
        ),
    )


def possible_action(action: Action, lacking: AbstractSet[KernelPart]) -> Action:
    """What a source does with packets where these parts are lacking. A source that blocks still does."""
    match action:
        case Action.REJECT:
            return Action.DROP if KernelPart.REJECT in lacking else action
        case Action.LOG:
            return Action.COUNT if lacking & {KernelPart.LOG, KernelPart.LIMIT} else action
        case Action.DROP | Action.COUNT:
            return action


def suspects(
    sources: Sequence[SourceSlot], lacking: AbstractSet[KernelPart], parts: Collection[KernelPart]
) -> Iterator[AbstractSet[KernelPart]]:
    """What may be lacking where rules of these sources were refused, the most likely first.

    `lacking`: what was known to be lacking then; it comes first, because a refusal may pass. `parts`: those that the refused
    rules can need. Then follows each of them that a source needs, then all together.
    """
    yield lacking
    actions = {possible_action(owner.action, lacking) for owner in sources}
    needed = [part for part in parts if part not in lacking and actions & set(part.need.actions)]
    for part in needed:
        yield lacking | {part}
    if len(needed) > 1:
        yield lacking | {*needed}


def remarks_on_lacking(sources: Sequence[SourceSlot] | None, lacking: AbstractSet[KernelPart]) -> Sequence[Remark]:
    """One for each part that a source needs; `sources` None: they are not known, so one for each part."""
    remarks = []
    for part in (part for part in KernelPart if part in lacking):
        concerned = [owner.source_id for owner in sources or () if owner.action in part.need.actions]
        if sources is None or concerned:
            named = ", ".join(concerned) if 0 < len(concerned) <= _NAMED else part.need.every
            remarks.append(
                Remark(
                    f"the kernel or nft refuses the rule `{part.need.rule}` (module {part.need.module}): "
                    + part.need.instead.format(sources=named),
                    "load the module or use a newer kernel, then: systemctl restart banlistd",
                )
            )
    return remarks
