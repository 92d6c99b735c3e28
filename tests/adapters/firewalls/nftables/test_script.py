"""How nft is handed a change of structure."""

import os
import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest

from adapters.firewalls.contract import ALPHA, BETA, LOGGED, addresses, state
from banlistd.adapters.firewalls.nftables.changing import applying
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.firewalls.nftables.structure import RuleForm, structure_of
from banlistd.core.ruleset.diff import difference
from banlistd.errors import FirewallError
from banlistd.model import SourceSlot
from support.network_namespace import in_network_namespace, nft


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


@in_network_namespace
async def test_a_change_of_sources_that_fails_again_and_again_adds_no_more_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"alpha": addresses("192.0.2.0/24")}
    held, wanted = state([ALPHA, LOGGED], content), state([ALPHA, BETA, LOGGED], content)
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, held))

    def refused(*_: object, **__: object) -> None:
        raise FirewallError("the elements are refused")

    with monkeypatch.context() as patch:
        patch.setattr(applying, "compose", refused)
        for _ in range(3):
            with pytest.raises(FirewallError, match="elements"):
                await firewall.apply(difference(held, wanted))
            rules = [nft("list", "chain", "inet", "banlistd", chain).count(" vmap ") for chain in ("banned", "watched")]
            assert rules == [1, 1]
    await firewall.apply(difference(held, wanted))
    assert (await firewall.verify(wanted)).sound
    await firewall.close()
