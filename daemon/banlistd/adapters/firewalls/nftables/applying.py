"""Carries a Change out, in as few transactions as keep every ban.

A change of structure has three steps, so that no ban is missing in between: nft adds what is missing, one batch changes
elements and the rules that look them up, then nft writes every chain in its final form.
"""

import errno
import time
from collections.abc import Callable

from banlistd.adapters.firewalls.nftables.batch import Look, compose
from banlistd.adapters.firewalls.nftables.inspection import look_at
from banlistd.adapters.firewalls.nftables.nft import run_nft
from banlistd.adapters.firewalls.nftables.ownership import adopt, flags_for, found, refuse_foreign_owner
from banlistd.adapters.firewalls.nftables.steps import steps_of
from banlistd.adapters.firewalls.nftables.structure import TABLE, RuleForm, preparation, settlement, structure_of
from banlistd.adapters.netlink.nft_monitor import Absence
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.adapters.netlink.wire import NetlinkError
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.state import MapId
from banlistd.errors import FirewallError, StaleGenerationError
from banlistd.model import Ownership

# So long a change is tried again when another process writes in between, in seconds, but at least so often: five tries in a row
# were too few on a busy machine beside 1,200 foreign commits a second (measured).
_PATIENCE = 5.0
_LEAST_TRIES = 5
# Errors for a map whose content differs from what the change expects: absent, present, with another mark, full, overlap.
_SURPRISES = frozenset({errno.ENOENT, errno.EEXIST, errno.EBUSY, errno.ENFILE, errno.ENOTEMPTY})


def apply_change(
    change: Change,
    wire: NetlinkSocket,
    absence: Absence,
    ownership: Ownership,
    nft_knows: Callable[[], bool],
    *,
    form: RuleForm,
) -> int:
    """Carry out `change`; returns how many map elements were written or removed. Counts our commits in `absence`.

    `nft_knows`: whether nft accepts the flags of an owned table. `form`: which rules are written. Raises
    RefusedRuleError where nft or the kernel refuses a rule, other FirewallErrors, and OSError.
    """
    before = look_at(wire)
    # Raises, before anything happens, for an id or mark that must not get into a script.
    structure_of(change.sources, form=form)
    refuse_foreign_owner(before.table, wire)
    if before.table is None and change.reshape:
        found(wire, ownership, nft_knows)
        before, began = look_at(wire), before.generation
        absence.commits += before.generation - began
    elif ownership is not Ownership.NO:
        absence.commits += adopt(wire)
    flags = flags_for(before.table, ownership)
    if not change.reshape:
        return sum(_commit(wire, step, absence, flags, form=form) for step in steps_of(change))
    script = preparation(change.sources, before.chains, before.misplaced, form=form, founded=flags != 0)
    run_nft(script, wire, absence)
    elements = sum(_commit(wire, step, absence, flags, form=form) for step in steps_of(change))
    if before.chains:
        run_nft(settlement(change.sources, look_at(wire).chains, form=form), wire, absence)
    return elements


def _commit(wire: NetlinkSocket, change: Change, absence: Absence, table_flags: int | None, *, form: RuleForm) -> int:
    """One transaction. A map with unexpected content is written whole; after a foreign commit the table is read again."""
    distrusted: set[MapId] = set()
    stale, began = 0, time.monotonic()
    while True:
        look = look_at(wire)
        _refuse_without_table(change, look, form=form)
        composed = compose(change, look, distrusted, table_flags, form=form)
        try:
            wire.commit(composed.batch)
        except NetlinkError as exc:
            map_id = composed.maps.get(exc.sequence)
            if exc.errno == errno.ERESTART:
                stale += 1
                if stale >= _LEAST_TRIES and time.monotonic() - began > _PATIENCE:
                    raise StaleGenerationError(
                        "another process keeps writing to nftables", "find it with: nft monitor"
                    ) from exc
            elif exc.errno in _SURPRISES and map_id is not None and map_id not in distrusted:
                distrusted.add(map_id)
            else:
                raise
        else:
            absence.commits += min(1, wire.generation() - look.generation)
            return composed.elements


def _refuse_without_table(change: Change, look: Look, *, form: RuleForm) -> None:
    missing = structure_of(change.sources, form=form).keys() - look.chains
    if missing:
        raise FirewallError(f"table inet {TABLE} lacks {', '.join(sorted(missing))}", "verify it and write it anew")
