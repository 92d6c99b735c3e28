"""What becomes of an order about manual bans, and what is announced of it. Pure."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from banlistd.core.addresses.text import span_text
from banlistd.core.manual.ban_draft import BanDraft
from banlistd.core.manual.manual_bans import (
    MOST_BANS,
    BanOrder,
    ConfirmOrder,
    Exemption,
    UnbanOrder,
    exemptions_of,
    exemptions_of_each,
    too_wide,
)
from banlistd.core.printing import counted
from banlistd.core.ruleset.policy import Policy
from banlistd.events import Event, EventName
from banlistd.model import MANUAL, ManualBan, Protected, Span
from banlistd.scopes.names import MOST_BY_HAND
from banlistd.services.orders.mass_orders import MassBan, MassConfirm, MassUnban

Order = BanOrder | UnbanOrder | ConfirmOrder | MassBan | MassUnban | MassConfirm

# A larger order is announced as one event: the journal takes some 10,000 a second.
MOST_ANNOUNCED = 100


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an order: the bans that it made, lifted or confirmed, or why it was refused.

    `is_new`: that origin had not banned it before, or only until a confirmation. `exemptions`: parts of the ban that are not in
    force, and why. `hint`: what to do about a refusal.

    Of an order about many: `fresh` are the bans that are new, `skipped` what is never banned and why, `absent` how many lines
    changed nothing, because the ban is there already or is not there.
    """

    bans: tuple[ManualBan, ...] = ()
    is_new: bool = False
    exemptions: tuple[Exemption, ...] = ()
    refusal: str = ""
    hint: str = "banlistctl protected lists what is never banned, allow: in banlistd.yaml too"
    fresh: tuple[ManualBan, ...] = ()
    skipped: tuple[Exemption, ...] = ()
    absent: int = 0


def decided(order: Order, draft: BanDraft, policy: Policy, protected: Sequence[Protected], now: float) -> Done:
    """What becomes of an order; `draft` is changed accordingly."""
    match order:
        case UnbanOrder(span, origin):
            return Done(tuple(ban for ban in draft.lift(span, origin) if ban.in_force(now)))
        case ConfirmOrder(span):
            return Done(_confirmed(span, draft, now))
        case BanOrder():
            return _banned(order, draft, policy, protected, now)
        case MassBan():
            return _many_banned(order, draft, policy, protected, now)
        case MassUnban(orders):
            found = [[ban for ban in draft.lift(one.span, one.origin) if ban.in_force(now)] for one in orders]
            return Done(tuple(ban for bans in found for ban in bans), absent=sum(not bans for bans in found))
        case MassConfirm(orders):
            confirmed = [_confirmed(one.span, draft, now) for one in orders]
            return Done(tuple(ban for bans in confirmed for ban in bans), absent=sum(not bans for bans in confirmed))
        case _:
            assert_never(order)


def _banned(order: BanOrder, draft: BanDraft, policy: Policy, protected: Sequence[Protected], now: float) -> Done:
    if too_wide(order):
        refusal = f"{span_text(order.span)} is wider than a manual ban may be: at most a /8, or a /12 of IPv6"
        return Done(refusal=refusal, hint="ban parts of it, or make a source of it: path: and a file with that network")
    ban = order.at(now)
    is_exempt, exemptions = exemptions_of(ban, policy, protected)
    if is_exempt:
        why = ", ".join(dict.fromkeys(item.reason for item in exemptions))
        return Done(refusal=f"{span_text(ban.span)} is never banned: {why}")
    before = draft.get(ban.key)
    if before is None and draft.count_of(order.origin) >= MOST_BANS:
        return _too_many(order.origin, f"has {MOST_BANS:,} manual bans")
    if refused := _too_many_scopes(order, draft):
        return refused
    is_banned = before is not None and before.in_force(now) and before.confirm_by is None
    if before is not None and is_banned and order.confirm is not None:
        return _nothing_to_try(before)
    is_new = before is None or not is_banned or before.scope != ban.scope
    if before is not None and not is_new:
        ban = dataclasses.replace(ban, created_at=before.created_at)
    draft.put(ban)
    return Done((ban,), is_new, exemptions)


