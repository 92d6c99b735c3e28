"""Finds out which expressions this kernel refuses, by a batch that the kernel checks and then forgets."""

import errno
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from banlistd.adapters.netlink.messages import (
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWOBJ,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWTABLE,
    NLM_F_APPEND,
    NLM_F_CREATE,
    Batch,
    nested,
    number_attribute,
    text_attribute,
)
from banlistd.adapters.netlink.socket import NetlinkSocket

PROBED_COUNTER = "probed"
"""The counter that a probed rule can refer to."""

_TABLE, _CHAIN = "banlistd-probe", "probe"
_PREROUTING, _RAW = 0, -300
_COUNTER_TYPE = 1
# An unknown kind of expression or a missing module; an unknown variant of one; one that may not be used at this hook.
_LACKING = frozenset({errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL, errno.EPROTONOSUPPORT})

Probed = TypeVar("Probed", bound=Hashable)


def refused(wire: NetlinkSocket, rules: Mapping[Probed, Sequence[bytes]]) -> frozenset[Probed]:
    """The rules, each a sequence of expressions, that the kernel refuses in a base chain at prerouting.

    Empty where nothing can be found out, as without CAP_NET_ADMIN. Raises OSError.
    """
    batch = Batch(generation=None)
    batch.add(NFT_MSG_NEWTABLE, NLM_F_CREATE, text_attribute(1, _TABLE))
    place = nested(4, number_attribute(1, _PREROUTING), number_attribute(2, _RAW))
    chain = (text_attribute(1, _TABLE), text_attribute(3, _CHAIN), place, text_attribute(7, "filter"))
    batch.add(NFT_MSG_NEWCHAIN, NLM_F_CREATE, b"".join(chain))
    known = batch.next_sequence
    counter = (text_attribute(1, _TABLE), text_attribute(2, PROBED_COUNTER), number_attribute(3, _COUNTER_TYPE), nested(4))
    batch.add(NFT_MSG_NEWOBJ, NLM_F_CREATE, b"".join(counter))
    place = text_attribute(1, _TABLE) + text_attribute(2, _CHAIN)
    numbers = {
        batch.add(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, place + nested(4, *expressions)): key
        for key, expressions in rules.items()
    }
    refusals = wire.rehearse(batch)
    if any(number < known for number in refusals):
        return frozenset()
    return frozenset(numbers[number] for number, code in refusals.items() if number in numbers and code in _LACKING)
