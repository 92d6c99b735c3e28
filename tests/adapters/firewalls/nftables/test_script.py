"""How nft is handed a change of structure."""

import os
import shutil
from pathlib import Path

import pytest

from adapters.firewalls.contract import ALPHA, addresses, state
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.core.ruleset.diff import difference
from support.network_namespace import in_network_namespace


@in_network_namespace
async def test_nft_is_started_when_its_script_is_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a daemon is still writing when it is killed would be carried out as far as it got."""
    seen = tmp_path / "seen"
    spy = tmp_path / "nft"
    spy.write_text(f'#!/bin/sh\nstat --dereference --format "%F" /dev/stdin >> {seen}\nexec {shutil.which("nft")} "$@"\n')
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    firewall = NftablesFirewall()
    before = state([], {})
    await firewall.apply(difference(None, before))
    await firewall.apply(difference(before, state([ALPHA], {"alpha": addresses("192.0.2.0/24")})))
    await firewall.close()
    kinds = seen.read_text().splitlines()
    assert kinds
    assert set(kinds) == {"regular file"}
