"""What a restore stands on comes out of its text as it went in, or not at all."""

from dataclasses import replace

import pytest

from banlistd.backends import BackendName
from banlistd.core.ruleset.boot_snapshot import BootSnapshot, decode, encode
from banlistd.core.ruleset.policy import policy_of
from banlistd.model import AnswerPort, Family, Mark, Ownership, Protected, SourceId
from banlistd.scopes.scope import Scope
from support.written_config import read

CONFIG = """
allow: [192.0.2.10, "2001:db8::/32", {address: 203.0.113.4/31, until: 2030-01-01}]
sources:
  - {id: a, url: "https://a.example/", action: reject}
  - {id: b, path: /b, direction: both}
  - {id: c, path: /c, log: yes, log_group: 5, hits: yes}
"""


@pytest.fixture
def boot_snapshot() -> BootSnapshot:
    config = read(CONFIG)
    policy = policy_of(config, {SourceId("a"): Mark(2), SourceId("b"): Mark(7), SourceId("c"): Mark(8)}, 0.0)
    protected = [
        Protected(Family.IPV4, 0xC0000201, 0xC0000201, "gateway"),
        Protected(Family.IPV4, 0xC0000235, 0xC0000235, "resolver", learned=True, answers=(AnswerPort("udp", 53),)),
        Protected(Family.IPV6, 2**128 - 2, 2**128 - 1, "an SSH peer"),
    ]
    return BootSnapshot(BackendName.NFTABLES, Ownership.AUTO, False, policy, protected)


def test_it_comes_back_as_it_was(boot_snapshot: BootSnapshot) -> None:
    back = decode(encode(boot_snapshot))
    assert back is not None
    assert (back.backend, back.owner, back.translated, back.protected) == (
        boot_snapshot.backend,
        boot_snapshot.owner,
        False,
        boot_snapshot.protected,
    )
    assert (back.policy.sources, back.policy.hash) == (boot_snapshot.policy.sources, boot_snapshot.policy.hash)
    assert back.policy.allowed == boot_snapshot.policy.allowed
    assert back.policy.never_banned == boot_snapshot.policy.never_banned


def test_a_source_in_shadow_is_in_shadow_after_a_boot_too(boot_snapshot: BootSnapshot) -> None:
    sources = tuple(replace(owner, shadow=owner.source_id == "b") for owner in boot_snapshot.policy.sources)
    back = decode(encode(replace(boot_snapshot, policy=replace(boot_snapshot.policy, sources=sources))))
    assert back is not None
    assert back.policy.sources == sources


@pytest.mark.parametrize("hits", [False, True])
def test_a_source_with_a_scope_has_it_after_a_boot_too(boot_snapshot: BootSnapshot, hits: bool) -> None:
    scope = Scope(("eth0",), ("wg0",), ((22, 22), (80, 90)), ("tcp",), only_new=True)
    sources = tuple(replace(owner, scope=scope, scope_number=7, hits=hits) for owner in boot_snapshot.policy.sources)
    back = decode(encode(replace(boot_snapshot, policy=replace(boot_snapshot.policy, sources=sources))))
    assert back is not None
    assert back.policy.sources == sources


def test_the_snapshot_of_an_earlier_program_has_the_default(boot_snapshot: BootSnapshot) -> None:
    back = decode(encode(boot_snapshot).replace('"translated": false, ', ""))
    assert back is not None
    assert back.translated is True


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ('"version": 1', '"version": 2'),
        ('"nftables"', '"pf"'),
        ('"roster": [[2', '"roster": [[2, 2'),
        ('"allowed": "', '"allowed": "zz'),
        ("}", ""),
    ],
    ids=["another version", "another backend", "another shape", "no digits", "cut"],
)
def test_what_cannot_be_read_is_as_good_as_absent(boot_snapshot: BootSnapshot, good: str, bad: str) -> None:
    text = encode(boot_snapshot)
    assert good in text
    assert decode(text.replace(good, bad)) is None
    assert decode("") is None
