"""The chains of our table, as the kernel has them, and the dump of all objects of a kind in it."""

import errno
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from banlistd.adapters.firewalls.nftables.lookups.base_chains import HOOKS
from banlistd.adapters.firewalls.nftables.set_chains import SET_CHAINS
from banlistd.adapters.firewalls.nftables.structure import TABLE, is_ours
from banlistd.adapters.netlink.expressions import ACCEPT
from banlistd.adapters.netlink.messages import NFT_MSG_GETCHAIN, attributes, decode_number, decode_text, text_attribute
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.adapters.netlink.wire import NetlinkError

NFTA_TABLE = 1
NFTA_CHAIN_NAME = 3
NFTA_CHAIN_HOOK = 4
NFTA_CHAIN_POLICY = 5
NFTA_CHAIN_TYPE = 7
NFTA_HOOK_HOOKNUM = 1
NFTA_HOOK_PRIORITY = 2


def base_chains(wire: NetlinkSocket) -> Mapping[str, bool]:
    """The base chains of ours that exist, and whether each has our type, hook and priority."""
    chains = _chains_named(wire, HOOKS)
    return {name: not misplaced({name: chain}) for name, chain in chains.items()}


def chains_in(wire: NetlinkSocket) -> AbstractSet[str]:
    """The names of all chains in our table."""
    return chains_of_table(wire).keys()


def chains_of_table(wire: NetlinkSocket) -> Mapping[str, Mapping[int, bytes]]:
    return {decode_text(reply.get(NFTA_CHAIN_NAME, b"")): reply for reply in dumped(wire, NFT_MSG_GETCHAIN, b"")}


def _chains_named(wire: NetlinkSocket, names: Iterable[str]) -> Mapping[str, Mapping[int, bytes]]:
    """Those of these chains that exist. The kernel has no question for some of thousands."""
    found = {}
    for name in names:
        try:
            (found[name],) = wire.get(
                NFT_MSG_GETCHAIN, text_attribute(NFTA_TABLE, TABLE) + text_attribute(NFTA_CHAIN_NAME, name)
            )
        except NetlinkError as exc:
            if exc.errno != errno.ENOENT:
                raise
    return found


def misplaced(chains: Mapping[str, Mapping[int, bytes]]) -> frozenset[str]:
    """Base chains of ours that are of another type, at another hook, of another priority, or at none, or that drop what no rule
    drops; and those of our other chains that are at a hook: no rule can jump there.
    """
    return frozenset(name for name, chain in chains.items() if _is_misplaced(name, chain))


def _is_misplaced(name: str, chain: Mapping[int, bytes]) -> bool:
    if name in HOOKS:
        accepts = decode_number(chain.get(NFTA_CHAIN_POLICY, b"")) == ACCEPT
        return not accepts or _place(chain) != _place_of(name)
    return NFTA_CHAIN_HOOK in chain and (name in SET_CHAINS or is_ours(name))


def beside_ours(chains: Mapping[str, Mapping[int, bytes]]) -> Sequence[str]:
    """Base chains in our table with names that are not ours, which the kernel calls where it calls one of ours."""
    places = {_place_of(name) for name in HOOKS}
    others = ((name, chain) for name, chain in chains.items() if NFTA_CHAIN_HOOK in chain and name.isascii())
    return [name for name, chain in others if not (is_ours(name) or name in SET_CHAINS) and _place(chain) in places]


def _place_of(name: str) -> tuple[str, int, int]:
    return "filter", HOOKS[name].number, HOOKS[name].priority & 0xFFFFFFFF


def _place(chain: Mapping[int, bytes]) -> tuple[str, int, int]:
    hook = attributes(chain.get(NFTA_CHAIN_HOOK, b""))
    hook_number, priority = (decode_number(hook.get(kind, b"")) for kind in (NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY))
    return decode_text(chain.get(NFTA_CHAIN_TYPE, b"")), hook_number, priority


def dumped(wire: NetlinkSocket, kind: int, question: bytes) -> list[Mapping[int, bytes]]:
    """All objects of a kind in our table, none if it is absent. An older kernel ignores the table that a dump names.

    The name of the table is attribute 1 in questions and answers of all kinds.
    """
    try:
        replies = wire.dump(kind, text_attribute(NFTA_TABLE, TABLE) + question)
    except NetlinkError as exc:
        if exc.errno != errno.ENOENT:
            raise
        return []
    return [reply for reply in replies if decode_text(reply.get(NFTA_TABLE, b"")) == TABLE]
