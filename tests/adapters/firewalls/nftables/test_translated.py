"""Packets of IPv6 whose source contains an IPv4 address, NAT64 and 6to4, are treated as if they came from that address."""

import re
import socket
from collections.abc import Iterator

import pytest

from adapters.firewalls.holdings import ALPHA, LOGGED, addresses, owner, state
from adapters.firewalls.street import BAD4, GOOD4, HOSTS, INNER6, MORE4, NETS, Street, laid_out
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.core.ruleset.diff import difference
from banlistd.model import Action
from support.network_namespace import in_network_namespace, nft


def nat64(address: str) -> str:
    """RFC 6052."""
    return f"64:ff9b::{socket.inet_aton(address).hex(':', 2)}"


def sixtofour(address: str) -> str:
    """RFC 3056; any host of the site."""
    return f"2002:{socket.inet_aton(address).hex(':', 2)}:1::7"


WRITTEN = (nat64, sixtofour)
each_form = pytest.mark.parametrize("written", WRITTEN)


# With 198.51.100.7 where the two networks have it; the first 16 bits pass the first test, or do not.
NEAR = ("64:ff9b:0:1::c633:6407", "64:ff9c::c633:6407", "2004:c633:6407:1::7", "2003:c633:6407:1::7", "2000:c633:6407:1::7")


@pytest.fixture
def street(request: pytest.FixtureRequest) -> Iterator[Street]:
    translated = getattr(request, "param", True)
    with laid_out("nftables", lambda: NftablesFirewall(translated=translated)) as street:
        for address in (BAD4, GOOD4, *MORE4):
            for written in WRITTEN:
                street.peer.command("ip", "address", "add", written(address), "dev", "lo", "nodad")
        for address in NEAR:
            street.peer.command("ip", "address", "add", address, "dev", "lo", "nodad")
        for network in ("64::/16", "2000::/12"):
            street.guard.command("ip", "route", "add", network, "via", "fd00:9::2")
        yield street


@each_form
@pytest.mark.parametrize("content", [HOSTS, NETS], ids=["host", "within a network"])
def test_a_banned_ipv4_address_is_banned_in_an_ipv6_source(street: Street, written: object, content: object) -> None:
    source = form_of(written, BAD4)
    assert street.arrives(source)
    assert street.arrives(source, INNER6)
    held = state([ALPHA], {"alpha": HOSTS if content is HOSTS else NETS})
    street.apply(None, held)
    assert not street.arrives(source)
    assert not street.arrives(source, INNER6)
    assert street.counted() == {1: 2}
    assert street.arrives(form_of(written, GOOD4))
    street.apply(held, state([ALPHA], {}))
    assert street.arrives(source)


@pytest.mark.parametrize("source", NEAR)
def test_another_network_with_these_bits_arrives(street: Street, source: str) -> None:
    street.apply(None, state([ALPHA], {"alpha": NETS}))
    assert street.arrives(source)


@pytest.mark.parametrize("street", [False], indirect=True)
@each_form
def test_without_these_rules_it_arrives(street: Street, written: object) -> None:
    street.apply(None, state([ALPHA], {"alpha": NETS}))
    assert street.arrives(form_of(written, BAD4))
    assert not street.arrives(BAD4)


@each_form
def test_an_allowed_ipv4_address_arrives_whatever_the_maps_say(street: Street, written: object) -> None:
    street.apply(None, state([ALPHA], {"alpha": NETS}, allowed=["198.51.100.7/32"]))
    street.guard.command("nft", f"add element inet banlistd hosts4 {{ {BAD4} : 1 }}")
    assert street.arrives(form_of(written, BAD4))
    assert not street.arrives(form_of(written, MORE4[2]))


@each_form
def test_an_allowed_ipv6_address_arrives_although_its_ipv4_address_is_banned(street: Street, written: object) -> None:
    source = form_of(written, BAD4)
    street.apply(None, state([ALPHA], {"alpha": NETS}, allowed=[f"{source}/128"]))
    assert street.arrives(source)
    assert not street.arrives(BAD4)


@each_form
def test_a_ban_of_the_ipv6_form_itself_counts_first(street: Street, written: object) -> None:
    source = form_of(written, BAD4)
    street.apply(None, state([ALPHA, owner(3, "other")], {"alpha": NETS, "other": addresses(source)}))
    assert not street.arrives(source)
    assert street.counted() == {1: 0, 3: 1}


@each_form
@pytest.mark.parametrize("watcher", [LOGGED, owner(5, "counted", Action.COUNT)], ids=["log", "count"])
def test_what_is_only_watched_arrives(street: Street, written: object, watcher: object) -> None:
    watching = LOGGED if watcher is LOGGED else owner(5, "counted", Action.COUNT)
    street.apply(None, state([watching, ALPHA], {watching.source_id: NETS}))
    assert street.arrives(form_of(written, BAD4))


def form_of(written: object, address: str) -> str:
    return nat64(address) if written is nat64 else sixtofour(address)


def rules_of(listing: str, chain: str) -> list[str]:
    rules = listing.partition(f"chain {chain} {{")[2].partition("}")[0].split("\n")
    return [rule.strip() for rule in rules if rule.strip()]


@in_network_namespace
async def test_nft_prints_the_network_and_what_is_looked_up() -> None:
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, state([ALPHA], {"alpha": NETS})))
    listing = nft("list", "table", "inet", "banlistd")
    # Versions of nft print the expression of the bits differently; the tests above send packets through it.
    assert re.search(r"meta nfproto ipv6 @nh,.* jump embedding\n", listing)
    for line in (
        "ip6 saddr 64:ff9b::/96 jump within-nat64",
        "ip6 saddr 2002::/16 jump within-6to4",
    ):
        assert line in listing
    for chain in ("within-nat64", "within-6to4"):
        assert rules_of(listing, chain) == ["ip saddr @allowed4 return", f"jump {chain}-nets4"]
        assert rules_of(listing, f"{chain}-nets4") == ["meta mark set ip saddr map @nets4 goto banned"]
    await firewall.close()


@in_network_namespace
@pytest.mark.parametrize(
    "command",
    [
        "flush chain inet banlistd within-nat64",
        "flush chain inet banlistd embedding",
        "insert rule inet banlistd within-6to4 return",
        "flush chain inet banlistd lookup-in",
    ],
)
async def test_a_change_of_these_rules_by_others_is_found_and_repaired(command: str) -> None:
    held = state([ALPHA], {"alpha": NETS})
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, held))
    before = nft("-s", "list", "ruleset")
    await firewall.close()
    nft(command)
    firewall = NftablesFirewall()
    verdict = await firewall.verify(held)
    assert verdict.structure
    await firewall.apply(difference(held, held, verdict))
    assert nft("-s", "list", "ruleset") == before
    await firewall.close()


@in_network_namespace
async def test_the_rules_come_and_go_with_the_setting() -> None:
    held = state([ALPHA], {"alpha": NETS})
    for translated in (True, False, True):
        firewall = NftablesFirewall(translated=translated)
        verdict = await firewall.verify(held)
        assert verdict.structure
        await firewall.apply(difference(held, held, verdict))
        assert ("within-nat64" in nft("list", "table", "inet", "banlistd")) is translated
        assert (await firewall.verify(held)).sound
        await firewall.close()
