"""A structure that does not fit into one transaction of nft is written in several, and no ban is missing in between."""

import os
import shutil
from pathlib import Path

import pytest

from adapters.firewalls.holdings import ALPHA, BETA, COUNTED, LOGGED, MIXED, owner, state
from banlistd.adapters.firewalls.nftables.changing.in_parts import units_of
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.firewalls.nftables.structure import RuleForm, preparation, settlement, structure_of
from banlistd.core.ruleset.diff import difference
from banlistd.core.ruleset.state import FirewallState
from banlistd.errors import TooLargeError
from banlistd.model import Action
from support.network_namespace import in_network_namespace, nft

MANY = [owner(number, f"list-{number}") for number in range(10, 40)]
SOURCES = [ALPHA, BETA, LOGGED, COUNTED, *MANY]
FORM = RuleForm()


def held_by(sources: list) -> FirewallState:  # type: ignore[type-arg]
    return state(sources, {str(source.source_id): MIXED for source in sources})


def narrow_nft(folder: Path, lines: int) -> None:
    """An nft that sends no script of more lines than that."""
    program = folder / "nft"
    program.write_text(
        "#!/bin/sh\n"
        "script=$(cat)\n"
        f'if [ "$(echo "$script" | wc -l)" -gt {lines} ]; then\n'
        'echo "netlink: Error: Could not process rule: Message too long" >&2; exit 1; fi\n'
        f'echo "$script" | exec {shutil.which("nft")} "$@"\n'
    )
    program.chmod(0o755)


def listing() -> list[str]:
    return sorted(nft("-s", "list", "ruleset").splitlines())


@pytest.mark.parametrize("lines", [6, 9, 40])
@in_network_namespace
async def test_the_table_is_the_same_as_from_one_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    turned = [owner(source.mark, source.source_id, Action.COUNT if source.action.blocks else Action.DROP) for source in SOURCES]
    steps = [SOURCES, [*turned[:20], ALPHA], SOURCES[::-1]]
    firewall, wanted = NftablesFirewall(), []
    before: FirewallState | None = None
    for sources in steps:
        await firewall.apply(difference(before, held_by(sources)))
        before = held_by(sources)
        wanted.append(listing())
    await firewall.teardown()
    narrow_nft(tmp_path, lines)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    before = None
    for sources, table in zip(steps, wanted, strict=True):
        await firewall.apply(difference(before, held_by(sources)))
        before = held_by(sources)
        assert (await firewall.verify(before)).sound
        assert listing() == table
    assert await firewall.remarks() == []
    await firewall.close()


@in_network_namespace
async def test_a_part_that_does_not_fit_by_itself_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow_nft(tmp_path, 0)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    firewall = NftablesFirewall()
    with pytest.raises(TooLargeError, match="Message too long"):
        await firewall.apply(difference(None, held_by(SOURCES)))
    await firewall.close()


def test_parts_are_the_whole_script_and_leave_no_chain_empty() -> None:
    chains = frozenset(structure_of(tuple(SOURCES), form=FORM))
    some = (ALPHA, LOGGED)
    for script in (
        preparation(SOURCES, frozenset(), form=FORM),
        preparation(SOURCES, chains, frozenset({"inbound"}), form=FORM),
        preparation(SOURCES, chains - {"from-alpha", "banned"}, form=FORM),
        settlement(some, chains, form=FORM),
        settlement(some, chains, form=FORM, deletes=False),
    ):
        units = units_of(script)
        assert sorted("".join(units).splitlines()) == sorted(script.splitlines())
        for unit in units:
            first, *more = unit.splitlines()
            has_rules = any(f"add rule inet banlistd {first.split()[-1]} " in one for one in units)
            if first.startswith("flush chain") and has_rules and not first.endswith(" inbound"):
                assert more
