"""Elements of the sets of services whose answers pass: an address, a protocol and a port. They are few, and written whole."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from banlistd.adapters.firewalls.ipset.entries import element
from banlistd.adapters.firewalls.ipset.record import digest_of_text
from banlistd.adapters.firewalls.ipset.wire import (
    IPSET_ATTR_ADT,
    IPSET_ATTR_DATA,
    IPSET_ATTR_LINENO,
    NLA_F_NET_BYTEORDER,
    NLM_F_EXCL,
    command,
    net_order_number,
    setname,
)
from banlistd.adapters.netlink.messages import attribute, nested
from banlistd.core.addresses.sets import WIDTHS
from banlistd.model import Family, ServiceEndpoint

IPSET_ATTR_PORT = 4
IPSET_ATTR_PROTO = 7
_PROTOCOLS: Mapping[str, int] = {"tcp": 6, "udp": 17, "icmpv6": 58}

# An element is at most 52 octets of an attribute of 65,535.
_IN_A_MESSAGE = 1000


@dataclass(frozen=True, slots=True)
class ServiceEntries:
    """The elements of one set, in order."""

    elements: tuple[bytes, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.elements)


def services_of(family: Family, answers: Iterable[ServiceEndpoint]) -> ServiceEntries:
    """Those of the family."""
    mine = [answer for answer in answers if answer.family is family]
    return ServiceEntries(tuple(map(_element, mine)), digest_of_text(map(repr, mine)))


def _element(answer: ServiceEndpoint) -> bytes:
    address = answer.address.to_bytes(WIDTHS[answer.family] // 8, "big")
    return (
        element(answer.family, address, None, None)
        + attribute(IPSET_ATTR_PORT | NLA_F_NET_BYTEORDER, struct.pack("!H", answer.service.port))
        + attribute(IPSET_ATTR_PROTO, bytes((_PROTOCOLS[answer.service.protocol],)))
    )


def service_messages(kind: int, sequence: int, name: str, services: ServiceEntries) -> list[bytes]:
    """Messages that add or delete elements; the kernel refuses to add an existing or delete an absent one."""
    head = setname(name) + net_order_number(IPSET_ATTR_LINENO, 0)
    elements = [nested(IPSET_ATTR_DATA, one) for one in services.elements]
    return [
        command(kind, NLM_F_EXCL, sequence, head + nested(IPSET_ATTR_ADT, b"".join(elements[start : start + _IN_A_MESSAGE])))
        for start in range(0, len(elements), _IN_A_MESSAGE)
    ]