def _too_many(origin: str, has: str) -> Done:
    hint = f"banlistctl unban --origin {origin} lifts them; a source of its own may hold any number"
    return Done(refusal=f"{origin} {has}, and no origin may have more", hint=hint)


def _too_many_scopes(order: BanOrder, draft: BanDraft) -> Done | None:
    """A refusal where the scope of an order is one too many: every packet pays for each."""
    if order.scope is None or order.scope in (scopes := draft.scopes()) or len(scopes) < MOST_BY_HAND:
        return None
    hint = "banlistctl bans shows them; give the ports and interfaces of one of them"
    return Done(refusal=f"manual bans have {MOST_BY_HAND} different scopes, and no more are possible", hint=hint)


def _nothing_to_try(before: ManualBan) -> Done:
    """A trial would take the place of that ban, which would be lost without a confirmation."""
    refusal = f"{before.origin} has banned {span_text(before.span)} already, so there is nothing to try"
    return Done(refusal=refusal, hint="without --confirm the ban gets its new end at once; banlistctl bans lists it")


def _many_banned(order: MassBan, draft: BanDraft, policy: Policy, protected: Sequence[Protected], now: float) -> Done:
    """All of them, or a refusal that changes nothing. What is never banned is skipped."""
    asked = {ban.key: ban for ban in (one.at(now) for one in order.orders)}
    if refused := _too_many_scopes(order.orders[0], draft):  # all have the same
        return refused
    bans, fresh, kept = [], [], 0
    skipped: list[Exemption] = []
    spared: list[Exemption] = []
    for ban, (is_exempt, exemptions) in zip(
        asked.values(), exemptions_of_each(list(asked.values()), policy, protected), strict=True
    ):
        before = draft.get(ban.key)
        is_banned = before is not None and before.in_force(now) and before.confirm_by is None
        if is_exempt:
            skipped.append(Exemption(span_text(ban.span), ", ".join(dict.fromkeys(item.reason for item in exemptions))))
        elif before is not None and is_banned and order.keeps:
            kept += 1
        elif before is not None and is_banned and ban.confirm_by is not None:
            return _nothing_to_try(before)
        elif before is not None and is_banned and before.scope == ban.scope:
            bans.append(dataclasses.replace(ban, created_at=before.created_at))
            spared += exemptions
        else:
            bans.append(ban)
            fresh.append(ban)
            spared += exemptions
    origin = order.orders[0].origin
    grown = draft.count_of(origin) + sum(draft.get(ban.key) is None for ban in fresh)
    if grown > MOST_BANS:
        return _too_many(origin, f"would have {counted(grown, 'manual ban', 'manual bans')}, more than {MOST_BANS:,}")
    for ban in bans:
        draft.put(ban)
    return Done(tuple(bans), exemptions=tuple(spared), fresh=tuple(fresh), skipped=tuple(skipped), absent=kept)


def _confirmed(span: Span, draft: BanDraft, now: float) -> tuple[ManualBan, ...]:
    """The bans that are confirmed; `draft` is changed accordingly."""
    waiting = [ban for ban in draft.bans_of(span, None) if ban.confirm_by is not None and ban.in_force(now)]
    # Of 100,000 bans dataclasses.replace() takes 0.4 s more.
    confirmed = tuple(
        ManualBan(*ban.span, ban.origin, ban.comment, ban.created_at, ban.expires_at, ban.uid, None, ban.scope)
        for ban in waiting
    )
    for ban in confirmed:
        draft.put(ban)
    return confirmed


