"""Traffic of this host that passes no rule of ours, for `status` and `prove`: guests on bridges, macvlan and ipvlan guests,
flowtables, and what forwards packets before all rules.
"""

import asyncio
import logging
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from banlistd.adapters.host.coverage.early_paths import IngressFilter, ingress_filters, remarks_on_filters, remarks_on_programs
from banlistd.adapters.host.route_netlink import Link, guest_addresses, links
from banlistd.adapters.netlink.messages import (
    NFT_MSG_GETCHAIN,
    NFT_MSG_GETFLOWTABLE,
    NFT_MSG_GETRULE,
    attributes,
    decode_number,
    decode_text,
    text_attribute,
)
from banlistd.adapters.netlink.socket import TRIES_OF_A_DUMP, NetlinkSocket
from banlistd.core.printing import quoted
from banlistd.model import Remark

_LOG = logging.getLogger(__name__)

NFTA_FLOWTABLE_TABLE = 1
NFTA_FLOWTABLE_NAME = 2
# NFTA_CHAIN_TABLE and so on.
_CHAIN_TABLE = 1
_CHAIN_HOOK = 4
_HOOK_HOOKNUM = 1
_RULE_TABLE = 1
_RULE_EXPRESSIONS = 4
NFPROTO_INET, NFPROTO_NETDEV = 1, 5
# The number of the hook `ingress` in each family of tables that has it.
_INGRESS: Mapping[int, tuple[str, int]] = {NFPROTO_INET: ("inet", 5), NFPROTO_NETDEV: ("netdev", 0)}
_HOOKED = struct.pack("=H", _CHAIN_HOOK)
"""In every chain with a hook (nla_nest_start_noflag in net/netfilter/nf_tables_api.c); of thousands of sources none has it."""
_FORWARDING = text_attribute(1, "fwd")  # NFTA_EXPR_NAME of the statement `fwd to`

_BRIDGE_SYSCTL = "proc/sys/net/bridge/bridge-nf-call-iptables"
_BRIDGE_SYSCTL6 = "proc/sys/net/bridge/bridge-nf-call-ip6tables"
_BRIDGE_MODULE = "sys/module/br_netfilter"
_WHERE_IT_SHOWS = ("sys/module", "proc/sys/net")
_GUEST_PORTS = frozenset({"veth", "tun"})
_GUEST_LINKS = frozenset({"macvtap", "ipvtap"})
_IN_THE_GUEST = "run banlistd, or a firewall, where the guest's packets arrive"


