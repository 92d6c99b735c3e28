"""The wire: what is encoded is decoded, and the kernel understands it."""

import errno

import pytest

from banlistd.adapters.netlink.messages import (
    NFT_MSG_DELTABLE,
    NFT_MSG_GETCHAIN,
    NFT_MSG_NEWTABLE,
    NLM_F_ACK,
    Batch,
    attribute,
    attributes,
    decode_number,
    decode_text,
    each_attribute,
    nested,
    number_attribute,
    text_attribute,
)
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.adapters.netlink.wire import NetlinkError
from support.network_namespace import in_network_namespace, nft


def test_an_attribute_is_padded_to_four_octets() -> None:
    assert attribute(7, b"abc") == b"\x07\x00\x07\x00abc\x00"
    assert attribute(7, b"") == b"\x04\x00\x07\x00"


def test_what_is_encoded_is_decoded() -> None:
    data = (
        text_attribute(1, "banlistd")
        + number_attribute(2, 4_000_000_000)
        + nested(3, text_attribute(1, "a"), text_attribute(1, "b"))
    )
    found = attributes(data)
    assert decode_text(found[1]) == "banlistd"
    assert decode_number(found[2]) == 4_000_000_000
    assert [decode_text(payload) for _, payload in each_attribute(found[3])] == ["a", "b"]


@pytest.mark.parametrize("broken", [b"\x01", b"\x02\x00\x01\x00", b"\xff\x00\x01\x00abc", b"\x00\x00\x00\x00"])
def test_broken_attributes_end_the_reading(broken: bytes) -> None:
    assert attributes(text_attribute(1, "a") + broken) == {1: b"a\0"}


@in_network_namespace
def test_a_batch_is_carried_out_or_refused_as_a_whole() -> None:
    with NetlinkSocket() as wire:
        wire.commit(_batch(wire.generation(), (NFT_MSG_NEWTABLE, "one")))
        assert nft("list", "tables") == "table inet one\n"
        with pytest.raises(NetlinkError) as refused:
            wire.commit(_batch(wire.generation(), (NFT_MSG_NEWTABLE, "two"), (NFT_MSG_DELTABLE, "three")))
        assert refused.value.errno == errno.ENOENT
        assert refused.value.sequence == 2
        assert nft("list", "tables") == "table inet one\n"


@in_network_namespace
def test_a_batch_for_another_generation_is_refused() -> None:
    with NetlinkSocket() as wire:
        stale = wire.generation()
        nft("add", "table", "inet", "one")
        with pytest.raises(NetlinkError) as refused:
            wire.commit(_batch(stale, (NFT_MSG_DELTABLE, "one")))
        assert refused.value.errno == errno.ERESTART
        wire.commit(_batch(wire.generation(), (NFT_MSG_DELTABLE, "one")))


@in_network_namespace
def test_a_dump_gives_all_of_a_kind() -> None:
    nft("add table inet one; " + "; ".join(f"add chain inet one c{n}" for n in range(500)))
    with NetlinkSocket() as wire:
        names = {decode_text(reply[3]) for reply in wire.dump(NFT_MSG_GETCHAIN, b"")}
    assert names == {f"c{n}" for n in range(500)}


@in_network_namespace
def test_the_socket_is_usable_after_a_refusal() -> None:
    with NetlinkSocket() as wire:
        for _ in range(3):
            with pytest.raises(NetlinkError):
                wire.commit(_batch(wire.generation(), *[(NFT_MSG_DELTABLE, f"t{n}") for n in range(300)]))
            assert wire.generation() == wire.generation()


def _batch(generation: int, *steps: tuple[int, str]) -> Batch:
    batch = Batch(generation)
    for kind, name in steps:
        batch.add(kind, NLM_F_ACK, text_attribute(1, name))
    batch.end()
    return batch
