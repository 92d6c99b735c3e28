"""What becomes of an order about manual bans, and what is announced of it. Pure."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from banlistd.core.addresses.text import span_text
from banlistd.core.ban_index import BanDraft
from banlistd.core.manual_bans import (
    MOST_BANS,
    BanOrder,
    ConfirmOrder,
    Exemption,
    UnbanOrder,
    exemptions_of,
    too_wide,
)
from banlistd.core.ruleset.policy import Policy
from banlistd.events import Event, EventName
from banlistd.model import MANUAL, ManualBan, Protected, Span

Order = BanOrder | UnbanOrder | ConfirmOrder


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an order: the bans that it made, lifted or confirmed, or why it was refused.

    `is_new`: that origin had not banned it before, or only until a confirmation. `exemptions`: parts of the ban that are not in
    force, and why. `hint`: what to do about a refusal.
    """

    bans: tuple[ManualBan, ...] = ()
    is_new: bool = False
    exemptions: tuple[Exemption, ...] = ()
    refusal: str = ""
    hint: str = "banlistctl protected lists what is never banned, allow: in banlistd.yaml too"


def decided(order: Order, draft: BanDraft, policy: Policy, protected: Sequence[Protected], now: float) -> Done:
    """What becomes of an order; `draft` is changed accordingly."""
    match order:
        case UnbanOrder(span, origin):
            return Done(tuple(ban for ban in draft.lift(span, origin) if ban.in_force(now)))
        case ConfirmOrder(span):
            return Done(_confirmed(span, draft, now))
        case BanOrder():
            return _banned(order, draft, policy, protected, now)
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
        refusal = f"{order.origin} has {MOST_BANS:,} manual bans, and no origin may have more"
        hint = f"banlistctl unban --origin {order.origin} lifts them; a source of its own may hold any number"
        return Done(refusal=refusal, hint=hint)
    is_new = before is None or not before.in_force(now) or before.confirm_by is not None
    if before is not None and not is_new:
        if order.confirm is not None:
            # It would take the place of that ban, which would be lost without a confirmation.
            refusal = f"{order.origin} has banned {span_text(ban.span)} already, so there is nothing to try"
            return Done(refusal=refusal, hint="without --confirm the ban gets its new end at once; banlistctl bans lists it")
        ban = dataclasses.replace(ban, created_at=before.created_at)
    draft.put(ban)
    return Done((ban,), is_new, exemptions)


def _confirmed(span: Span, draft: BanDraft, now: float) -> tuple[ManualBan, ...]:
    """The bans that are confirmed; `draft` is changed accordingly."""
    waiting = (ban for ban in draft.bans_of(span, None) if ban.confirm_by is not None and ban.in_force(now))
    confirmed = tuple(dataclasses.replace(ban, confirm_by=None) for ban in waiting)
    for ban in confirmed:
        draft.put(ban)
    return confirmed


def events_of(order: Order, done: Done) -> Iterator[Event]:
    """What is announced of an order: an event for each ban."""
    for ban in done.bans:
        match order:
            case UnbanOrder():
                yield _event(EventName.MANUAL_BAN_REMOVED, ban, f"the ban of {ban.origin} is lifted")
            case ConfirmOrder():
                yield _event(EventName.MANUAL_BAN_CONFIRMED, ban, f"the ban of {ban.origin} is confirmed")
            case BanOrder() if done.is_new:
                trial = "" if order.confirm is None else f", for {order.confirm:.0f} s unless it is confirmed"
                yield _event(EventName.MANUAL_BAN_ADDED, ban, f"banned by {ban.origin}{trial}")
            case BanOrder():
                pass
            case _:
                assert_never(order)


def event_of_end(ban: ManualBan) -> Event:
    """What is announced of a ban that has ended by itself."""
    why = "has run out" if ban.confirm_by is None else "was not confirmed in time"
    return _event(EventName.MANUAL_BAN_EXPIRED, ban, f"the ban of {ban.origin} {why}")


def _event(name: EventName, ban: ManualBan, words: str) -> Event:
    address = span_text(ban.span)
    fields: dict[str, str | int | float] = {"SOURCE_ID": MANUAL, "ADDRESS": address, "ORIGIN": ban.origin}
    fields |= {"REASON": ban.comment} if ban.comment else {}
    fields |= {"EXPIRES_AT": round(ban.expires_at)} if ban.expires_at is not None else {}
    fields |= {"CONFIRM_BY": round(ban.confirm_by)} if ban.confirm_by is not None else {}
    return Event(name, f"{address}: {words}", fields)
