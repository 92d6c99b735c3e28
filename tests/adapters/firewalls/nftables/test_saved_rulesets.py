"""Rulesets that were saved with our table or without it, and a table that an earlier configuration owned."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.firewalls.contract import ALPHA, BETA, MIXED, addresses, state
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.firewalls.nftables.inspection import table_state
from banlistd.adapters.firewalls.nftables.ownership import OWNED
from banlistd.adapters.firewalls.nftables.sets import NFT_TABLE_F_PERSIST, table_body
from banlistd.adapters.netlink.messages import NFT_MSG_DELTABLE, NFT_MSG_NEWTABLE, NLM_F_ACK, Batch
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.adapters.netlink.wire import NetlinkError
from banlistd.core.config.model import Config
from banlistd.core.ruleset.diff import difference
from banlistd.errors import FirewallError
from banlistd.model import Ownership
from support.network_namespace import in_network_namespace, nft, run_nft

DOCUMENT = Path(__file__).parents[4] / "packaging/docs/backends.md"
SOURCES = [ALPHA, BETA]
STATE = state(SOURCES, {"alpha": MIXED, "beta": MIXED})
OTHERS = """
add table ip host
add chain ip host input { type filter hook input priority 0; policy drop; }
add table inet banlistd-not
"""


async def banning(ownership: Ownership) -> NftablesFirewall:
    """A firewall that has written its table; skips where the kernel cannot."""
    firewall = NftablesFirewall(ownership)
    try:
        await firewall.apply(difference(None, STATE))
    except FirewallError as error:
        await firewall.close()
        pytest.skip(error.message)
    return firewall


def load(script: str) -> str:
    """What nft says when it loads a file; empty if it loads."""
    done = subprocess.run(["nft", "-f", "-"], input=script, capture_output=True, text=True, check=False)
    return done.stderr


async def repaired(firewall: NftablesFirewall) -> bool:
    if not (await firewall.verify(STATE)).sound:
        await firewall.apply(difference(None, STATE))
    return (await firewall.verify(STATE)).sound


def save(file: Path) -> None:
    """Run the documented command, to this file."""
    command = DOCUMENT.read_text(encoding="utf-8").partition("```sh\n")[2].partition("```")[0]
    assert "nft list tables" in command
    subprocess.run(["sh", "-c", command.replace("/etc/nftables.conf", str(file))], check=True)


def test_without_an_order_the_table_belongs_to_nobody() -> None:
    assert Config().owner is Ownership.NO


@in_network_namespace
async def test_a_saved_ruleset_with_our_table_loads_and_is_repaired() -> None:
    firewall = await banning(Config().owner)
    assert load(OTHERS) == ""
    saved = nft("list", "ruleset")
    assert "table inet banlistd {" in saved
    for before in ("flush ruleset\n", ""):
        assert load(before + saved) == ""
        assert await repaired(firewall)
    nft("flush", "ruleset")
    assert load(saved) == ""
    assert await repaired(firewall)
    await firewall.close()


@in_network_namespace
async def test_with_an_owner_the_kernel_refuses_a_saved_ruleset_that_names_the_table() -> None:
    firewall = await banning(Ownership.YES)
    assert load(OTHERS) == ""
    assert "not permitted" in load(f"flush ruleset\n{OTHERS}add table inet banlistd\n")
    assert load(f"flush ruleset\n{OTHERS}") == ""
    assert (await firewall.verify(STATE)).sound
    await firewall.close()


@pytest.mark.parametrize("ownership", [Ownership.NO, Ownership.YES])
@in_network_namespace
async def test_the_documented_command_saves_every_table_but_ours(tmp_path: Path, ownership: Ownership) -> None:
    firewall = await banning(ownership)
    assert load(OTHERS) == ""
    file = tmp_path / "nftables.conf"
    save(file)
    assert not run_nft("delete", "table", "ip", "host").stderr
    assert not run_nft("-f", str(file)).stderr
    others = [line for line in nft("list", "tables").splitlines() if line != "table inet banlistd"]
    assert others == ["table ip host", "table inet banlistd-not"]
    assert "policy drop" in nft("list", "table", "ip", "host")
    assert "table inet banlistd {" not in file.read_text()
    assert await repaired(firewall)
    await firewall.close()


@in_network_namespace
async def test_a_table_that_was_owned_serves_without_an_owner_until_a_flush_makes_it_plain() -> None:
    await (await banning(Ownership.YES)).close()
    before = nft("list", "map", "inet", "banlistd", "nets4")
    firewall = NftablesFirewall(Config().owner)
    assert (await firewall.verify(STATE)).sound
    assert await firewall.markers() == STATE.markers
    other = state(SOURCES, {"alpha": addresses("192.0.2.77"), "beta": MIXED}, content_hash="7" * 64)
    await firewall.apply(difference(STATE, other))
    await firewall.apply(difference(other, STATE))
    assert nft("list", "map", "inet", "banlistd", "nets4") == before
    assert flags() == NFT_TABLE_F_PERSIST
    nft("flush", "ruleset")
    assert await repaired(firewall)
    assert flags() == 0
    await firewall.close()


async def remarks(firewall: NftablesFirewall) -> list[str]:
    return [remark.message for remark in await firewall.remarks()]


@in_network_namespace
async def test_a_table_that_keeps_its_flag_is_remarked_on_until_it_is_plain() -> None:
    first = await banning(Ownership.YES)
    assert await remarks(first) == []
    await first.close()
    firewall = NftablesFirewall(Ownership.NO)
    (message,) = await remarks(firewall)
    assert "keeps the flag persist" in message
    await firewall.teardown()
    assert await remarks(firewall) == []
    await firewall.apply(difference(None, STATE))
    assert await remarks(firewall) == []
    await firewall.close()


@in_network_namespace
async def test_a_plain_table_is_remarked_on_where_an_owner_is_asked_for() -> None:
    await (await banning(Ownership.NO)).close()
    for ownership, count in ((Ownership.YES, 1), (Ownership.AUTO, 0), (Ownership.NO, 0)):
        firewall = NftablesFirewall(ownership)
        assert len(await remarks(firewall)) == count
        await firewall.close()


@in_network_namespace
async def test_remarks_close_no_socket_because_that_waits_for_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    firewall = NftablesFirewall(Ownership.NO)
    await firewall.apply(difference(None, STATE))
    closed: list[NetlinkSocket] = []
    monkeypatch.setattr(NetlinkSocket, "close", closed.append)
    assert await remarks(firewall) == await remarks(firewall) == []
    assert closed == []
    monkeypatch.undo()
    await firewall.close()


def plain(wire: NetlinkSocket) -> None:
    commit(wire, (NFT_MSG_NEWTABLE, 0))


def orphan(wire: NetlinkSocket) -> None:
    commit(wire, (NFT_MSG_NEWTABLE, OWNED))


@pytest.mark.parametrize("make", [plain, orphan])
@pytest.mark.parametrize("saved", [0, NFT_TABLE_F_PERSIST, OWNED])
@in_network_namespace
async def test_the_kernel_takes_any_saved_flags_after_a_flush(make: Callable[[NetlinkSocket], None], saved: int) -> None:
    """As an nft writes them that knows the flags; the table has no living owner. The daemon then repairs the table."""
    with NetlinkSocket() as wire:
        try:
            make(wire)
        except NetlinkError as error:
            pytest.skip(str(error))
        wire.reopen()
        commit(wire, (NFT_MSG_DELTABLE, None), (NFT_MSG_NEWTABLE, saved))
    firewall = NftablesFirewall(Config().owner)
    assert await repaired(firewall)
    await firewall.close()


def commit(wire: NetlinkSocket, *messages: tuple[int, int | None]) -> None:
    batch = Batch(generation=None)
    for kind, table_flags in messages:
        batch.add(kind, NLM_F_ACK, table_body(table_flags))
    batch.end()
    wire.commit(batch)


def flags() -> int:
    with NetlinkSocket() as wire:
        state_of_table = table_state(wire)
        assert state_of_table is not None
        return state_of_table.flags
