"""What sources do on a kernel that lacks something, and what is said about it."""

from dataclasses import replace

import pytest

from banlistd.core.ruleset.kernel_parts import KernelPart, RefusedRule, possible_action, remarks_on_lacking, suspects
from banlistd.model import Action, Direction, Mark, SourceId, SourceSlot

EVERY_PART = frozenset(KernelPart)
REFUSED_RULES = {part: RefusedRule(f"-j {part}", f"xt_{part}") for part in KernelPart}


def slot(source_id: str, action: Action) -> SourceSlot:
    return SourceSlot(Mark(1), SourceId(source_id), action, Direction.IN)


DROP, REJECT, LOG = slot("drop", Action.DROP), slot("reject", Action.REJECT), slot("log", Action.LOG)


@pytest.mark.parametrize("action", Action)
def test_what_blocks_blocks_and_what_watches_watches_whatever_is_lacking(action: Action) -> None:
    assert possible_action(action, EVERY_PART).blocks is action.blocks
    assert possible_action(action, frozenset()) is action


@pytest.mark.parametrize(
    ("part", "changed"),
    [(KernelPart.REJECT, {Action.REJECT}), (KernelPart.LOG, {Action.LOG}), (KernelPart.LIMIT, {Action.LOG})],
)
def test_one_part_costs_the_actions_that_need_it(part: KernelPart, changed: set[Action]) -> None:
    assert {action for action in Action if possible_action(action, {part}) is not action} == changed


def test_a_refusal_is_tried_as_it_was_then_without_each_part_that_a_source_needs_then_without_more() -> None:
    parts = (KernelPart.REJECT, KernelPart.LOG, KernelPart.COUNTER)
    known = {KernelPart.LIMIT}
    assert [*suspects([DROP, REJECT], known, parts)] == [
        known,
        known | {KernelPart.REJECT},
        known | {KernelPart.COUNTER},
        known | {KernelPart.REJECT, KernelPart.COUNTER},
    ]
    assert [*suspects([DROP], frozenset(parts), parts)] == [frozenset(parts)]
    tried = [*suspects([DROP, REJECT], frozenset(), (KernelPart.COUNTER, KernelPart.REJECT, KernelPart.ADDRESS_TYPE))]
    assert [len(lacking) for lacking in tried] == [0, 1, 1, 1, 2, 2, 2, 3]


def test_a_remark_names_the_sources_the_rule_and_the_module() -> None:
    (remark,) = remarks_on_lacking([DROP, REJECT], {KernelPart.REJECT, KernelPart.LOG}, REFUSED_RULES)
    assert remark.message == (
        "the rule `-j reject` is refused by the kernel (module xt_reject) or the tool: "
        "packets of reject are dropped and not rejected"
    )
    many = [slot(f"list-{number}", Action.LOG) for number in range(20)]
    (remark,) = remarks_on_lacking(many, {KernelPart.LOG}, REFUSED_RULES)
    assert "packets of sources that log are counted and not logged" in remark.message


def test_where_the_kernel_lacks_nothing_no_source_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[SourceSlot] = []

    def concerns(owner: SourceSlot) -> bool:
        looked_at.append(owner)
        return True

    monkeypatch.setattr(KernelPart.REJECT, "loss", replace(KernelPart.REJECT.loss, concerns=concerns))
    assert remarks_on_lacking([DROP, REJECT], frozenset(), REFUSED_RULES) == []
    assert not looked_at
    remarks_on_lacking([DROP, REJECT], {KernelPart.REJECT}, REFUSED_RULES)
    assert looked_at == [DROP, REJECT]


def test_while_the_sources_are_not_known_every_part_is_named() -> None:
    assert len(remarks_on_lacking(None, EVERY_PART, REFUSED_RULES)) == len(KernelPart)
    assert remarks_on_lacking(None, frozenset(), REFUSED_RULES) == []
