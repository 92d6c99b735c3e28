"""What sees packets before all rules of a firewall, and may send them past them: XDP programs and filters of traffic control.

Names are those of linux/if_link.h, linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h and linux/tc_act/tc_mirred.h.
"""

import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from banlistd.adapters.host.route_netlink import NETLINK_ROUTE, Link
from banlistd.adapters.netlink.dumping import dump_of
from banlistd.adapters.netlink.messages import attributes, decode_text
from banlistd.core.printing import printable
from banlistd.model import Remark

RTM_GETQDISC = 38
RTM_GETTFILTER = 46
TC_H_INGRESS_FILTERS = 0xFFFFFFF2  # TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS); qdiscs `ingress` and `clsact` both answer to it
TCA_KIND = 1
TCA_OPTIONS = 2
TCA_ACT_KIND = 1
TCA_ACT_OPTIONS = 2
TCA_MIRRED_PARMS = 2
TCA_EGRESS_REDIR = 1

_TCMSG = struct.Struct("=BxxxiIII")
_MIRRED = struct.Struct("=IIiiiiI")  # the five numbers of tc_gen, what becomes of the packet, and the other link
_INGRESS_QDISCS = frozenset({"ingress", "clsact"})
# The attribute of the options that has the actions, by the kind of the filter.
_ACTIONS: Mapping[str, int] = {"u32": 7, "flower": 3, "matchall": 2, "basic": 3, "fw": 4}
# An ifb gives a packet back to the link that it came from, so it meets the rules after it was shaped.
_GIVES_BACK = "ifb"
_BPF = "bpf"


class IngressFilter(NamedTuple):
    """A filter of traffic control for what a link receives: its kind, and the links that its actions redirect to."""

    kind: str
    targets: Sequence[int] = ()


def ingress_filters() -> Mapping[int, Sequence[IngressFilter]]:
    """The filters of each link that has any, by its index. Raises OSError."""
    found: dict[int, Sequence[IngressFilter]] = {}
    for payload in dump_of(NETLINK_ROUTE, RTM_GETQDISC, _TCMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        _, index, *_ = _TCMSG.unpack_from(payload)
        if decode_text(attributes(payload[_TCMSG.size :]).get(TCA_KIND, b"")) in _INGRESS_QDISCS and index not in found:
            question = _TCMSG.pack(socket.AF_UNSPEC, index, 0, TC_H_INGRESS_FILTERS, 0)
            found[index] = [_filter(one) for one in dump_of(NETLINK_ROUTE, RTM_GETTFILTER, question)]
    return found


def _filter(payload: bytes) -> IngressFilter:
    about = attributes(payload[_TCMSG.size :])
    kind = decode_text(about.get(TCA_KIND, b""))
    options = attributes(about.get(TCA_OPTIONS, b""))
    actions = attributes(options.get(_ACTIONS.get(kind, 0), b"")).values()
    return IngressFilter(kind, [target for action in actions for target in _redirected_to(attributes(action))])


def _redirected_to(action: Mapping[int, bytes]) -> Iterator[int]:
    if decode_text(action.get(TCA_ACT_KIND, b"")) != "mirred":
        return
    parameters = attributes(action.get(TCA_ACT_OPTIONS, b"")).get(TCA_MIRRED_PARMS, b"")
    if len(parameters) >= _MIRRED.size:
        *_, what, target = _MIRRED.unpack_from(parameters)
        if what == TCA_EGRESS_REDIR:  # a copy leaves the packet itself on its way, and a redirect to ingress meets the rules
            yield target


def remarks_on_programs(found: Sequence[Link]) -> Iterator[Remark]:
    """One for each link with an XDP program."""
    for link in found:
        if link.has_xdp:
            yield Remark(
                f"an XDP program on {printable(link.name)} sees packets before all rules: what it forwards itself meets no ban",
                f"ip link show dev {printable(link.name)} names the program; one that only drops, or passes on, costs no ban",
            )


def remarks_on_filters(found: Sequence[Link], filters: Mapping[int, Sequence[IngressFilter]]) -> Iterator[Remark]:
    """One for each link whose filters redirect packets to another link, or are programs that may."""
    links = {link.index: link for link in found}
    for index, some in filters.items():
        name = printable(links[index].name) if index in links else f"interface {index}"
        targets = dict.fromkeys(target for one in some for target in one.targets)
        past = [links[target].name for target in targets if target in links and links[target].kind != _GIVES_BACK]
        hint = f"tc filter show dev {name} ingress"
        if past:
            to = printable(", ".join(past[:3]))
            yield Remark(f"traffic control redirects packets from {name} to {to} before all rules: those meet no ban", hint)
        if any(one.kind == _BPF for one in some):
            yield Remark(
                f"a BPF program of traffic control on {name} sees packets before all rules: what it redirects meets no ban",
                hint,
            )
