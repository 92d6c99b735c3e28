"""How nft is handed a change of structure."""

import os
import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest

from adapters.firewalls.contract import ALPHA, BETA, addresses, state
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.firewalls.nftables.structure import RuleForm, structure_of
from banlistd.core.ruleset.diff import difference
from banlistd.model import SourceSlot
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


def test_the_structure_of_the_same_sources_is_written_once_and_without_a_hash_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = (ALPHA, BETA)
    hashed = Mock(return_value=1)
    monkeypatch.setattr(SourceSlot, "__hash__", lambda _: hashed())
    plain, translated = RuleForm(translated=False), RuleForm()
    first, other = structure_of(sources, form=plain), structure_of(sources, form=translated)
    assert first != other
    assert structure_of(sources, form=plain) is first
    assert structure_of(sources, form=translated) is other
    assert structure_of(sources[:1], form=plain) != first
    assert not hashed.called
