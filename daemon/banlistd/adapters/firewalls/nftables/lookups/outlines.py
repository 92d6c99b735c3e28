"""Rules in outline: how many fields of a packet each loads, and where it sends the packet. Pure.

A rule that nft writes is known as text, and the kernel lists expressions: the outline is what both show.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache

from banlistd.adapters.firewalls.nftables.lookups.matching import Lookups, count_loads, expressions_in
from banlistd.adapters.firewalls.nftables.lookups.scopes import TRACKED, count_loads_of
from banlistd.adapters.firewalls.nftables.rules import netlink_rules, set_chain_rule
from banlistd.adapters.firewalls.nftables.set_chains import SET_CHAINS, wanted_chains
from banlistd.adapters.firewalls.nftables.sets import bases_of
from banlistd.adapters.firewalls.nftables.structure import ASKED, LOOKUPS, RuleForm, is_ours, structure_of
from banlistd.adapters.netlink.expressions import ACCEPT, DROP, GOTO, JUMP, RETURN, verdicts_in
from banlistd.adapters.netlink.messages import text_attribute
from banlistd.model import SourceSlot

Outline = tuple[int, str, str]
"""Fields, verdict, and the chain that this names; both empty where a rule has no verdict or asks a map for it."""

_WORDS: Mapping[int, str] = {DROP: "drop", ACCEPT: "accept", RETURN: "return", JUMP: "jump", GOTO: "goto"}
_REJECTING = text_attribute(1, "reject")


def present_rules(rules: Iterable[tuple[str, bytes]], sets: AbstractSet[str]) -> Mapping[str, Sequence[Outline]]:
    """Of our chains. `rules`: chain and expressions of each. `sets`: those in use, whose chains get their first names."""
    firsts = {name: chain.first_name for name, chain in SET_CHAINS.items() if chain.set_name in sets}
    present: dict[str, list[Outline]] = {}
    for chain, expressions in rules:
        if is_ours(chain) or chain in firsts:
            loads, word, target = outline_of(expressions)
            present.setdefault(firsts.get(chain, chain), []).append((loads, word, firsts.get(target, target)))
    return present


def wanted_rules(sources: Sequence[SourceSlot], asked: AbstractSet[str], *, form: RuleForm) -> Mapping[str, Sequence[Outline]]:
    """Every chain of ours has a rule, so a missing one shows. `asked`: the first names of the maps that rules look into."""
    sets = Lookups({base: base for base in bases_of(sources)}, asked)
    wanted = {
        name: [_outline_of_text(rule) for rule in chain.rules]
        if chain.rules is not None
        else [outline_of(expressions_in(body)) for body in netlink_rules(name, sources, sets, form=form)]
        for name, chain in structure_of(sources, form=form).items()
    }
    for chain in wanted_chains(sources, sets.names, translated=form.translated):
        wanted[chain.name] = [outline_of(expressions_in(set_chain_rule(chain)))]
    return {name: rules for name, rules in wanted.items() if rules}


def is_copy(rules: Iterable[bytes]) -> bool:
    """Whether a base chain does what one of ours does, and no more: some packets return, the others are looked up."""
    outlines = [*map(outline_of, rules)]
    passing = all(word == "return" or target == ASKED for _, word, target in outlines[:-1])
    return passing and bool(outlines) and outlines[-1][2] in (*LOOKUPS, *TRACKED)


# The rules of thousands of sources are read at each inspection.
@lru_cache(maxsize=1 << 13)
def outline_of(expressions: bytes) -> Outline:
    loads = count_loads(expressions)
    if _REJECTING in expressions:
        return loads, "reject", ""
    code, target = next(verdicts_in(expressions), (None, ""))
    return loads, "" if code is None else _WORDS.get(code, str(code)), target


def _outline_of_text(rule: str) -> Outline:
    """What nft writes looks at the mark, or at ports."""
    loads = count_loads_of(rule)
    if " reject with " in f" {rule}":
        return loads, "reject", ""
    *_, before, last = ("", *rule.split(" "))
    if before in ("jump", "goto"):
        return loads, before, last
    return loads, last if last in ("drop", "accept", "return") else "", ""
