"""The keys of the guards. Their rules are in core/feeds/guards.py."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Self

from banlistd.core.config import kinds
from banlistd.core.config.keys import Key, Section
from banlistd.core.config.values import AddressRange


class Critical(StrEnum):
    """What happens to critical addresses in a list."""

    CARVE = "carve"
    REFUSE = "refuse"
    OFF = "off"


class OnStale(StrEnum):
    """What becomes of the bans of a source that is stale."""

    KEEP = "keep"
    LIFT = "lift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards(Section):
    """Bounds beyond which a list is refused. Parts of 1, prefix lengths, seconds; `off` is infinite, of a prefix length 0.

    The defaults come from 194,209 stored versions of 21 real lists (measured): a version changes 0.03 % to 1 % of its list; of
    1,051 sudden cuts by more than half 1,041 were accidents, which lasted 19 hours at most, but for one Tor list. At once a
    version replaces 5 % at most, 14 % within six days. Of 95 real lists, those that are meant for blocking cover at most 9 % of
    IPv4, in stretches no wider than a /8. The largest networks that registries assign in IPv6 are /19s.
    """

    title = "guards"
    intro = """These keys may be set below `guards:` of the defaults or of one source.
`banlistctl quarantine` shows the lists that a guard refuses, and `banlistctl approve` accepts one of them."""

    html: Annotated[bool, Key(kinds.SWITCH, "Refuses a web page in place of a list.")] = True
    unparseable: Annotated[
        float, Key(kinds.percentage(0, 100), "Refuses a list if more of its lines than this have no address.")
    ] = 0.5
    truncated: Annotated[
        bool, Key(kinds.SWITCH, "Refuses a list with fewer entries than it announces itself, and one that has a next page.")
    ] = True
    shrink: Annotated[
        float,
        Key(
            kinds.percentage(0, 100),
            "Refuses a list that lost more than this within 30 days, and of a source with `only` one that lets so much less "
            "through than the last one.",
        ),
    ] = 0.5
    grow: Annotated[float, Key(kinds.percentage(0, 999999), "Refuses a list that grew by more than this within 30 days.")] = 3.0
    turnover: Annotated[
        float,
        Key(kinds.percentage(0, 100), "Refuses a list of 1,000 entries or more of which more than this is replaced at once."),
    ] = 0.5
    share: Annotated[
        float, Key(kinds.percentage(0, 100), "Refuses a list that covers more than this of the address space.")
    ] = 0.1
    critical: Annotated[
        Critical,
        Key(
            kinds.chosen(Critical, "a treatment of critical addresses"),
            "Root name servers, large public resolvers and other critical addresses in the list: `carve` does not ban them, "
            "`refuse` refuses the list, `off` bans them.",
        ),
    ] = Critical.CARVE
    critical_addresses: Annotated[
        tuple[AddressRange, ...],
        Key(
            kinds.ADDRESS_RANGES,
            "More addresses that are critical for you: of a content network, a payment service, your customers.",
        ),
    ] = ()
    critical_allow: Annotated[bool, Key(kinds.SWITCH, "Whether the addresses of the allowlist are critical too.")] = False
    widest4: Annotated[int, Key(kinds.prefix(1, 32), "Refuses a list with an IPv4 network wider than this prefix length.")] = 8
    widest6: Annotated[int, Key(kinds.prefix(1, 128), "Refuses a list with an IPv6 network wider than this prefix length.")] = (
        19
    )
    accept_shrink_after: Annotated[
        float,
        Key(
            kinds.span("1m", "365d"),
            "Accepts a list that the guards shrink and turnover refuse once it stays so for this time.",
            old=("settle",),
        ),
    ] = 3 * 86400.0
    max_age: Annotated[
        float,
        Key(kinds.span("1m", "365d"), "Reports a source as stale if its last good list is older. See `on_stale`."),
    ] = 7 * 86400.0
    on_stale: Annotated[
        OnStale,
        Key(
            kinds.chosen(OnStale, "what becomes of a stale source"),
            "What becomes of the bans of a source that is stale: `keep` leaves them, `lift` lifts them, with a warning, until "
            "its next good list. A list that may be lifted cannot be a part of a combination.",
        ),
    ] = OnStale.KEEP
    frozen: Annotated[
        float,
        Key(
            kinds.span("1m", "365d"),
            "Reports a source with a url as frozen if its list has not changed for this time. Its bans stay.",
        ),
    ] = 45 * 86400.0

    def for_countries(self) -> Self:
        """A country is large on purpose: its size refuses nothing. What its source sets itself applies all the same."""
        return replace(self, share=math.inf, widest4=0, widest6=0)

    def for_fleets(self, *, reported: bool) -> Self:
        """Of a list of the fleet, whose hub has guards, too: a stolen key of the hub bans no whole networks. `reported`: the
        list is made of what machines report, which is single addresses, and /64s of IPv6.
        """
        widest4, widest6 = (32, 64) if reported else (12, 24)
        guards = replace(
            self, share=min(self.share, 0.02), widest4=max(self.widest4, widest4), widest6=max(self.widest6, widest6)
        )
        # It is empty at first, and again when its only reporters are suspended.
        return replace(guards, shrink=math.inf, turnover=math.inf, grow=math.inf) if reported else guards

    def for_allow_lists(self) -> Self:
        """Of an allow list, growth is the danger; critical addresses are welcome on it, and a stale one goes on."""
        return replace(self, grow=min(self.grow, 1.0), critical=Critical.OFF, on_stale=OnStale.KEEP)
