"""An address of this host that is published: what is sent to it goes to the guest of the proof (DNAT), as to a container."""

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from banlistd.adapters.host.coverage.proof_remains import PROOF_TABLE
from banlistd.ctl.proving.ground import Joint

PUBLISHED: Mapping[int, str] = {socket.AF_INET: "198.18.255.9", socket.AF_INET6: "fdb1:a571:57d2::1"}

_PATIENCE = 60.0  # seconds: an nft that meets large sets of other programs is slow
# Only packets of the proof's own link match, so a table that a kill left behind does nothing. The next start of
# the daemon, or the next proof, removes it.
_REMOVAL = f"add table inet {PROOF_TABLE}\ndelete table inet {PROOF_TABLE}\n"
_RULES = """add table inet {table}
add chain inet {table} publish {{ type nat hook prerouting priority dstnat; }}
add rule inet {table} publish iifname "{link}" ip daddr {published4} dnat ip to {guest4}
add rule inet {table} publish iifname "{link}" ip6 daddr {published6} dnat ip6 to {guest6}
"""


@contextmanager
def published(peer: Joint, guest: Joint) -> Iterator[bool]:
    """Publish the guest to the peer; False where this kernel has no NAT, or nft is missing: then nothing is published."""
    rules = _RULES.format(
        table=PROOF_TABLE,
        link=peer.name,
        published4=PUBLISHED[socket.AF_INET],
        guest4=guest.far4,
        published6=PUBLISHED[socket.AF_INET6],
        guest6=guest.far6,
    )
    try:
        yield _nft(_REMOVAL + rules)
    finally:
        _nft(_REMOVAL)


def _nft(script: str) -> bool:
    try:
        done = subprocess.run(["nft", "-f", "-"], input=script, capture_output=True, text=True, check=False, timeout=_PATIENCE)  # noqa: S607 - constant words
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
