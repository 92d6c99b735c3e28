"""What a kernel may lack of what rules need: what a source does instead, and what the administrator should know. Pure."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from typing import Self

from banlistd.model import Action, Remark, SourceSlot


@dataclass(frozen=True, slots=True)
class RefusedRule:
    """A rule that needs a part, as the backend's own tool writes it, and the kernel's module for it."""

    rule: str
    module: str


@dataclass(frozen=True, slots=True)
class _Loss:
    """`concerns`: whether a source needs the part. `every`: how to call them all. `instead`: what happens without it."""

    concerns: Callable[[SourceSlot], bool]
    every: str
    instead: str


def _acting(*actions: Action) -> Callable[[SourceSlot], bool]:
    return lambda owner: owner.action in actions


def logged_to(owner: SourceSlot) -> int | None:
    """Where packets of a source are logged: an NFLOG group, 0 for the kernel log; None: nowhere."""
    if owner.action is Action.NONE:
        return None
    return 0 if owner.action is Action.LOG and owner.log is None else owner.log


def _is_logged(owner: SourceSlot) -> bool:
    return logged_to(owner) is not None


def _is_limited(owner: SourceSlot) -> bool:
    return _is_logged(owner) or owner.hits


def _is_sampled(owner: SourceSlot) -> bool:
    return owner.hits or bool(logged_to(owner))


def _tells_connections(owner: SourceSlot) -> bool:
    return owner.scope is not None and owner.scope.only_new


def _tells_kinds(owner: SourceSlot) -> bool:
    return owner.action in (Action.LOG, Action.COUNT) or (owner.scope is not None and bool(owner.scope.except_interfaces))


def _tells_ports(owner: SourceSlot) -> bool:
    return owner.scope is not None and bool(owner.scope.ports)


def _tells_interfaces(owner: SourceSlot) -> bool:
    return owner.scope is not None and bool(owner.scope.interfaces or owner.scope.except_interfaces)


# With more sources a remark names none of them.
_NAMED = 8
_BANS_NOTHING = "{{sources}} ban nothing, because packets cannot be told by their {}"
_NOT_LOGGED = "packets of {sources} are counted and not logged"


class KernelPart(StrEnum):
    """A part of the kernel, or of the tool, that some rules need. Without it, every address is banned all the same; but what is
    to be banned in some packets only is not, where these cannot be told from the others.
    """

    loss: _Loss

    def __new__(cls, name: str, loss: _Loss) -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.loss = loss
        return member

    REJECT = (
        "reject",
        _Loss(_acting(Action.REJECT), "sources with action: reject", "packets of {sources} are dropped and not rejected"),
    )
    LOG = ("log", _Loss(_is_logged, "sources that log", _NOT_LOGGED))
    LIMIT = ("limit", _Loss(_is_limited, "sources that log or sample", _NOT_LOGGED))
    NFLOG = (
        "nflog",
        _Loss(_is_sampled, "sources with hits or log_group", "packets of {sources} are not sampled, nor logged to a group"),
    )
    COUNTER = ("counter", _Loss(_acting(*Action), "all sources", "packets of {sources} are not counted"))
    ADDRESS_TYPE = (
        "address type",
        _Loss(
            _acting(*Action),
            "all sources",
            "answers from services that the host needs also reach hosts behind it, if {sources} ban them",
        ),
    )
    INTERFACE_KIND = (
        "interface kind",
        _Loss(
            _tells_kinds,
            "sources that count or except interfaces",
            "in a VRF, packets of {sources} are counted twice, or also banned where they pass the interface of the VRF",
        ),
    )
    CONNECTIONS = (
        "connections",
        _Loss(
            _tells_connections,
            "sources with connections: new",
            "addresses of {sources} are banned also where they answer connections of this host",
        ),
    )
    PORTS = ("ports", _Loss(_tells_ports, "sources with ports", _BANS_NOTHING.format("ports")))
    INTERFACES = ("interfaces", _Loss(_tells_interfaces, "sources with interfaces", _BANS_NOTHING.format("interfaces")))
    MARK_MAP = (
        "map of marks",
        _Loss(_acting(*Action), "all sources", "packets of {sources} are compared with the mark of one source after the other"),
    )


def possible_action(action: Action, lacking: AbstractSet[KernelPart]) -> Action:
    """What a source does with packets where these parts are lacking. A source that blocks still does."""
    match action:
        case Action.REJECT:
            return Action.DROP if KernelPart.REJECT in lacking else action
        case Action.LOG:
            return Action.COUNT if lacking & {KernelPart.LOG, KernelPart.LIMIT} else action
        case Action.DROP | Action.COUNT | Action.NONE | Action.ALLOW:
            return action


def possible_slots(sources: Sequence[SourceSlot], lacking: AbstractSet[KernelPart]) -> tuple[SourceSlot, ...]:
    """The sources with what is possible of their actions, and of what they log and sample."""
    return tuple(_possible(owner, lacking) for owner in sources)


def _possible(owner: SourceSlot, lacking: AbstractSet[KernelPart]) -> SourceSlot:
    unlimited = KernelPart.LIMIT in lacking
    part = KernelPart.NFLOG if owner.log else KernelPart.LOG
    return replace(
        owner,
        action=possible_action(owner.action, lacking),
        log=None if unlimited or part in lacking else owner.log,
        hits=owner.hits and not unlimited and KernelPart.NFLOG not in lacking,
    )


def suspects(
    sources: Sequence[SourceSlot], lacking: AbstractSet[KernelPart], parts: Collection[KernelPart]
) -> Iterator[AbstractSet[KernelPart]]:
    """What may be lacking where rules of these sources were refused, the most likely first.

    `lacking`: what was known to be lacking then; it comes first, because a refusal may pass. `parts`: those that the refused
    rules can need. Then follows each of them that a source needs, then each two, then all together.
    """
    yield lacking
    possible = possible_slots(sources, lacking)
    needed = [part for part in parts if part not in lacking and any(map(part.loss.concerns, possible))]
    for count in (1, 2, *{len(needed)} - {0, 1, 2}):
        for some in combinations(needed, count):
            yield lacking | {*some}


def remarks_on_lacking(
    sources: Sequence[SourceSlot] | None, lacking: AbstractSet[KernelPart], rules: Mapping[KernelPart, RefusedRule]
) -> Sequence[Remark]:
    """One for each part that a source needs; `sources` None: they are not known, so one for each part.

    `rules`: what needs a part; of others nothing is said.
    """
    remarks = []
    for part, refused in rules.items():
        if part not in lacking:
            continue
        concerned = [owner.source_id for owner in sources or () if part.loss.concerns(owner)]
        if sources is None or concerned:
            named = ", ".join(concerned) if 0 < len(concerned) <= _NAMED else part.loss.every
            instead = part.loss.instead.format(sources=named)
            message = f"the rule `{refused.rule}` is refused by the kernel (module {refused.module}) or the tool: {instead}"
            remarks.append(Remark(message, "load the module or use a newer kernel, then: systemctl restart banlistd"))
    return remarks
