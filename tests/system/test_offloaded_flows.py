"""The daemon on a router whose flowtable forwards flows past all rules; skipped where the kernel has no flowtables."""

from contextlib import ExitStack, closing
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from adapters.firewalls.street import BAD4, BAD6, GOOD4, GOOD6, INNER4, INNER6, MORE4, Street, bound, laid_out
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from support.network_namespace import run_nft
from system.daemon_process import Installation, running

OFFLOADED = """
table inet forwarding {
 flowtable fast { hook ingress priority filter; devices = { g0, g1 }; }
 chain forward { type filter hook forward priority filter; meta l4proto { tcp, udp } ct state established flow add @fast; }
}
"""
ALLOWED, BY_HAND, OTHER = MORE4
# Not where hosts of others are: no list may ban it.
RESERVED = "10.9.0.2"

LATER = 10_000
"""Datagrams that may pass while the kernel looks, once a second, which flows of the flowtable have ended."""


class Flow:
    """Datagrams between an address of the peer and the inner network, there and back."""

    def __init__(self, street: Street, source: str, stack: ExitStack) -> None:
        self._inner = stack.enter_context(closing(bound(street.inner, INNER6 if ":" in source else INNER4)))
        self._outer = stack.enter_context(closing(bound(street.peer, source)))
        self._inner.settimeout(1)
        for _ in range(3):  # the second one there is of an established flow
            assert self.arrives(), source
            self._inner.sendto(b"back", self._outer.getsockname())
            assert self._outer.recv(16) == b"back"

    def arrives(self) -> bool:
        self._outer.sendto(b"there", self._inner.getsockname())
        try:
            return self._inner.recv(16) == b"there"
        except TimeoutError:
            return False

    def ends(self) -> bool:
        """Whether it ends, and stays so."""
        for passed in count():
            if not self.arrives():
                return not self.arrives()
            if passed > LATER:
                return False
        raise AssertionError


def test_flows_of_what_is_newly_banned_end_and_those_of_others_go_on(tmp_path: Path) -> None:
    with laid_out("nftables", NftablesFirewall) as street:
        street.guard.run(partial(_ban_hosts_whose_flows_are_offloaded, street, tmp_path))


def _ban_hosts_whose_flows_are_offloaded(street: Street, folder: Path) -> None:
    (folder / "ruleset").write_text(OFFLOADED)
    made = run_nft("-f", str(folder / "ruleset"))
    if made.returncode:
        pytest.skip(f"this kernel has no flowtables: {made.stderr.splitlines()[0]}")
    place = Installation(folder)
    listed = folder / "list"
    listed.write_text("192.0.2.1\n")
    place.configure(f'id: listed, path: "{listed}"', allow=[ALLOWED], every="365d")
    with running(place, "listed") as daemon, ExitStack() as stack:
        flow = {each: Flow(street, each, stack) for each in (BAD4, BAD6, GOOD4, GOOD6, ALLOWED, RESERVED, BY_HAND, OTHER)}
        since = len(daemon.events)
        listed.write_text(f"{BAD4}\n{BAD6}\n{ALLOWED}\n{RESERVED}\n192.0.2.1\n")
        daemon.wait_for("blocklist_import_completed", "listed", since=since)
        assert flow[BAD4].ends()
        assert flow[BAD6].ends()
        place.ask("ban", BY_HAND)
        assert flow[BY_HAND].ends()
        assert [each for each in (GOOD4, GOOD6, ALLOWED, RESERVED, OTHER) if not flow[each].arrives()] == []
        remarks = [str(remark) for remark in place.ask("status")["remarks"]]
        assert any("flowtable" in remark and "forwarding" in remark for remark in remarks), remarks
        assert daemon.terminate() == 0
