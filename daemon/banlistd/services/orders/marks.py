"""The marks of the sources of manual bans of some packets."""

from collections.abc import Mapping, Sequence

from banlistd.model import Mark, SourceId
from banlistd.ports import Firewall, Ledger


async def marks_by_hand(ledger: Ledger, firewall: Firewall, source_ids: Sequence[SourceId]) -> Mapping[SourceId, Mark]:
    """As those of lists: a ledger that was lost takes over what the firewall has, before it gives a number again.

    Raises LedgerError and FirewallError.
    """
    return await ledger.marks_for(source_ids, await firewall.markers())
