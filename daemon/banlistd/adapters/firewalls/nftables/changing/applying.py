"""Carries a Change out, in as few transactions as keep every ban and the kernel's memory bounded.

A change of structure has three steps, so that no ban is missing in between: nft adds what is missing, then elements change and
the rules that look them up, then nft writes every chain in its final form. Sets that change much are written whole beside
those in use; one transaction makes the rules look there, and another deletes the old ones.
"""

import errno
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from banlistd.adapters.firewalls.nftables.changing.batch import compose, creation, fillings, removal
from banlistd.adapters.firewalls.nftables.changing.in_parts import write_structure
from banlistd.adapters.firewalls.nftables.changing.staging import MOST_ELEMENTS, Limit, Staging, distrusting, staging_of
from banlistd.adapters.firewalls.nftables.changing.steps import steps_of
from banlistd.adapters.firewalls.nftables.inspection import look_at
from banlistd.adapters.firewalls.nftables.look import Look, TableState
from banlistd.adapters.firewalls.nftables.lookups.kept_look import KeptLook
from banlistd.adapters.firewalls.nftables.ownership import adopt, flags_for, found, refuse_foreign_owner, wake
from banlistd.adapters.firewalls.nftables.records import Elements
from banlistd.adapters.firewalls.nftables.samples import Sampling, count_fits, sample_fits
from banlistd.adapters.firewalls.nftables.sets import EVERY_MAP, WATCHING_FORM, SetState
from banlistd.adapters.firewalls.nftables.structure import TABLE, WATCHING, RuleForm, preparation, settlement, structure_of
from banlistd.adapters.netlink.nft_monitor import Absence
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.adapters.netlink.wire import NetlinkError
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.state import MapId
from banlistd.errors import LostStructureError, RefusedRuleError, StaleGenerationError
from banlistd.model import Ownership

# So long a change is tried again when another process writes in between, in seconds, but at least so often: five tries in a row
# were too few on a busy machine beside 1,200 foreign commits a second (measured).
_PATIENCE = 5.0
_LEAST_TRIES = 5
# Errors for a map whose content differs from what the change expects: absent, present, with another mark, full, overlap.
_SURPRISES = frozenset({errno.ENOENT, errno.EEXIST, errno.EBUSY, errno.ENFILE, errno.ENOTEMPTY})

_SAMPLE = 64
"""Elements that are looked up in a set before it is used, on a kernel that does not say how many it has."""


def apply_change(
    change: Change,
    wire: NetlinkSocket,
    absence: Absence,
    ownership: Ownership,
    nft_knows: Callable[[], bool],
    kept: KeptLook,
    *,
    form: RuleForm,
) -> int:
    """Carry out `change`; returns how many map elements were written or removed. Counts our commits in `absence`.

    `kept`: the last look at the table. `nft_knows`: whether nft accepts the flags of an owned table. `form`: which rules are
    written. Raises RefusedRuleError where nft or the kernel refuses a rule, other FirewallErrors, and OSError.
    """
    before = kept.at(wire, look_at)
    # Raises, before anything happens, for an id or mark that must not get into a script.
    structure_of(change.sources, form=form)
    refuse_foreign_owner(before.table, wire)
    if before.table is None and change.reshape:
        found(wire, ownership, nft_knows)
        before, began = look_at(wire), before.generation
        absence.commits += before.generation - began
    elif ownership is not Ownership.NO:
        absence.commits += adopt(wire)
    if change.reshape:
        absence.commits += wake(wire)
    writing = _Writing(wire, absence, flags_for(before.table, ownership), kept, form)
    if not change.reshape:
        return writing.carry_out(change)
    if WATCHING in before.sets and before.sets[WATCHING].form != WATCHING_FORM:
        # Another process has made it anew. No rule of ours can look into it.
        remove_sets(before, [WATCHING], wire, absence)
    script = preparation(change.sources, before.chains, before.misplaced, form=form, founded=writing.table_flags != 0)
    write_structure(script, wire, absence)
    elements = writing.carry_out(change)
    if before.chains:
        present = look_at(wire).chains
        try:
            write_structure(settlement(change.sources, present, form=form), wire, absence)
        except RefusedRuleError:
            # A rule of another program, in a chain of its own, may jump to a surplus chain: that one stays, without rules.
            write_structure(settlement(change.sources, present, form=form, deletes=False), wire, absence)
    return elements


def remove_sets(look: Look, names: Sequence[str], wire: NetlinkSocket, absence: Absence, chains: Sequence[str] = ()) -> None:
    """Delete sets with their chains, and other chains; where another process uses one, the others. A chain to which a rule of
    another program jumps stays, without rules. Counts our commits.
    """
    if not names and not chains:
        return
    every = sorted({*chains, *look.chains_of(names)})
    if _is_removed(names, every, wire, absence):
        return
    if len(names) + len(chains) > 1:
        for name in names:
            remove_sets(look, [name], wire, absence)
        for chain in {*chains}.difference(look.chains_of(names)):
            remove_sets(look, [], wire, absence, [chain])
    elif every:
        # A rule of another program may also look into the set.
        tries = ((names, True), ((), False), ((), True))
        any(_is_removed(sets, every, wire, absence, empties=empties) for sets, empties in tries)


