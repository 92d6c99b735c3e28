"""Traffic of this host that passes no rule of ours, for `status`: guests on bridges, macvlan and ipvlan guests, flowtables."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from banlistd.adapters.host.route_netlink import Link, guest_addresses, links
from banlistd.adapters.netlink.messages import NFT_MSG_GETFLOWTABLE, decode_text
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.core.printing import quoted
from banlistd.model import Remark

NFTA_FLOWTABLE_TABLE = 1
NFTA_FLOWTABLE_NAME = 2

_BRIDGE_SYSCTL = "proc/sys/net/bridge/bridge-nf-call-iptables"
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

    async def remarks(self) -> Sequence[Remark]:
        """What is found, in order; what cannot be found out is left out."""
        async with self._lock:
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
        remarks = [*remarks_on_bridges(found, self.bridges_call_rules()), *remarks_on_guests(found, _guests())]
        return [*remarks, *(remark_on_flowtable(*each) for each in self._flowtables())]

    def bridges_call_rules(self) -> bool | None:
        """Whether br_netfilter shows bridged packets to the rules; None where unit (ProcSubset=pid) or container hide it."""
        try:
            return (self._root / _BRIDGE_SYSCTL).read_text().strip() == "1"
        except OSError:
            is_hidden = not any((self._root / place).is_dir() for place in _WHERE_IT_SHOWS)
            return None if is_hidden or (self._root / _BRIDGE_MODULE).exists() else False

    def _flowtables(self) -> Sequence[tuple[str, str]]:
        try:
            if self._wire is None:
                self._wire = NetlinkSocket()
            found = self._wire.dump(NFT_MSG_GETFLOWTABLE, b"")
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


def remarks_on_bridges(found: Sequence[Link], call_rules: bool | None) -> Iterator[Remark]:
    """One for each bridge that joins guests to the network outside and does not show their packets to the rules."""
    for bridge in found:
        ports = [link for link in found if link.master == bridge.index]
        guests = [link.name for link in ports if link.kind in _GUEST_PORTS]
        if bridge.kind != "bridge" or not guests or len(guests) == len(ports) or bridge.calls_rules or call_rules:
            continue
        doubt = "" if call_rules is False else " unless net.bridge.bridge-nf-call-iptables is 1"
        yield Remark(
            f"bans do not cover the guests on bridge {bridge.name} ({_few(guests)}): its packets pass no rule{doubt}",
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


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004 - a short line
