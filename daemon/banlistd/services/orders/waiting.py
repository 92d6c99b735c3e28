"""Manual bans of some packets under a backend that has no scopes: they wait for another one."""

from collections.abc import Sequence

from banlistd.core.printing import counted
from banlistd.model import Remark

NO_SCOPES = "the backend bans all packets of an address, or none"


def remarks_on_waiting(count: int) -> Sequence[Remark]:
    """What an administrator should know of so many."""
    if not count:
        return ()
    bans = counted(count, "manual ban of some packets is", "manual bans of some packets are")
    hint = "banlistctl bans lists them; ban for all packets, or set backend: nftables"
    return [Remark(f"{bans} not in force: {NO_SCOPES}", hint)]
