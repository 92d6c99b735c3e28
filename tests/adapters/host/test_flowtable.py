"""Flows that a flowtable forwards, on a kernel that has flowtables: they pass no rule, so a ban has to end them."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial

import pytest

from adapters.firewalls.holdings import ALPHA, state
from adapters.firewalls.street import BAD4, BAD6, GOOD4, GOOD6, HOSTS, INNER4, INNER6, Street, bound, laid_out
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.host.connections import LinuxConnections
from banlistd.core.ruleset.diff import Change, difference
from banlistd.scopes.scope import Scope
from support.network_namespace import nft

OFFLOADED = """
table inet forwarding {
 flowtable fast { hook ingress priority filter; devices = { g0, g1 }; }
 chain forward { type filter hook forward priority filter; meta l4proto { tcp, udp } ct state established flow add @fast; }
}
"""
BANNED = state([ALPHA], {"alpha": HOSTS})


@pytest.fixture
def street() -> Iterator[Street]:
    with laid_out("nftables", NftablesFirewall) as street:
        try:
            street.guard.run(lambda: nft("-f", "-", given=OFFLOADED))
        except AssertionError as error:
            pytest.skip(f"this kernel has no flowtables: {str(error).splitlines()[0]}")
        yield street


class Flow:
    """Datagrams there and back between an address of the peer and the inner network."""

    def __init__(self, street: Street, source: str, stack: ExitStack) -> None:
        self._far = stack.enter_context(closing(bound(street.inner, INNER6 if ":" in source else INNER4)))
        self._near = stack.enter_context(closing(bound(street.peer, source)))
        self._far.settimeout(2)
        for _ in range(3):  # there, back: established; there again: taken over by the flowtable
            assert self.arrives()
            self._far.sendto(b"back", self._near.getsockname())
            assert self._near.recv(16) == b"back"

    @property
    def port(self) -> int:
        """To which its packets go."""
        return int(self._far.getsockname()[1])

    def arrives(self) -> bool:
        self._near.sendto(b"there", self._far.getsockname())
        try:
            return self._far.recv(16) == b"there"
        except TimeoutError:
            return False


async def end(change: Change) -> None:
    with closing(LinuxConnections()) as connections:
        await connections.end([change], ())


@pytest.mark.parametrize(("bad", "good"), [(BAD4, GOOD4), (BAD6, GOOD6)])
def test_a_flow_of_a_newly_banned_address_ends_and_others_go_on(street: Street, bad: str, good: str) -> None:
    with ExitStack() as stack:
        banned, other = Flow(street, bad, stack), Flow(street, good, stack)
        street.apply(None, BANNED)
        if bad == BAD4:  # 6.1 leaves those of IPv6 to the rules
            assert banned.arrives(), "the flowtable does not forward it: this test proves nothing"
        street.guard.run(partial(end, difference(None, BANNED)))
        assert not banned.arrives()
        assert other.arrives()


def test_a_ban_of_a_port_ends_the_flow_to_it_and_the_one_beside_goes_on(street: Street) -> None:
    with ExitStack() as stack:
        closed, beside = Flow(street, BAD4, stack), Flow(street, BAD4, stack)
        scope = Scope(ports=((closed.port, closed.port),), protocols=("udp",))
        banned = state([replace(ALPHA, scope=scope, scope_number=1)], {"alpha": HOSTS})
        street.apply(None, banned)
        assert closed.arrives(), "the flowtable does not forward it: this test proves nothing"
        street.guard.run(partial(end, difference(None, banned)))
        assert not closed.arrives()
        assert beside.arrives()


@pytest.mark.parametrize("bad", [BAD4, BAD6])
def test_a_flow_to_a_newly_banned_address_ends_where_answers_are_banned_too(street: Street, bad: str) -> None:
    """The same flow seen from its other end: the inner host began it."""
    with ExitStack() as stack:
        far = stack.enter_context(closing(bound(street.peer, bad)))
        near = stack.enter_context(closing(bound(street.inner, INNER6 if ":" in bad else INNER4)))
        near.settimeout(2)
        for _ in range(3):
            near.sendto(b"asked", far.getsockname())
            assert far.recv(16) == b"asked"
            far.sendto(b"answer", near.getsockname())
            assert near.recv(16) == b"answer"
        street.apply(None, BANNED)
        street.guard.run(partial(end, difference(None, BANNED)))
        far.sendto(b"answer", near.getsockname())
        with pytest.raises(TimeoutError):
            near.recv(16)
