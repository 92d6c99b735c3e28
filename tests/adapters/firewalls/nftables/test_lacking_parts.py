"""A rule that the kernel or nft refuses costs a source its action, and no source its bans."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from adapters.firewalls.holdings import ALPHA, BETA, COUNTED, LOGGED, addresses, owner, services, state
from adapters.firewalls.street import BAD, BAD4, BAD6, MORE4, Street, laid_out
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.firewalls.nftables.rules import PROBES
from banlistd.adapters.netlink.expressions import expression
from banlistd.adapters.netlink.probing import refused
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.core.ruleset.diff import difference
from banlistd.core.ruleset.evidence.packets import HIT_GROUP
from banlistd.core.ruleset.kernel_parts import KernelPart
from banlistd.errors import FirewallError, LostStructureError
from banlistd.model import Action, Remark
from banlistd.scopes.scope import Scope
from support.network_namespace import in_network_namespace, nft

UNKNOWN = (expression("nonesuch"),)
WATCHER = owner(7, "watcher", Action.COUNT)
SAMPLED = replace(owner(8, "sampled"), log=0, hits=True)
TRACKED = replace(owner(9, "tracked"), scope=Scope(except_interfaces=("wg0",), only_new=True), scope_number=1)
PORTED = replace(owner(10, "ported"), scope=Scope(ports=((22, 22),), protocols=("tcp",)), scope_number=2)
SOURCES = [ALPHA, BETA, LOGGED, COUNTED, WATCHER, TRACKED, PORTED]
CONTENTS = {
    "alpha": addresses(BAD4),
    "beta": addresses(BAD6),
    "logged": addresses(MORE4[0]),
    "counted": addresses("192.0.2.0/24"),
    "watcher": addresses(MORE4[2]),
    "tracked": addresses("203.0.113.200"),
    "ported": addresses("203.0.113.201"),
}
ANSWERS = services(f"{BAD4} udp 53")
HELD = state(SOURCES, CONTENTS, answers=ANSWERS)
HELD_AND_SAMPLED = state([*SOURCES, SAMPLED], {**CONTENTS, "sampled": addresses(MORE4[1])}, answers=ANSWERS)


@in_network_namespace
def test_the_kernel_checks_rules_and_keeps_nothing_of_them() -> None:
    with NetlinkSocket() as wire:
        before = wire.generation()
        assert refused(wire, {"known": PROBES[KernelPart.REJECT], "unknown": UNKNOWN, "another": UNKNOWN}) == {
            "unknown",
            "another",
        }
        assert refused(wire, PROBES) == frozenset()
        assert wire.generation() == before
    assert nft("list", "ruleset") == ""


def lacking(*parts: KernelPart) -> NftablesFirewall:
    """A firewall on a kernel that lacks these parts."""
    return NftablesFirewall(probes={**PROBES, **dict.fromkeys(parts, UNKNOWN)})


@contextmanager
def street_lacking(*parts: KernelPart) -> Iterator[Street]:
    with laid_out("nftables", partial(lacking, *parts)) as street:
        street.apply(None, HELD_AND_SAMPLED)
        yield street


async def _found(make: partial[NftablesFirewall]) -> tuple[bool, list[Remark]]:
    firewall = make()
    try:
        return (await firewall.verify(HELD_AND_SAMPLED)).sound, [*await firewall.remarks()]
    finally:
        await firewall.close()


ONCE_EACH = {1: 1, 2: 1, 4: 1, 5: 0, 7: 1, 8: 1, 9: 0, 10: 0}
COSTS = {
    KernelPart.REJECT: "packets of beta are dropped and not rejected",
    KernelPart.LOG: "packets of logged, sampled are counted and not logged",
    KernelPart.LIMIT: "packets of logged, sampled are counted and not logged",
    KernelPart.NFLOG: "packets of sampled are not sampled, nor logged to a group",
    KernelPart.COUNTER: "packets of alpha, beta, logged, counted, watcher, tracked, ported, sampled are not counted",
    KernelPart.ADDRESS_TYPE: "if alpha, beta, logged, counted, watcher, tracked, ported, sampled ban them",
    KernelPart.INTERFACE_KIND: "in a VRF, packets of logged, counted, watcher, tracked are counted twice",
    KernelPart.CONNECTIONS: "addresses of tracked are banned also where they answer connections of this host",
    KernelPart.PORTS: "ported ban nothing, because packets cannot be told by their ports",
    KernelPart.INTERFACES: "tracked ban nothing, because packets cannot be told by their interfaces",
    KernelPart.MARK_MAP: "watcher, tracked, ported, sampled are compared with the mark of one source after the other",
}


@pytest.mark.parametrize("parts", [(part,) for part in KernelPart] + [tuple(KernelPart)], ids="+".join)
def test_a_kernel_that_lacks_a_part_bans_everything_and_the_remarks_say_what_is_lost(parts: tuple[KernelPart, ...]) -> None:
    with street_lacking(*parts) as street:
        for source in (*BAD, MORE4[1]):
            assert not street.arrives(source)
        for source in (MORE4[0], MORE4[2]):
            assert street.arrives(source)
        assert street.counted() == ({} if KernelPart.COUNTER in parts else ONCE_EACH)
        assert street.arrives(BAD4, port=53)
        sound, remarks = street.guard.run(partial(_found, partial(lacking, *parts)))
        assert sound
        assert [COSTS[part] in remark.message for part, remark in zip(parts, remarks, strict=True)] == [True] * len(parts)
        listing = street.guard.command("nft", "list", "table", "inet", "banlistd")
        assert ("reject with" in listing) is (KernelPart.REJECT not in parts)
        for source_id in ("logged", "sampled"):
            logged = f'burst 20 packets log prefix "banlistd {source_id} "' in listing
            assert logged is not bool({KernelPart.LOG, KernelPart.LIMIT} & {*parts})
        assert ("ct direction" in listing) is not bool({KernelPart.CONNECTIONS, KernelPart.INTERFACES} & {*parts})
        assert bool(re.search(r"dport \{? ?22", listing)) is (KernelPart.PORTS not in parts)
        assert ("iifname" in listing) is (KernelPart.INTERFACES not in parts)
        assert ("meta mark vmap" in listing) is (KernelPart.MARK_MAP not in parts)
        assert (f"group {HIT_GROUP}" in listing) is not bool({KernelPart.NFLOG, KernelPart.LIMIT} & {*parts})


@in_network_namespace
async def test_a_part_that_is_there_again_is_used_again() -> None:
    for firewall in (lacking(), lacking(*KernelPart), lacking()):
        verdict = await firewall.verify(HELD)
        assert verdict.structure
        await firewall.apply(difference(HELD, HELD, verdict))
        assert (await firewall.verify(HELD)).sound
        without = state([ALPHA], {"alpha": addresses(BAD4)})
        await firewall.apply(difference(HELD, without))
        await firewall.apply(difference(without, HELD))
        assert (await firewall.verify(HELD)).sound
        await firewall.close()
    assert "reject with" in nft("list", "table", "inet", "banlistd")


def refusing_nft(folder: Path, words: str) -> Path:
    """An nft that refuses every script with these words, and notes each that it gets; the file of the notes."""
    notes = folder / "notes"
    notes.touch()
    program = folder / "nft"
    program.write_text(
        "#!/bin/sh\n"
        f"script=$(cat); echo script >> {notes}\n"
        f'case "$script" in *"{words}"*) echo "1:1: Error: Could not process rule: Operation not supported" >&2; exit 1;;\n'
        "esac\n"
        f'echo "$script" | exec {shutil.which("nft")} "$@"\n'
    )
    program.chmod(0o755)
    return notes


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("reject with", KernelPart.REJECT),
        ("log prefix", KernelPart.LOG),
        ("counter name", KernelPart.COUNTER),
        ("ct direction", KernelPart.CONNECTIONS),
        ('kind \\"vrf', KernelPart.INTERFACE_KIND),
        ("th dport", KernelPart.PORTS),
        ("iifname", KernelPart.INTERFACES),
        ("mark vmap", KernelPart.MARK_MAP),
    ],
)
@in_network_namespace
async def test_a_rule_that_is_refused_when_it_is_written_costs_what_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, part: KernelPart
) -> None:
    refusing_nft(tmp_path, words)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    firewall = NftablesFirewall()
    assert await firewall.remarks() == []
    await firewall.apply(difference(None, HELD))
    assert (await firewall.verify(HELD)).sound
    (remark,) = await firewall.remarks()
    assert COSTS[part].replace(", sampled", "") in remark.message
    more = state([*SOURCES, owner(8, "more", Action.REJECT)], {"alpha": addresses(BAD4), "more": addresses("192.0.2.9")})
    await firewall.apply(difference(HELD, more))
    assert (await firewall.verify(more)).sound
    await firewall.close()


@pytest.mark.parametrize(("words", "part"), [("reject with", KernelPart.REJECT), ("th dport", KernelPart.PORTS)])
@in_network_namespace
async def test_what_only_nft_refuses_is_found_without_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, part: KernelPart
) -> None:
    notes = refusing_nft(tmp_path, words)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    firewall = NftablesFirewall()
    (remark,) = await firewall.remarks(SOURCES)
    assert COSTS[part] in remark.message
    assert await firewall.remarks([ALPHA]) == []
    assert nft("list", "ruleset") == ""
    assert notes.read_text()
    await firewall.close()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Error: syntax error, unexpected string", "nft refuses the rules: 'Error: syntax error, unexpected string'"),
        ("Operation not permitted (you must be root)", None),
    ],
)
@in_network_namespace
async def test_an_nft_that_takes_no_rules_is_remarked_on_where_this_process_may_write_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, message: str | None
) -> None:
    (tmp_path / "nft").write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n')
    (tmp_path / "nft").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    firewall = NftablesFirewall()
    assert [remark.message for remark in await firewall.remarks(SOURCES)] == ([message] if message else [])
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert [remark.message for remark in await firewall.remarks(SOURCES)] == ["there is no command nft"]
    await firewall.close()


@in_network_namespace
async def test_two_rules_that_are_refused_cost_no_other_source_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing_nft(tmp_path, "log prefix")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, HELD_AND_SAMPLED))
    remarks = await firewall.remarks()
    assert [
        COSTS[part] in remark.message for part, remark in zip((KernelPart.LOG, KernelPart.NFLOG), remarks, strict=True)
    ] == [
        True,
        True,
    ]
    await firewall.close()


@in_network_namespace
async def test_an_nft_that_refuses_everything_is_asked_a_few_times_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = refusing_nft(tmp_path, "inet banlistd")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    firewall = NftablesFirewall()
    with pytest.raises(FirewallError, match="Operation not supported"):
        await firewall.apply(difference(None, HELD))
    assert len(notes.read_text().splitlines()) == 39
    assert await firewall.remarks() == []
    await firewall.close()


def failing_nft(folder: Path, times: int) -> None:
    """An nft that refuses so many scripts, as where another program deletes what they refer to, and then works."""
    program, notes = folder / "nft", folder / "notes"
    notes.touch()
    program.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" != --check ] && [ "$(wc -l <{notes})" -lt {times} ]; then\n'
        f'echo refused >>{notes}; echo "Error: Could not process rule: No such file or directory" >&2; exit 1; fi\n'
        f'exec {shutil.which("nft")} "$@"\n'
    )
    program.chmod(0o755)


def _listed() -> list[str]:
    """The table's lines in order, under first names: a kernel that does not count elements has its sets written beside."""
    return sorted(re.sub(r"-b\b", "", line) for line in nft("-s", "list", "table", "inet", "banlistd").splitlines())


@in_network_namespace
async def test_what_another_program_breaks_while_rules_are_written_costs_no_source_its_action(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, HELD))
    before = _listed()
    nft("flush chain inet banlistd from-beta")
    failing_nft(tmp_path, times=2)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LostStructureError, match="refused the structure"):
        await firewall.apply(difference(HELD, HELD, await firewall.verify(HELD)))
    await firewall.apply(difference(HELD, HELD, await firewall.verify(HELD)))
    assert (await firewall.verify(HELD)).sound
    assert await firewall.remarks() == []
    assert _listed() == before
    await firewall.close()
