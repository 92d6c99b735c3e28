"""The expressions of nf_tables as octets: the steps of a rule, each a loader, a test, a store or a verdict. Pure.

Names are those of the kernel's header (linux/netfilter/nf_tables.h).
"""

from collections.abc import Iterator

from banlistd.adapters.netlink.messages import (
    NFTA_LIST_ELEM,
    attribute,
    attributes,
    decode_text,
    each_attribute,
    nested,
    number_attribute,
    text_attribute,
)

REGISTER = 1
"""It is wide enough for an IPv6 address."""

REGISTER_VERDICT = 0
META_MARK = 3
META_NFPROTO = 15
META_L4PROTO = 16
META_IIFKIND, META_OIFKIND = 26, 27
NETWORK_HEADER, TRANSPORT_HEADER = 1, 2
DROP, ACCEPT, JUMP, GOTO, RETURN = 0, 1, -3, -4, -5
_NFTA_DATA_VERDICT = 2
FIB_ADDRESS_TYPE, FIB_DESTINATION = 3, 2


def expression(name: str, *fields: bytes) -> bytes:
    """Any expression, by the name of its kind and its own attributes."""
    return nested(NFTA_LIST_ELEM, text_attribute(1, name), nested(2, *fields))


def load_payload(header: int, offset: int, length: int, to: int = REGISTER) -> bytes:
    """`offset` and `length`: octets."""
    place = (number_attribute(2, header), number_attribute(3, offset), number_attribute(4, length))
    return expression("payload", number_attribute(1, to), *place)


def load_meta(key: int, to: int = REGISTER) -> bytes:
    return expression("meta", number_attribute(2, key), number_attribute(1, to))


def load_address_type() -> bytes:
    """What the destination is to this host."""
    fields = (number_attribute(2, FIB_ADDRESS_TYPE), number_attribute(3, FIB_DESTINATION))
    return expression("fib", number_attribute(1, REGISTER), *fields)


def load_value(value: bytes, to: int = REGISTER) -> bytes:
    return expression("immediate", number_attribute(1, to), nested(2, attribute(1, value)))


def masked(value: bytes, register: int = REGISTER, to: int | None = None) -> bytes:
    """Clear the bits of a register that are clear in the value. `to`: the register that gets the result, if another one."""
    ends = (number_attribute(1, register), number_attribute(2, register if to is None else to))
    fields = (number_attribute(3, len(value)), nested(4, attribute(1, value)), nested(5, attribute(1, bytes(len(value)))))
    return expression("bitwise", *ends, *fields)


def store_mark() -> bytes:
    return expression("meta", number_attribute(2, META_MARK), number_attribute(3, REGISTER))


def matches(value: bytes, *, equal: bool = True, register: int = REGISTER) -> bytes:
    """Continue only if the register has this value, or another one."""
    return expression("cmp", number_attribute(1, register), number_attribute(2, int(not equal)), nested(3, attribute(1, value)))


def lookup(name: str, *, key: int = REGISTER, to: int | None = None) -> bytes:
    """Continue only if the set contains the key in a register. `to`: the register that gets the value of a map."""
    result = number_attribute(3, to) if to is not None else b""
    return expression("lookup", number_attribute(2, key), result, text_attribute(1, name))


def looked_up(expressions: bytes) -> Iterator[str]:
    """The names of the sets that a rule looks into, given its expressions."""
    for _, one in each_attribute(expressions):
        fields = attributes(one)
        if decode_text(fields.get(1, b"")) == "lookup":
            yield decode_text(attributes(fields.get(2, b"")).get(1, b""))


def verdicts_in(expressions: bytes) -> Iterator[tuple[int, str]]:
    """The verdicts of a rule, given its expressions: code, and chain if it names one; not those of a map of verdicts."""
    for _, one in each_attribute(expressions):
        fields = attributes(one)
        if decode_text(fields.get(1, b"")) == "immediate":
            data = attributes(attributes(fields.get(2, b"")).get(2, b""))
            if _NFTA_DATA_VERDICT in data:
                fields = attributes(data[_NFTA_DATA_VERDICT])
                yield int.from_bytes(fields.get(1, b""), "big", signed=True), decode_text(fields.get(2, b""))


def jumped_to(expressions: bytes) -> Iterator[str]:
    """The names of the chains that a rule jumps or goes to, given its expressions; not those of a map of verdicts."""
    return (chain for _, chain in verdicts_in(expressions) if chain)


def is_listed_as(written: bytes, listed: bytes) -> bool:
    """Whether the kernel lists the expressions of a rule as they were written. What it adds is zero, such as flags."""
    sent, found = ([one for _, one in each_attribute(each)] for each in (written, listed))
    return len(sent) == len(found) and all(map(_fits, sent, found))


def _fits(written: bytes, listed: bytes) -> bool:
    """Of a value, or of attributes: their headers may differ in NLA_F_NESTED."""
    if written == listed:
        return True
    sent, found = attributes(written), attributes(listed)
    return (
        bool(sent)
        and sent.keys() <= found.keys()
        and all(_fits(sent[kind], value) if kind in sent else not any(value) for kind, value in found.items())
    )


def verdict(code: int, chain: str = "") -> bytes:
    decided = nested(2, number_attribute(1, code), text_attribute(2, chain) if chain else b"")
    return expression("immediate", number_attribute(1, REGISTER_VERDICT), nested(2, decided))
