"""Why no ban takes effect: what another program did to the table, as the kernel says it, without a wait for changes."""

import pytest

from adapters.firewalls.holdings import ALPHA, MIXED, state
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.core.ruleset.diff import difference
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
