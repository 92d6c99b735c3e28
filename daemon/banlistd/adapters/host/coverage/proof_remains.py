"""What a killed `banlistctl prove` leaves behind: a table of nf_tables. Namespaces, links and routes end with the process."""

import socket

from banlistd.adapters.host.route_netlink import PROOF_LINKS
from banlistd.adapters.netlink.messages import (
    NFT_MSG_DELTABLE,
    NFT_MSG_GETTABLE,
    NLM_F_ACK,
    Batch,
    text_attribute,
)
from banlistd.adapters.netlink.socket import NetlinkSocket

PROOF_TABLE = "banlistd-prove"

_BODY = text_attribute(1, PROOF_TABLE)  # NFTA_TABLE_NAME


def remove_remains_of_proofs() -> bool:
    """Remove them; blocks. False where there are none, the kernel refuses, or a proof is under way, whose links are there."""
    if any(name in PROOF_LINKS for _, name in socket.if_nameindex()):
        return False
    try:
        with NetlinkSocket() as wire:
            wire.get(NFT_MSG_GETTABLE, _BODY)  # only a look: a commit would be a new state of the ruleset
            batch = Batch(None)
            batch.add(NFT_MSG_DELTABLE, NLM_F_ACK, _BODY)
            batch.end()
            wire.commit(batch)
    except OSError:
        return False
    return True