def events_of(order: Order, done: Done) -> Iterator[Event]:
    """What is announced of an order: an event for each ban, or one for very many."""
    changed = done.fresh if isinstance(order, MassBan) else done.bans
    if not isinstance(order, BanOrder | ConfirmOrder) and len(changed) > MOST_ANNOUNCED:
        yield _event_of_many(order, changed)
        return
    for ban in changed:
        match order:
            case UnbanOrder() | MassUnban():
                yield _event(EventName.MANUAL_BAN_REMOVED, ban, f"the ban of {ban.origin} is lifted")
            case ConfirmOrder() | MassConfirm():
                yield _event(EventName.MANUAL_BAN_CONFIRMED, ban, f"the ban of {ban.origin} is confirmed")
            case MassBan():
                yield _event(EventName.MANUAL_BAN_ADDED, ban, f"banned by {ban.origin}{_packets(ban)}{_trial_of(ban)}")
            case BanOrder() if done.is_new:
                yield _event(EventName.MANUAL_BAN_ADDED, ban, f"banned by {ban.origin}{_packets(ban)}{_trial_of(ban)}")
            case BanOrder():
                pass
            case _:
                assert_never(order)


def _packets(ban: ManualBan) -> str:
    return "" if ban.scope is None else f" ({ban.scope})"


def _trial_of(ban: ManualBan) -> str:
    return "" if ban.confirm_by is None else f", for {ban.confirm_by - ban.created_at:.0f} s unless it is confirmed"


def _event_of_many(order: UnbanOrder | MassBan | MassUnban | MassConfirm, bans: Sequence[ManualBan]) -> Event:
    match order:
        case MassBan():
            trial = _trial_of(bans[0]).replace("it is", "they are")
            return _many(bans, f"made in one order{trial}", added=len(bans))
        case UnbanOrder() | MassUnban():
            return _many(bans, "lifted in one order", removed=len(bans))
        case MassConfirm():
            return _many(bans, "confirmed in one order")
        case _:
            assert_never(order)


def _many(bans: Sequence[ManualBan], what: str, *, added: int = 0, removed: int = 0) -> Event:
    origins = ", ".join(sorted({ban.origin for ban in bans}))
    words = f"{counted(len(bans), 'manual ban', 'manual bans')} of {origins} {what}"
    fields: dict[str, str | int | float] = {"SOURCE_ID": MANUAL, "ORIGIN": origins, "ADDED": added, "REMOVED": removed}
    return Event(EventName.MANUAL_BANS_CHANGED, words, fields)


def events_of_ends(bans: Sequence[ManualBan]) -> Iterator[Event]:
    """What is announced of bans that have ended by themselves: an event for each, or one for very many."""
    if len(bans) <= MOST_ANNOUNCED:
        yield from map(_event_of_end, bans)
        return
    tried = [ban for ban in bans if ban.confirm_by is not None]
    over = [ban for ban in bans if ban.confirm_by is None]
    if over:
        yield _many(over, "have run out", removed=len(over))
    if tried:
        yield _many(tried, "were not confirmed in time", removed=len(tried))


def events_of_return(bans: Sequence[ManualBan]) -> Iterator[Event]:
    """What is announced of bans that are in force again."""
    if len(bans) <= MOST_ANNOUNCED:
        for ban in bans:
            words = f"the ban of {ban.origin} is in force again: the clock was ahead when it ended"
            yield _event(EventName.MANUAL_BAN_ADDED, ban, words)
    else:
        yield _many(bans, "are in force again: the clock was ahead when they ended", added=len(bans))


def _event_of_end(ban: ManualBan) -> Event:
    why = "has run out" if ban.confirm_by is None else "was not confirmed in time"
    return _event(EventName.MANUAL_BAN_EXPIRED, ban, f"the ban of {ban.origin} {why}")


def _event(name: EventName, ban: ManualBan, words: str) -> Event:
    address = span_text(ban.span)
    fields: dict[str, str | int | float] = {"SOURCE_ID": MANUAL, "ADDRESS": address, "ORIGIN": ban.origin}
    fields |= {"REASON": ban.comment} if ban.comment else {}
    fields |= {"EXPIRES_AT": round(ban.expires_at)} if ban.expires_at is not None else {}
    fields |= {"CONFIRM_BY": round(ban.confirm_by)} if ban.confirm_by is not None else {}
    return Event(name, f"{address}: {words}", fields)
