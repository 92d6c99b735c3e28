"""The limit: one sendmsg of the ready batch. Composed by banlistd's own code; only what the kernel does is timed.

A program of its own, so that each sample begins with an empty memory and an empty firewall: files in, JSON out.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from banlistd.adapters.firewalls.nftables.changing.batch import add_rules, add_sets, begun
from banlistd.adapters.firewalls.nftables.changing.staging import Limit, distrusting, parts_of, staging_of
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.firewalls.nftables.inspection import look_at
from banlistd.adapters.firewalls.nftables.look import Look
from banlistd.adapters.firewalls.nftables.lookups.matching import Lookups
from banlistd.adapters.firewalls.nftables.records import element_messages
from banlistd.adapters.firewalls.nftables.sets import EVERY_MAP
from banlistd.adapters.firewalls.nftables.structure import TABLE, RuleForm
from banlistd.adapters.netlink.messages import NFT_MSG_NEWSETELEM, Batch
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.core.addresses.canonical import hash_of
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.model import Config, Source
from banlistd.core.download.decompression import unpack
from banlistd.core.feeds.parsers import parse
from banlistd.core.ruleset.diff import Change, difference
from banlistd.core.ruleset.plan import plan
from banlistd.core.ruleset.policy import Policy, policy_of
from banlistd.core.ruleset.state import FirewallState
from banlistd.model import Mark, Marker, SourceId

_MAX_BYTES = 1 << 30


def holdings(contents: Sequence[AddressSet]) -> tuple[FirewallState, FirewallState]:
    """An empty firewall, and one that holds these contents, a source each."""
    source_ids = [SourceId(f"list-{number}") for number in range(1, len(contents) + 1)]
    sources = tuple(Source(id=source_id, path=Path("/", source_id)) for source_id in source_ids)
    policy = policy_of(Config(sources=sources), {source_id: Mark(n) for n, source_id in enumerate(source_ids, 1)}, 0.0)
    return _holding(policy, ()), _holding(policy, contents)


def _holding(policy: Policy, contents: Sequence[AddressSet]) -> FirewallState:
    by_source = {owner.source_id: content for owner, content in zip(policy.sources, contents, strict=False)}
    markers = [
        Marker(owner.mark, owner.source_id, hash_of(by_source[owner.source_id].encode()), policy.hash)
        for owner in policy.sources
        if owner.source_id in by_source
    ]
    return plan(policy.sources, by_source, policy.allowed, policy.never_banned, markers)


def send(empty: FirewallState, full: FirewallState) -> float:
    """Seconds in sendmsg for the batch that fills an empty firewall; the structure stands before."""
    asyncio.run(_found(empty))
    with NetlinkSocket() as wire:
        batch = one_batch(difference(empty, full), look_at(wire))
        began = time.perf_counter()
        wire.commit(batch)
        return time.perf_counter() - began


def one_batch(change: Change, look: Look) -> Batch:
    """Sets, rules and all elements in one transaction, whatever memory that takes."""
    boundless = Limit(1 << 30, 1 << 30)
    anew = distrusting(change, frozenset(item.map for item in change.maps))
    staging = staging_of(anew, look, Limit(0, 0))
    batch = begun(look.generation)
    add_sets(batch, [staged.shape for staged in staging.sets.values()])
    add_rules(batch, change, look, Lookups(staging.names(look), EVERY_MAP), form=RuleForm())
    for staged in staging.sets.values():
        for part in parts_of(staged.elements, boundless) if staged.elements is not None else ():
            batch.add_block(element_messages(NFT_MSG_NEWSETELEM, batch.next_sequence, TABLE, staged.shape.name, part))
    batch.end()
    return batch


async def _found(empty: FirewallState) -> None:
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, empty))
    await firewall.close()


def main(files: Sequence[str]) -> None:
    contents = [parse(unpack(Path(file).read_bytes(), _MAX_BYTES)).addresses for file in files]
    empty, full = holdings(contents)
    print(json.dumps({"seconds": send(empty, full), "elements": len(full)}))


if __name__ == "__main__":
    main(sys.argv[1:])
