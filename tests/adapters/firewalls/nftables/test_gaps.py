"""Why no ban takes effect: what another program did to the table, as the kernel says it, without a wait for changes."""

import asyncio
import threading
from collections.abc import Iterator, Mapping

import pytest

from adapters.firewalls.holdings import ALPHA, MIXED, owner, state
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.core.ruleset.diff import difference
from banlistd.model import Counter, Mark
from support.network_namespace import in_network_namespace, nft


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("", ""),
        ("delete table inet banlistd", "table inet banlistd is missing"),
        ("add table inet banlistd { flags dormant; }", "table inet banlistd is dormant"),
        ("flush table inet banlistd; delete chain inet banlistd inbound", "chain inbound of table inet banlistd is missing"),
        ("flush table inet banlistd", "table inet banlistd has no rule that looks into its sets"),
    ],
    ids=["nothing", "deleted", "dormant", "without its hook", "without rules"],
)
@in_network_namespace
async def test_what_another_program_did_to_the_table_is_a_gap(does: str, says: str) -> None:
    firewall = NftablesFirewall()
    try:
        assert await firewall.gaps() == ()
        await firewall.apply(difference(None, state([ALPHA], {"alpha": MIXED})))
        nft(does)
        assert [gap.message.startswith(says) for gap in await firewall.gaps()] == ([True] if says else [])
    finally:
        await firewall.close()


@in_network_namespace
async def test_the_question_for_gaps_reads_as_much_of_many_sources_as_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = 0
    replies = NetlinkSocket._replies

    def counted(wire: NetlinkSocket) -> Iterator[tuple[int, bytes]]:
        nonlocal answers
        for answer in replies(wire):
            answers += 1
            yield answer

    read = []
    for count in (1, 100):
        owners = [owner(number + 1, f"s{number}") for number in range(count)]
        firewall = NftablesFirewall()
        try:
            await firewall.apply(difference(None, state(owners, {"s0": MIXED})))
            with monkeypatch.context() as patch:
                patch.setattr(NetlinkSocket, "_replies", counted)
                answers = 0
                assert await firewall.gaps() == ()
                read.append(answers)
        finally:
            await firewall.close()
    assert read[0] == read[1] > 0


@in_network_namespace
async def test_gaps_and_remarks_do_not_wait_for_the_counters_of_thousands_of_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, may_end = threading.Event(), threading.Event()

    def read(*_: object) -> Mapping[Mark, Counter]:
        reading.set()
        assert may_end.wait(60)
        return {}

    monkeypatch.setattr("banlistd.adapters.firewalls.nftables.firewall.read_counters", read)
    firewall = NftablesFirewall()
    counters = asyncio.ensure_future(firewall.counters())
    try:
        assert await asyncio.to_thread(reading.wait, 60)
        async with asyncio.timeout(30):
            await asyncio.gather(firewall.gaps(), firewall.remarks())
        assert not counters.done()
    finally:
        may_end.set()
        await counters
        await firewall.close()