def _is_removed(
    names: Sequence[str], chains: Sequence[str], wire: NetlinkSocket, absence: Absence, *, empties: bool = False
) -> bool:
    try:
        wire.commit(removal(names, chains, empties=empties))
    except NetlinkError as exc:
        if exc.errno not in (errno.EBUSY, errno.ENOENT):
            raise
        return False
    absence.commits += 1
    return True


class _UnexpectedContentError(Exception):
    """A map does not contain what the change expects."""

    def __init__(self, map_id: MapId) -> None:
        super().__init__(map_id.name)
        self.map_id = map_id


class _LostSetError(Exception):
    """Another process has changed or deleted what was filled."""


class _Patience:
    """Ends tries that foreign writes made vain."""

    def __init__(self) -> None:
        self._tries, self._began = 0, time.monotonic()

    def try_again(self, cause: Exception) -> None:
        """Raises StaleGenerationError after a while."""
        self._tries += 1
        if self._tries >= _LEAST_TRIES and time.monotonic() - self._began > _PATIENCE:
            raise StaleGenerationError("another process keeps writing to nftables", "find it with: nft monitor") from cause


@dataclass(frozen=True, slots=True)
class _Writing:
    """Writes sets and rules for one change. `absence`: counts our commits."""

    wire: NetlinkSocket
    absence: Absence
    table_flags: int | None
    kept: KeptLook
    form: RuleForm

    def carry_out(self, change: Change) -> int:
        """A map with unexpected content is written whole. Returns how many map elements were written or removed.

        The kernel refuses a batch where a process has written since the last look.
        """
        distrusted: frozenset[MapId] = frozenset()
        patience = _Patience()
        limit = Limit(MOST_ELEMENTS, self.wire.room())
        while True:
            look = self.kept.at(self.wire, look_at)
            _refuse_without_table(change, look, form=self.form)
            staging = staging_of(distrusting(change, distrusted), look, limit)
            try:
                elements = self._fill(staging, look, limit)
                steps = steps_of(staging.change)
                for step in steps:
                    elements += self._commit(step, staging, switches=step is steps.main)
            except _UnexpectedContentError as exc:
                if exc.map_id in distrusted:
                    raise exc.__cause__ or exc from None
                distrusted |= {exc.map_id}
            except _LostSetError as exc:
                patience.try_again(exc)
            else:
                if staging.sets or change.reshape:
                    look = look_at(self.wire)
                    chains = look.surplus_chains(change.sources, translated=self.form.translated)
                    remove_sets(look, look.surplus(change.sources), self.wire, self.absence, chains)
                return elements

    def _fill(self, staging: Staging, look: Look, limit: Limit) -> int:
        """Write sets beside those in use. Foreign commits meanwhile do no harm: what is filled is counted before it is used."""
        if not staging.sets and not staging.markers:
            return 0
        remove_sets(look, look.unfinished, self.wire, self.absence)
        try:
            self.wire.commit(creation(staging, look, form=self.form))
            self.absence.commits += 1
            for batch in fillings(staging, limit):
                self.wire.commit(batch)
                self.absence.commits += 1
        except NetlinkError as exc:
            if exc.errno not in _SURPRISES:
                raise
            raise _LostSetError from exc
        return sum(len(staged) for base, staged in staging.sets.items() if base in EVERY_MAP)

    def _commit(self, change: Change, staging: Staging, *, switches: bool) -> int:
        """One transaction. After a foreign commit the table is read again."""
        patience = _Patience()
        while True:
            look, rules = self.kept.at(self.wire, look_at), self.kept.rules
            _refuse_without_table(change, look, form=self.form)
            if switches:
                _refuse_altered(staging, look, self.wire)
            composed = compose(change, look, staging, self.table_flags, form=self.form, switches=switches)
            self.kept.forget()
            try:
                self.wire.commit(composed.batch)
            except NetlinkError as exc:
                map_id = composed.maps.get(exc.sequence)
                if exc.errno == errno.ERESTART:
                    patience.try_again(exc)
                elif exc.errno in _SURPRISES and map_id is not None:
                    raise _UnexpectedContentError(map_id) from exc
                else:
                    raise
            else:
                generation = self.wire.generation()
                self.absence.commits += min(1, generation - look.generation)
                is_of_elements = not composed.has_rules and bool(composed.elements or change.markers)
                if is_of_elements and look.table == TableState(0, 0):
                    self.kept.follow(look, rules, change, generation)
                return composed.elements


def _refuse_altered(staging: Staging, look: Look, wire: NetlinkSocket) -> None:
    for staged in staging.sets.values():
        name, elements = staged.shape.name, staged.elements
        present = look.sets.get(name)
        if present is None or (elements is not None and not _is_whole(present, elements, name, wire)):
            raise _LostSetError(name)


def _is_whole(present: SetState, elements: Elements, name: str, wire: NetlinkSocket) -> bool:
    """By its number; where the kernel tells none, by some elements: a flush has taken the first one, whenever it was."""
    if present.count is not None:
        return count_fits(present, elements)
    return sample_fits(wire, name, elements, Sampling(Random(len(elements.first)), _SAMPLE))  # noqa: S311 - no secret: any will do


def _refuse_without_table(change: Change, look: Look, *, form: RuleForm) -> None:
    missing = structure_of(change.sources, form=form).keys() - look.chains
    if missing:
        raise LostStructureError(f"table inet {TABLE} lacks {', '.join(sorted(missing))}", "verify it and write it anew")
