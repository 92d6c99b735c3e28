"""Which rules nft and the kernel accept, tried without writing any."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from banlistd.adapters.firewalls.nftables.nft import accepts, refusal_of
from banlistd.adapters.firewalls.nftables.structure import TEXT_PARTS, RuleForm, rehearsal
from banlistd.core.ruleset.kernel_parts import KernelPart, suspects
from banlistd.model import Remark, SourceSlot


def accepted_form(sources: Sequence[SourceSlot], form: RuleForm) -> RuleForm | None:
    """The first form of the rules of these sources that is accepted, `form` before all; None: none is."""
    every = (replace(form, lacking=lacking) for lacking in suspects(sources, form.lacking, TEXT_PARTS))
    return next((one for one in every if accepts(rehearsal(sources, form=one))), None)


def tried(sources: Sequence[SourceSlot], form: RuleForm) -> tuple[AbstractSet[KernelPart], Sequence[Remark]]:
    """What is lacking for the rules of these sources, and the reason if they are accepted in no form.

    A process without the right to write rules finds nothing out.
    """
    refusal = refusal_of(rehearsal(sources, form=form))
    if refusal is None or not refusal.message:
        return form.lacking, ()
    accepted = accepted_form(sources, form)
    return (form.lacking, [refusal]) if accepted is None else (accepted.lacking, ())
