"""Elements of sets and maps as netlink messages, written by numpy into one buffer. Nothing here loops over elements.

A message contains as many elements as fit into one attribute (65,535 octets), so all messages but the last have one length,
and the whole is three assignments to a strided view: template, addresses, marks. 1,000,000 IPv4 hosts are 28 MB.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from banlistd.adapters.netlink.messages import (
    NFT_MSG_NEWSETELEM,
    NFTA_LIST_ELEM,
    NLA_F_NESTED,
    NLM_F_CREATE,
    attribute,
    attributes,
    each_attribute,
    message,
    nested,
    number_attribute,
    text_attribute,
)
from banlistd.core.addresses.neighbours import after
from banlistd.core.addresses.sets import WIDTHS, Addresses, to_number
from banlistd.model import Family

NFTA_SET_ELEM_LIST_TABLE = 1
NFTA_SET_ELEM_LIST_SET = 2
NFTA_SET_ELEM_LIST_ELEMENTS = 3
NFTA_SET_ELEM_KEY = 1
NFTA_SET_ELEM_DATA = 2
NFTA_SET_ELEM_FLAGS = 3
NFTA_SET_ELEM_USERDATA = 6
NFTA_DATA_VALUE = 1
NFT_SET_ELEM_INTERVAL_END = 1
# A kind of user data that nft knows and prints as a comment (libnftnl, NFTNL_UDATA_SET_ELEM_COMMENT).
_UDATA_COMMENT = 0

_LONGEST_ATTRIBUTE = 0xFFFF
_WORD = 4
_AT_ONCE = 1000
# The key follows the headers of element, key attribute and value attribute.
_KEY_AT = 3

KeyWords = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """Some elements of one set. `last` None: single addresses; else inclusive ranges, disjoint, sorted by `first`.

    `mark` None: there is nothing to write beside the key, because it is a plain set or because elements are removed.
    """

    family: Family
    first: Addresses
    last: Addresses | None
    mark: NDArray[np.uint16] | None


def element_messages(kind: int, sequence: int, table: str, name: str, elements: Elements) -> memoryview:
    """Messages that add (`kind` NFT_MSG_NEWSETELEM) or remove elements, each with the number `sequence`.

    A range is two elements, its start and, with the flag INTERVAL_END, the address after its end; a range that ends with
    the last address of all has no end.
    """
    template = _template_of(elements)
    head = np.frombuffer(_head(kind, sequence, table, name), dtype=np.uint32)
    count, width = len(elements.first), len(template.words)
    per_message = (_LONGEST_ATTRIBUTE - _WORD) // (width * _WORD)
    full, rest = divmod(count, per_message)
    length = len(head) + per_message * width
    words = np.empty(full * length + (len(head) + rest * width) * bool(rest), dtype=np.uint32)
    cut = len(template.end) if _reaches_the_top(elements) else 0
    # Some messages at a time: each page is touched once, while it is in the cache.
    for first in range(0, full, _AT_ONCE):
        messages = min(_AT_ONCE, full - first)
        block = words[first * length : (first + messages) * length].reshape(messages, length)
        _write_messages(block, head, template, elements, first * per_message)
    if rest:
        _write_messages(words[full * length :].reshape(1, -1), head, template, elements, full * per_message)
    if cut:
        final = rest or per_message
        _write_heads(words[len(words) - final * width - len(head) :][np.newaxis], head, cut)
    return words[: len(words) - cut].data.cast("B")


def _write_messages(block: KeyWords, head: KeyWords, template: "_Template", elements: Elements, start: int) -> None:
    """Messages of one length, a row each, of the elements from `start` on."""
    _write_heads(block, head, 0)
    rows = block[:, len(head) :].reshape(len(block), -1, len(template.words))
    _write_records(rows, template, elements, slice(start, start + rows.shape[0] * rows.shape[1]))


@dataclass(frozen=True, slots=True, eq=False)
class _Template:
    """One record, with zero where records differ. All in words of 32 bits; `mark_at` and `end_at`: indices into `words`."""

    words: KeyWords
    mark_at: int
    end_at: int
    end: KeyWords


def _template_of(elements: Elements) -> _Template:
    key = bytes(WIDTHS[elements.family] // 8)
    data = nested(NFTA_SET_ELEM_DATA, attribute(NFTA_DATA_VALUE, bytes(_WORD))) if elements.mark is not None else b""
    begin = nested(NFTA_LIST_ELEM, _key(key), data)
    end = b"" if elements.last is None else nested(NFTA_LIST_ELEM, _key(key), _END_FLAG)
    return _Template(
        words=np.frombuffer(begin + end, dtype=np.uint32),
        mark_at=len(begin) // _WORD - 1,
        end_at=len(begin) // _WORD,
        end=np.frombuffer(end, dtype=np.uint32),
    )


_END_FLAG = number_attribute(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END)


def _key(key: bytes) -> bytes:
    return nested(NFTA_SET_ELEM_KEY, attribute(NFTA_DATA_VALUE, key))


def _head(kind: int, sequence: int, table: str, name: str) -> bytes:
    flags = NLM_F_CREATE if kind == NFT_MSG_NEWSETELEM else 0
    return message(kind, flags, sequence, _list_of(table, name, b""))


def _list_of(table: str, name: str, elements: bytes) -> bytes:
    return (
        text_attribute(NFTA_SET_ELEM_LIST_TABLE, table)
        + text_attribute(NFTA_SET_ELEM_LIST_SET, name)
        + nested(NFTA_SET_ELEM_LIST_ELEMENTS, elements)
    )


def _write_heads(block: KeyWords, head: KeyWords, cut: int) -> None:
    """Write the head into each row, with the lengths of message and element list. `cut`: words of 32 bits absent at the end."""
    octets = (block.shape[1] - cut) * _WORD
    listed = octets - (len(head) - 1) * _WORD
    block[:, : len(head)] = head
    block[:, 0] = octets
    attribute_header = struct.pack("=HH", listed, NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED)
    block[:, len(head) - 1] = np.frombuffer(attribute_header, dtype=np.uint32)[0]


def _write_records(rows: NDArray[Any], template: _Template, elements: Elements, part: slice) -> None:
    rows[...] = template.words
    _write_keys(rows, _KEY_AT, elements.first[part])
    if elements.mark is not None:
        # A mark is in the machine's byte order, as the kernel keeps it in a packet.
        rows[..., template.mark_at] = elements.mark[part].reshape(rows.shape[:2])
    if elements.last is not None:
        _write_keys(rows, template.end_at + _KEY_AT, after(elements.last[part]))


def _write_keys(rows: NDArray[Any], offset: int, addresses: Addresses) -> None:
    """`offset`: the place of the key in each row, in words of 32 bits."""
    if addresses.dtype == np.uint32:
        rows[..., offset] = addresses.astype(">u4").view(np.uint32).reshape(rows.shape[:2])
        return
    width = addresses.dtype.itemsize // _WORD
    words = np.ascontiguousarray(addresses).view(np.uint32)
    rows[..., offset : offset + width] = words.reshape(*rows.shape[:2], width)


def _reaches_the_top(elements: Elements) -> bool:
    if elements.last is None or not len(elements.last):
        return False
    return bool(to_number(elements.last[-1]) == 2 ** WIDTHS[elements.family] - 1)


def octets_of(elements: Elements) -> int:
    """The octets of all their records, without the heads of messages, which are fewer than one in a thousand."""
    return len(elements.first) * len(_template_of(elements).words) * _WORD


def end_elements(elements: Elements) -> int:
    """How many of the ranges have an end element."""
    return 0 if elements.last is None else len(elements.last) - _reaches_the_top(elements)


def mark_element(table: str, name: str, mark: int, value: int | None, comment: str) -> bytes:
    """The body of a message for one element of a map whose key is a mark. `value` None: to remove it."""
    data, userdata = b"", b""
    if value is not None:
        data = nested(NFTA_SET_ELEM_DATA, attribute(NFTA_DATA_VALUE, struct.pack("=I", value)))
    if comment:
        written = comment.encode("ascii") + b"\0"
        userdata = attribute(NFTA_SET_ELEM_USERDATA, bytes((_UDATA_COMMENT, len(written))) + written)
    return _list_of(table, name, nested(NFTA_LIST_ELEM, _key(struct.pack("=I", mark)), data, userdata))


def key_elements(table: str, name: str, keys: Sequence[bytes]) -> bytes:
    """The body of a message for elements of a plain set; at most some thousand fit into one attribute."""
    return _list_of(table, name, b"".join(nested(NFTA_LIST_ELEM, _key(key)) for key in keys))


def every_element(table: str, name: str) -> bytes:
    """The body of a message about all elements of a set."""
    return text_attribute(NFTA_SET_ELEM_LIST_TABLE, table) + text_attribute(NFTA_SET_ELEM_LIST_SET, name)


def questions(table: str, name: str, keys: Sequence[bytes], *, ends: bool) -> bytes:
    """The body of a message that asks for elements by key; `ends`: for end elements of ranges."""
    flag = _END_FLAG if ends else b""
    return _list_of(table, name, b"".join(nested(NFTA_LIST_ELEM, _key(key), flag) for key in keys))


@dataclass(frozen=True, slots=True)
class DumpedElement:
    """One element as the kernel reports it."""

    key: bytes
    data: bytes
    is_end: bool
    comment: str


def answers(replies: Sequence[bytes]) -> Iterator[DumpedElement]:
    """The elements in the element lists of some replies."""
    for reply in replies:
        for _, element in each_attribute(reply):
            yield _answer(attributes(element))


def _answer(fields: Mapping[int, bytes]) -> DumpedElement:
    flags = int.from_bytes(fields.get(NFTA_SET_ELEM_FLAGS, b""), "big")
    return DumpedElement(
        key=attributes(fields.get(NFTA_SET_ELEM_KEY, b"")).get(NFTA_DATA_VALUE, b""),
        data=attributes(fields.get(NFTA_SET_ELEM_DATA, b"")).get(NFTA_DATA_VALUE, b""),
        is_end=bool(flags & NFT_SET_ELEM_INTERVAL_END),
        comment=_comment(fields.get(NFTA_SET_ELEM_USERDATA, b"")),
    )


def _comment(userdata: bytes) -> str:
    """User data is a list of kind, length, value, each of the first two in one octet."""
    offset = 0
    while offset + 2 <= len(userdata):
        kind, length = userdata[offset], userdata[offset + 1]
        if kind == _UDATA_COMMENT:
            return userdata[offset + 2 : offset + 2 + length].rstrip(b"\0").decode("ascii", "replace")
        offset += 2 + length
    return ""