class UncoveredTraffic:
    """Looks at the links and flowtables of this network namespace. `root`: where /proc and /sys are.

    Its socket of nf_tables stays open, because to close one waits for commits.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._wire: NetlinkSocket | None = None
        self._lock = asyncio.Lock()
        self._next_look: asyncio.Task[Sequence[Remark]] | None = None
        self._forwarding: tuple[int, Sequence[tuple[str, str]]] | None = None

    async def remarks(self) -> Sequence[Remark]:
        """What is found, in order; what cannot be found out is left out. Those who ask before a look begins share it."""
        if self._next_look is None:
            self._next_look = asyncio.ensure_future(self._look())
        return await asyncio.shield(self._next_look)

    async def _look(self) -> Sequence[Remark]:
        async with self._lock:
            self._next_look = None  # who asks from now on may want to know what changes from now on
            return await asyncio.to_thread(self._remarks)

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _remarks(self) -> Sequence[Remark]:
        try:
            found = tuple(links())
        except OSError:
            return ()
        called = self.bridges_call_rules(), self.bridges_call_rules(_BRIDGE_SYSCTL6)
        remarks = [*remarks_on_bridges(found, *called), *remarks_on_guests(found, _guests())]
        remarks += [*remarks_on_programs(found), *remarks_on_filters(found, _filters())]
        remarks += [remark_on_ingress(*each) for each in self._forwarding_tables()]
        return [*remarks, *(remark_on_flowtable(*each) for each in self._flowtables())]

    def bridges_call_rules(self, setting: str = _BRIDGE_SYSCTL) -> bool | None:
        """Whether br_netfilter shows bridged packets to the rules; None where unit (ProcSubset=pid) or container hide it."""
        try:
            return (self._root / setting).read_text().strip() == "1"
        except OSError:
            is_hidden = not any((self._root / place).is_dir() for place in _WHERE_IT_SHOWS)
            return None if is_hidden or (self._root / _BRIDGE_MODULE).exists() else False

    def _forwarding_tables(self) -> Sequence[tuple[str, str]]:
        """Family and name of each table that forwards packets at the hook ingress, which comes before ours.

        Of a generation of the rules they are read once: the kernel gives all chains, thousands where there are so many sources.
        While commits follow each other they are as they were before: to read between two of them took eight tries and 0.3 s.
        """
        known = self._forwarding
        try:
            generation = self._opened().generation()  # before the chains: a commit in between makes the next call read them
            if known is None or known[0] != generation:
                tries = TRIES_OF_A_DUMP if known is None else 1
                self._forwarding = known = generation, self._read_forwarding_tables(tries)
        except OSError:
            _LOG.debug("the chains at ingress cannot be read now")
        return known[1] if known else ()

    def _read_forwarding_tables(self, tries: int) -> Sequence[tuple[str, str]]:
        """Raises OSError."""
        found, wire = [], self._opened()
        for family, (word, ingress) in _INGRESS.items():
            chains = wire.dump(NFT_MSG_GETCHAIN, b"", family, _HOOKED, tries)
            hooks = ((chain, attributes(chain.get(_CHAIN_HOOK, b""))) for chain in chains)
            tables = {
                decode_text(chain.get(_CHAIN_TABLE, b""))
                for chain, hook in hooks
                if hook and decode_number(hook.get(_HOOK_HOOKNUM, b"")) == ingress
            }
            for rule in wire.dump(NFT_MSG_GETRULE, b"", family, tries=tries) if tables else ():
                table = decode_text(rule.get(_RULE_TABLE, b""))
                if table in tables and _FORWARDING in rule.get(_RULE_EXPRESSIONS, b""):
                    found.append((word, table))
                    tables.discard(table)
        return found

    def _opened(self) -> NetlinkSocket:
        if self._wire is None:
            self._wire = NetlinkSocket()
        return self._wire

    def _flowtables(self) -> Sequence[tuple[str, str]]:
        try:
            found = self._opened().dump(NFT_MSG_GETFLOWTABLE, b"")
        except OSError:
            return ()
        names = (each.get(kind, b"") for each in found for kind in (NFTA_FLOWTABLE_TABLE, NFTA_FLOWTABLE_NAME))
        texts = [decode_text(name) for name in names]
        return sorted(zip(texts[::2], texts[1::2], strict=True))


def _guests() -> Sequence[tuple[int, bytes]]:
    try:
        return tuple(guest_addresses())
    except OSError:
        return ()


def _filters() -> Mapping[int, Sequence[IngressFilter]]:
    try:
        return ingress_filters()
    except OSError:
        return {}


def remarks_on_bridges(found: Sequence[Link], call_rules: bool | None, call_rules6: bool | None = True) -> Iterator[Remark]:
    """One for each bridge that joins guests to the network outside and does not show their packets to the rules.

    `call_rules`, `call_rules6`: whether bridges show those of IPv4 and of IPv6; None: that cannot be found out.
    """
    for bridge in found:
        ports = [link for link in found if link.master == bridge.index]
        guests = [link.name for link in ports if link.kind in _GUEST_PORTS]
        if bridge.kind != "bridge" or not guests or len(guests) == len(ports):
            continue
        is_shown, is_shown6 = bridge.calls_rules or call_rules, bridge.calls_rules6 or call_rules6
        if is_shown and is_shown6:
            continue
        concerned, setting = ("IPv6 packets", is_shown6) if is_shown else ("packets", is_shown)
        doubt = "" if setting is False else f" unless net.bridge.bridge-nf-call-ip{'6' if is_shown else ''}tables is 1"
        yield Remark(
            f"bans do not cover the guests on bridge {bridge.name} ({_few(guests)}): its {concerned} pass no rule{doubt}",
            f"load br_netfilter and set net.bridge.bridge-nf-call-iptables and -ip6tables to 1, or {_IN_THE_GUEST}",
        )


def remarks_on_guests(found: Sequence[Link], guests: Iterable[tuple[int, bytes]]) -> Iterator[Remark]:
    """One for each link with guests on top of it (macvlan), and one for all guests that have a device of their own here."""
    taps = [link.name for link in found if link.kind in _GUEST_LINKS]
    if taps:
        yield Remark(f"bans do not cover the guests of {_few(taps)}: their packets pass no rule of this host", _IN_THE_GUEST)
    known = {link.address for link in found}
    below = {index for index, address in guests if address not in known}
    for link in found:
        if link.index in below:
            message = f"bans do not cover the macvlan guests on {link.name}: their packets pass no rule of this host"
            yield Remark(message, _IN_THE_GUEST)


def remark_on_flowtable(table: str, name: str) -> Remark:
    flowtable = f"flowtable {quoted(name)} of table {quoted(table)}"
    return Remark(
        f"{flowtable} forwards flows past all rules: a ban ends them, but the actions count and log do not see them",
        "leave flows that are to be counted out of the flowtable",
    )


def remark_on_ingress(family: str, table: str) -> Remark:
    name = f"table {family} {quoted(table)}"
    return Remark(f"{name} forwards packets at ingress (fwd), before the bans: those meet no ban", f"nft list {name}")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004 - a short line
