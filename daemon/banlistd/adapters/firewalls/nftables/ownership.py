"""A table that our socket owns, flags owner and persist (Linux 6.9): `nft flush ruleset` skips it, other writers get EPERM.

`nft` gets EPERM as well. So for a change of structure we close the socket, which leaves the table an orphan that any process
may write, and adopt the table afterwards. Never owner without persist: the kernel would remove the bans with the daemon.

A table gets an owner only when it is created. The kernel gives none to a plain table (EOPNOTSUPP, measured), and to create it
anew would leave a moment without bans: it stays plain until it is removed or flushed.
"""

import errno
import subprocess
from collections.abc import Callable, Sequence

from banlistd.adapters.firewalls.nftables.inspection import table_state, used_sets
from banlistd.adapters.firewalls.nftables.look import TableState
from banlistd.adapters.firewalls.nftables.lookups.chains import base_chains
from banlistd.adapters.firewalls.nftables.sets import NFT_TABLE_F_DORMANT, NFT_TABLE_F_OWNER, NFT_TABLE_F_PERSIST, table_body
from banlistd.adapters.firewalls.nftables.structure import TABLE
from banlistd.adapters.netlink.messages import NFT_MSG_NEWTABLE, NLM_F_ACK, Batch
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.adapters.netlink.wire import NetlinkError
from banlistd.errors import FirewallError
from banlistd.model import Ownership, Remark

OWNED = NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST
_PROBE = f"add table inet {TABLE}-probe {{ flags owner,persist; }}\n"
_ANEW = "systemctl stop banlistd && banlistd --teardown && systemctl start banlistd"
_AGAIN = "banlistd writes it again at once; journalctl -u banlistd says who it was, and why it fails"
# Kernels before 6.9 know no persist, before 5.12 no owner.
_UNKNOWN = frozenset({errno.EOPNOTSUPP, errno.EINVAL})


def found(wire: NetlinkSocket, ownership: Ownership, nft_knows: Callable[[], bool]) -> bool:
    """Create the table, which is absent, if it is to have an owner. True: it was created.

    `auto` asks nft first, because a version that does not know the flags (1.0.6) makes a saved ruleset unloadable.
    `nft_knows`: `nft_knows_the_flags`, or a cached result of it. Raises FirewallError if the configuration requires an owner
    and the kernel does not support one.
    """
    if ownership is Ownership.NO or (ownership is Ownership.AUTO and not nft_knows()):
        return False
    try:
        _commit(wire, (NFT_MSG_NEWTABLE, table_body(OWNED)))
    except NetlinkError as exc:
        if exc.errno not in _UNKNOWN:
            raise
        if ownership is Ownership.AUTO:
            return False
        raise FirewallError("this kernel has no tables with an owner", "owner: no, or Linux 6.9") from exc
    return True


def adopt(wire: NetlinkSocket) -> bool:
    """Own the table if it is an orphan. True: it was one. Raises FirewallError if another process owns it."""
    if not needs_adoption(wire):
        return False
    refuse_foreign_owner(table_state(wire), wire)
    _commit(wire, (NFT_MSG_NEWTABLE, table_body(OWNED)))
    return True


def wake(wire: NetlinkSocket) -> bool:
    """Let the kernel carry out the rules of a table that another process made dormant. True: it was. In a transaction of its
    own: the kernel takes no base chain in that transaction (EINVAL, measured with 6.18).
    """
    state = table_state(wire)
    if state is None or not state.flags & NFT_TABLE_F_DORMANT:
        return False
    _commit(wire, (NFT_MSG_NEWTABLE, table_body(state.flags & ~NFT_TABLE_F_DORMANT)))
    return True


def needs_adoption(wire: NetlinkSocket) -> bool:
    state = table_state(wire)
    return state is not None and bool(state.flags & NFT_TABLE_F_PERSIST) and state.owner != wire.port


def owns(wire: NetlinkSocket) -> bool:
    state = table_state(wire)
    return state is not None and bool(state.flags & NFT_TABLE_F_OWNER) and state.owner == wire.port


def refuse_foreign_owner(state: TableState | None, wire: NetlinkSocket) -> None:
    """Raise FirewallError if another socket than ours owns the table."""
    if state is not None and state.flags & NFT_TABLE_F_OWNER and state.owner != wire.port:
        raise FirewallError(f"another process owns table inet {TABLE}", "two banlistd cannot share it: stop the other")


def flags_for(state: TableState | None, ownership: Ownership) -> int | None:
    """The table flags for a batch: 0 (plain and active) or OWNED; None leaves them as they are."""
    if state is None or not state.flags & NFT_TABLE_F_PERSIST:
        return 0
    return None if ownership is Ownership.NO else OWNED


def remarks_on(state: TableState | None, ownership: Ownership) -> Sequence[Remark]:
    """Where the table is not what the configuration asks for. `auto` asks for nothing."""
    if state is None:
        return ()
    persistent = bool(state.flags & NFT_TABLE_F_PERSIST)
    if ownership is Ownership.NO and persistent:
        return (
            Remark(
                f"table inet {TABLE} keeps the flag persist of an earlier owner: yes or auto, which the kernel does not take "
                "away; nft 1.0.6 cannot read a ruleset that it saved with it",
                f"it becomes plain with the next reboot, or, with a moment without bans, by: {_ANEW}",
            ),
        )
    if ownership is Ownership.YES and not persistent:
        return (
            Remark(
                f"table inet {TABLE} has no owner although the configuration says owner: yes: the kernel gives none to a table "
                "that exists",
                f"it gets one with the next reboot, or, with a moment without bans, by: {_ANEW}",
            ),
        )
    return ()


def gaps_in(wire: NetlinkSocket) -> Sequence[Remark]:
    """Why no packet meets a ban, if another program has changed the table so."""
    state = table_state(wire)
    if state is None:
        return (Remark(f"table inet {TABLE} is missing: another program has removed it", _AGAIN),)
    if state.flags & NFT_TABLE_F_DORMANT:
        return (Remark(f"table inet {TABLE} is dormant: the kernel carries out none of its rules", _AGAIN),)
    chains = base_chains(wire)
    wrong = [name for name, is_placed in chains.items() if not is_placed] or ([] if "inbound" in chains else ["inbound"])
    if wrong:
        return (Remark(f"chain {wrong[0]} of table inet {TABLE} is missing, at another hook, or has another policy", _AGAIN),)
    if not used_sets(wire):
        return (Remark(f"table inet {TABLE} has no rule that looks into its sets: another program has removed them", _AGAIN),)
    return ()


def nft_knows_the_flags() -> bool:
    """Whether nft accepts both flags, and so lists them too. Uses `nft --check`: a real table with persist would remain if this
    process were killed.
    """
    try:
        done = subprocess.run(
            ["nft", "--check", "--file", "-"],  # noqa: S607 - as in nftables: systemd gives a PATH of system folders
            input=_PROBE,
            capture_output=True,
            text=True,
            check=False,
            timeout=10.0,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _commit(wire: NetlinkSocket, *messages: tuple[int, bytes]) -> None:
    batch = Batch(generation=None)
    for kind, body in messages:
        batch.add(kind, NLM_F_ACK, body)
    batch.end()
    wire.commit(batch)
