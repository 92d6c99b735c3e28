"""What a kernel may lack of what rules need: what a source does instead, and what the administrator should know. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from banlistd.model import Action, Remark, SourceSlot


@dataclass(frozen=True, slots=True)
class RefusedRule:
    """A rule that needs a part, as the backend's own tool writes it, and the kernel's module for it."""

    rule: str
    module: str


@dataclass(frozen=True, slots=True)
class _Loss:
    """`actions`: of the sources that need a part. `every`: how to call them all. `instead`: what happens without it."""

    actions: Collection[Action]
    every: str
    instead: str


# With more sources a remark names none of them.
_NAMED = 8
_LOGGING = _Loss((Action.LOG,), "sources with action: log", "packets of {sources} are counted and not logged")


class KernelPart(StrEnum):
    """A part of the kernel that some rules need. Without it, every address is banned all the same."""

    loss: _Loss

    def __new__(cls, name: str, loss: _Loss) -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.loss = loss
        return member

    REJECT = (
        "reject",
        _Loss((Action.REJECT,), "sources with action: reject", "packets of {sources} are dropped and not rejected"),
    )
    LOG = ("log", _LOGGING)
    LIMIT = ("limit", _LOGGING)
    COUNTER = ("counter", _Loss(tuple(Action), "all sources", "packets of {sources} are not counted"))
    ADDRESS_TYPE = (
        "address type",
        _Loss(
            tuple(Action),
            "all sources",
            "answers from services that the host needs also reach hosts behind it, if {sources} ban them",
        ),
    )
    INTERFACE_KIND = (
        "interface kind",
        _Loss(
            (Action.LOG, Action.COUNT),
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
        case Action.DROP | Action.COUNT | Action.NONE:
            return action


def possible_slots(sources: Sequence[SourceSlot], lacking: AbstractSet[KernelPart]) -> tuple[SourceSlot, ...]:
    """The sources with the actions that are possible."""
    return tuple(replace(owner, action=possible_action(owner.action, lacking)) for owner in sources)


def suspects(
    sources: Sequence[SourceSlot], lacking: AbstractSet[KernelPart], parts: Collection[KernelPart]
) -> Iterator[AbstractSet[KernelPart]]:
    """What may be lacking where rules of these sources were refused, the most likely first.

    `lacking`: what was known to be lacking then; it comes first, because a refusal may pass. `parts`: those that the refused
    rules can need. Then follows each of them that a source needs, then all together.
    """
    yield lacking
    actions = {possible_action(owner.action, lacking) for owner in sources}
    needed = [part for part in parts if part not in lacking and actions & set(part.loss.actions)]
    for part in needed:
        yield lacking | {part}
    if len(needed) > 1:
        yield lacking | {*needed}


def remarks_on_lacking(
    sources: Sequence[SourceSlot] | None, lacking: AbstractSet[KernelPart], rules: Mapping[KernelPart, RefusedRule]
) -> Sequence[Remark]:
    """One for each part that a source needs; `sources` None: they are not known, so one for each part.

    `rules`: what needs a part; of others nothing is said.
    """
    remarks = []
    for part, refused in rules.items():
        concerned = [owner.source_id for owner in sources or () if owner.action in part.loss.actions]
        if part in lacking and (sources is None or concerned):
            named = ", ".join(concerned) if 0 < len(concerned) <= _NAMED else part.loss.every
            instead = part.loss.instead.format(sources=named)
            message = f"the rule `{refused.rule}` is refused by the kernel (module {refused.module}) or the tool: {instead}"
            remarks.append(Remark(message, "load the module or use a newer kernel, then: systemctl restart banlistd"))
    return remarks
