"""Signed lists from real mirrors: what is proven arrives, and everything else is refused with the reason of python-tuf."""

import asyncio
import base64
import copy
import os
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata

from banlistd.adapters.fetch.fleet import pulling
from banlistd.adapters.fetch.fleet.pulling import MirrorPrograms, _pulled
from banlistd.adapters.system.child_program import ChildEnd
from banlistd.core.addresses.fleet_files.files import delta_file, whole_file
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.fleet.trust import KnownTrust, MirrorFault, Pulled, SignedList, WantedList
from banlistd.errors import FetchError, TrustError
from banlistd.trust.taking import Pull
from support.certificates import self_signed
from support.fakes import FakeClock
from support.fleet_repository import DAY, Repository, in_time, signed
from support.mirror import ENDLESS, Mirror, mirror_of

START = 1 << 24


def content(first: int, count: int = 400) -> AddressSet:
    return AddressSet.of(START + 3 * np.arange(first, first + count, dtype=np.uint32))


A, B, C = content(0), content(4), content(8)


@dataclass
class Node:
    """One machine, and what it remembers."""

    fleet: Fleet
    scratch: Path
    clock: FakeClock
    known: KnownTrust = field(default_factory=KnownTrust)
    has: AddressSet | None = None

    def pull(self, name: str = "drop", max_bytes: int = 1 << 20, seconds: float = 30.0, *, compares: bool = False) -> Pulled:
        base = self.has
        known = base.content_hash() if base else ""
        wanted = WantedList(name, known, base, known, max_bytes, compares)
        programs = MirrorPrograms(self.scratch, "1", self.clock)
        pulled = asyncio.run(programs.pull(self.fleet, [wanted], self.known, seconds))
        self.remember(pulled)
        found = pulled.lists.get(name)
        self.has = found.addresses if found is not None and found.addresses is not None else self.has
        return pulled

    def remember(self, pulled: Pulled) -> None:
        self.known = KnownTrust({**self.known.rows, **pulled.rows}, pulled.state)

    def refusal(self) -> str:
        """Of a pull from one mirror that gives nothing."""
        before = self.has
        pulled = self.pull()
        assert not pulled.lists
        assert self.has is before
        (refused,) = pulled.refused
        assert refused.fault is MirrorFault.REFUSED
        return refused.reason


@dataclass
class World:
    repository: Repository
    mirrors: list[Mirror]
    node: Node

    @property
    def mirror(self) -> Mirror:
        return self.mirrors[0]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A repository with one content, two mirrors of it, and a node that knows the first of them only."""
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": A})
    root = tmp_path / "root.json"
    root.write_bytes(repository.first_root)
    with ExitStack() as stack:
        mirrors = [stack.enter_context(mirror_of(repository.folder)) for _ in range(2)]
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        fleet = Fleet(name="main", root=root, urls=(mirrors[0].url,))
        yield World(repository, mirrors, Node(fleet, scratch, FakeClock(time.time())))


def found(pulled: Pulled, name: str = "drop") -> SignedList:
    one = pulled.lists[name]
    assert one is not None
    return one


def test_a_list_comes_whole_then_as_a_delta_then_not_at_all(world: World) -> None:
    node = world.node
    whole = found(node.pull())
    assert node.has == A
    assert (whole.entries, whole.seq, whole.is_delta) == (400, 1, False)
    world.repository.publish({"drop": B})
    assert found(node.pull()).is_delta
    assert node.has == B
    pulled = node.pull()
    assert found(pulled) == SignedList(B.content_hash(), 400, 2) or found(pulled).addresses is None
    assert pulled.requests == 2
    assert not pulled.refused


def test_an_update_costs_five_requests(world: World) -> None:
    world.node.pull()
    world.repository.publish({"drop": B})
    world.mirror.asked.clear()
    world.node.pull()
    kinds = [path.rpartition(".")[0].rpartition(".")[2] or path for path in world.mirror.asked]
    assert len(world.mirror.asked) == 5, kinds


def test_what_a_node_pulls_leaves_nothing_behind(world: World) -> None:
    world.node.pull()
    assert not list(world.node.scratch.iterdir())


def test_mirrors_are_asked_over_tls_by_the_authority_that_counts(world: World, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "mirror")
    other = self_signed(tmp_path, "other")
    with mirror_of(world.repository.folder, certificate) as mirror:
        world.node.fleet = replace(world.node.fleet, urls=(mirror.url,), ca=other)
        (refused,) = world.node.pull().refused
        assert refused.fault is MirrorFault.ABSENT
        assert "CERTIFICATE_VERIFY_FAILED" in refused.reason
        world.node.fleet = replace(world.node.fleet, ca=certificate)
        world.node.pull()
    assert world.node.has == A


def test_a_mirror_that_does_not_answer_is_passed_over(world: World) -> None:
    world.node.fleet = replace(world.node.fleet, urls=("http://127.0.0.1:9", world.mirror.url))
    pulled = world.node.pull()
    assert world.node.has == A
    assert [(one.mirror, one.fault) for one in pulled.refused] == [("http://127.0.0.1:9", MirrorFault.ABSENT)]
    assert pulled.state.mirror == world.mirror.url


def test_mirror_that_gives_no_answer_about_a_new_root_is_named_though_the_list_came_from_another_one(world: World) -> None:
    world.node.fleet = replace(world.node.fleet, urls=(world.mirror.url, "http://127.0.0.1:9"))
    pulled = world.node.pull()
    assert world.node.has == A
    assert [(one.mirror, one.fault) for one in pulled.refused] == [("http://127.0.0.1:9", MirrorFault.ABSENT)]
    assert pulled.state.mirror == world.mirror.url


def test_a_list_that_the_fleet_does_not_have_is_said_to_be_absent(world: World) -> None:
    assert world.node.pull("no-such-list").lists == {"no-such-list": None}


def test_an_older_timestamp_is_refused(world: World) -> None:
    old = (world.repository.folder / "metadata/timestamp.json").read_bytes()
    world.repository.publish({"drop": B})
    world.node.pull()
    world.mirror.files["metadata/timestamp.json"] = old
    assert "version" in world.node.refusal()


def test_an_expired_timestamp_is_refused_and_never_gone_by(world: World) -> None:
    world.node.pull()
    world.repository.publish({"drop": B}, expires=-60)
    pulled = world.node.pull()
    assert [one.fault for one in pulled.refused] == [MirrorFault.EXPIRED]
    assert world.node.has == A
    assert pulled.state.floor == world.node.known.state.floor
    world.repository.publish()
    world.node.pull()
    assert world.node.has == B


def test_the_timestamp_of_an_unknown_key_is_refused(world: World) -> None:
    world.node.pull()
    forged = world.repository.copy_of("timestamp")
    forged.signed.version += 1
    world.mirror.files["metadata/timestamp.json"] = signed(forged, [CryptoSigner.generate_ed25519()])
    assert "signed by" in world.node.refusal()


def test_a_list_of_another_snapshot_is_refused(world: World) -> None:
    world.node.pull()
    version = world.repository.lists["drop"].signed.version
    old = (world.repository.folder / f"metadata/{version}.drop.json").read_bytes()
    world.repository.publish({"drop": B})
    world.mirror.files[f"metadata/{version + 1}.drop.json"] = old
    assert "Expected drop" in world.node.refusal()


def target_of(repository: Repository, file: str = "full.blz") -> str:
    target = repository.lists["drop"].signed.targets[f"drop/{file}"]
    return f"targets/drop/{target.hashes['sha256']}.{file}"


def test_a_tampered_file_is_refused(world: World) -> None:
    path = target_of(world.repository)
    octets = bytearray((world.repository.folder / path).read_bytes())
    octets[-1] ^= 1
    world.mirror.files[path] = bytes(octets)
    assert "hash" in world.node.refusal()


def test_an_endless_file_is_refused(world: World) -> None:
    world.mirror.files[target_of(world.repository)] = ENDLESS
    assert "length" in world.node.refusal().lower() or "bytes" in world.node.refusal()


def test_endless_metadata_is_refused(world: World) -> None:
    world.mirror.files["metadata/timestamp.json"] = ENDLESS
    assert world.node.refusal()


def test_the_next_mirror_is_asked_for_what_one_has_spoilt(world: World) -> None:
    world.node.fleet = replace(world.node.fleet, urls=tuple(mirror.url for mirror in world.mirrors))
    world.mirror.files[target_of(world.repository)] = b"spoilt"
    pulled = world.node.pull()
    assert world.node.has == A
    assert [one.mirror for one in pulled.refused] == [world.mirror.url]
    assert pulled.state.mirror == world.mirrors[1].url


def test_a_file_above_max_bytes_is_not_fetched(world: World) -> None:
    pulled = world.node.pull(max_bytes=20)
    assert not pulled.lists
    assert "more than max_bytes" in pulled.refused[0].reason
    assert not [path for path in world.mirror.asked if path.startswith("targets/")]


def test_a_content_that_is_not_what_was_signed_for_it_is_refused(world: World) -> None:
    world.repository.publish({"drop": B}, files={"drop": whole_file(C)})
    assert "not the content that was signed" in world.node.refusal()


BOMB = struct.pack("!4s4I", b"BLZ1", 1 << 24, 0, 0, 0) + zstandard.compress(bytes(1 << 26))


@pytest.mark.parametrize("file", [b"", whole_file(A)[:-3], BOMB], ids=["empty", "cut", "a bomb"])
def test_a_signed_file_that_is_no_list_is_refused(world: World, file: bytes) -> None:
    world.repository.publish({"drop": B}, files={"drop": file})
    assert world.node.refusal()


def delta_of_a(coming: int, plain: bytes) -> bytes:
    """It takes nothing away; `plain` are the planes of `coming` addresses."""
    head = struct.pack("!4s32s8I", b"BLD1", bytes.fromhex(A.content_hash()), 0, 0, 0, 0, coming, 0, 0, 0)
    return head + zstandard.compress(plain)


DELTAS = {
    "to another content": delta_file(A, C),
    "from another base": delta_file(C, B),
    "a bomb": delta_of_a(1 << 24, bytes(1 << 26)),
    "not sorted": delta_of_a(2, bytes(8)),
    "no delta": b"BLD1",
}


@pytest.mark.parametrize("delta", DELTAS.values(), ids=DELTAS)
def test_a_delta_that_leads_elsewhere_is_replaced_by_the_whole_file(world: World, delta: bytes) -> None:
    world.node.pull()
    world.repository.publish({"drop": B}, files={f"drop/{A.content_hash()[:16]}.bld": delta})
    assert not found(world.node.pull()).is_delta
    assert world.node.has == B


def test_a_stolen_key_that_leaps_ahead_is_undone_by_its_revocation(world: World) -> None:
    node, repository = world.node, world.repository
    node.pull()
    honest = copy.deepcopy((repository.lists, repository.snapshot, repository.timestamp))
    repository.publish({"drop": C}, hub="b", jump=1 << 30)
    node.pull()
    assert node.has == C
    repository.lists, repository.snapshot, repository.timestamp = honest
    repository.contents["drop"].pop()
    repository.publish({"drop": B})
    assert "version" in node.refusal()
    repository.revoke("b", by="a")
    pulled = node.pull()
    assert node.has == B
    assert pulled.state.root_version == 2


def test_one_mirror_alone_cannot_hide_a_new_root(world: World) -> None:
    node, repository = world.node, world.repository
    node.fleet = replace(node.fleet, urls=tuple(mirror.url for mirror in world.mirrors))
    node.pull()
    repository.revoke("b", by="a")
    world.mirror.files["metadata/2.root.json"] = None
    assert node.pull().state.root_version == 2


def test_a_mirror_that_is_slow_cannot_hide_what_another_one_knows_where_that_matters(world: World) -> None:
    """A version that waited is asked for once more: the mirror that comes first has not heard yet that it was withdrawn."""
    node, mirrors = world.node, world.mirrors
    node.fleet = replace(node.fleet, urls=tuple(mirror.url for mirror in mirrors))
    world.repository.publish({"drop": B})
    node.pull()
    mirrors[0].files["metadata/timestamp.json"] = (world.repository.folder / "metadata/timestamp.json").read_bytes()
    world.repository.publish({"drop": C})
    assert found(node.pull()).content_hash == B.content_hash()
    pulled = node.pull(compares=True)
    assert (found(pulled).content_hash, pulled.refused, pulled.state.mirror) == (C.content_hash(), (), mirrors[1].url)


@pytest.mark.parametrize("timestamp", [b'{"signed": {"version": 999999}}', b"[", b'{"signed": []}', ENDLESS, None])
def test_a_mirror_that_lies_about_its_version_is_passed_over(world: World, timestamp: Any) -> None:
    world.node.fleet = replace(world.node.fleet, urls=tuple(mirror.url for mirror in world.mirrors))
    world.mirrors[0].files["metadata/timestamp.json"] = timestamp
    pulled = world.node.pull(compares=True)
    assert (world.node.has, pulled.state.mirror) == (A, world.mirrors[1].url)


def test_a_mirror_that_says_it_is_newest_and_gives_an_old_version_hides_nothing_where_that_matters(world: World) -> None:
    """Its timestamp is signed, and in force for a day: only what it has said gives it away."""
    node, (liar, honest) = world.node, world.mirrors
    node.fleet = replace(node.fleet, urls=(honest.url, liar.url))
    world.repository.publish({"drop": B})
    node.pull()
    timestamp = "metadata/timestamp.json"
    old, claim = (world.repository.folder / timestamp).read_bytes(), b'{"signed": {"version": 999999}}'
    liar.files[timestamp] = claim
    liar.on_request = lambda _: liar.files.update({timestamp: claim if liar.asked.count(timestamp) < 2 else old})
    world.repository.publish({"drop": C})
    pulled = node.pull(compares=True)
    assert (found(pulled).content_hash, pulled.state.mirror) == (C.content_hash(), honest.url)
    assert [(one.mirror, one.fault) for one in pulled.refused] == [(liar.url, MirrorFault.ABSENT)]
    assert "999999" in pulled.refused[0].reason


def test_a_forged_root_of_one_mirror_does_not_keep_the_others_away(world: World) -> None:
    node = world.node
    node.fleet = replace(node.fleet, urls=tuple(mirror.url for mirror in world.mirrors))
    forged = world.repository.copy_of("root")
    forged.signed.version += 1
    world.mirrors[1].files["metadata/2.root.json"] = signed(forged, [world.repository.root_keys[0]])
    pulled = node.pull()
    assert node.has == A
    assert [(one.mirror, one.fault) for one in pulled.refused] == [(world.mirrors[1].url, MirrorFault.REFUSED)]
    assert pulled.state.root_version == 1


def test_twelve_rotations_of_the_root_are_followed_in_one_pull(world: World) -> None:
    world.node.pull()
    for _ in range(12):
        world.repository.rotate_root()
    world.repository.publish({"drop": B})
    assert world.node.pull().state.root_version == 13
    assert world.node.has == B
    new = Node(world.node.fleet, world.node.scratch, world.node.clock)
    assert new.pull().state.root_version == 13


def test_a_clock_that_is_years_ahead_takes_nothing_and_learns_nothing(world: World) -> None:
    world.node.pull()
    floor = world.node.known.state.floor
    world.repository.publish({"drop": B})
    world.node.clock.ahead = 3652 * DAY
    assert [one.fault for one in world.node.pull().refused] == [MirrorFault.EXPIRED]
    assert world.node.has == A
    world.node.clock.ahead = 0
    world.node.pull()
    assert world.node.has == B
    assert floor <= world.node.known.state.floor < in_time(DAY).timestamp()


def test_a_clock_that_is_set_back_does_not_make_expired_metadata_valid(world: World) -> None:
    node = world.node
    node.known = KnownTrust({}, replace(node.known.state, floor=in_time(2 * DAY).timestamp()))
    node.clock.ahead = -3652 * DAY
    pulled = node.pull()
    assert [one.fault for one in pulled.refused] == [MirrorFault.EXPIRED]
    assert node.has is None
    assert "timestamp.json" not in node.known.rows


def test_a_root_that_is_brought_by_hand_must_be_proven(world: World) -> None:
    node, repository = world.node, world.repository
    node.pull()
    repository.rotate_root()
    new = (repository.folder / "metadata/2.root.json").read_bytes()
    programs = MirrorPrograms(node.scratch, "1", node.clock)
    forged = repository.copy_of("root")
    for wrong in (b"{}", b"", repository.first_root, signed(forged, [CryptoSigner.generate_ed25519()])):
        with pytest.raises(TrustError, match="not proven"):
            asyncio.run(programs.add_root(node.fleet, wrong, node.known))
    node.remember(asyncio.run(programs.add_root(node.fleet, new, node.known)))
    assert node.known.state.root_version == 2
    world.mirror.files["metadata/2.root.json"] = None
    assert node.pull().state.root_version == 2


def test_a_root_that_cannot_be_read_is_said_with_its_name(world: World, tmp_path: Path) -> None:
    world.node.fleet = replace(world.node.fleet, root=tmp_path / "absent.json")
    with pytest.raises(FetchError, match=r"cannot read the root of the fleet .*absent\.json: No such file"):
        world.node.pull()


def test_mirrors_that_take_too_long_end_with_the_source_s_timeout(world: World) -> None:
    world.mirror.files["metadata/timestamp.json"] = ENDLESS
    with pytest.raises(FetchError, match=r"within 0\.05 s"):
        world.node.pull(seconds=0.05)


def test_lists_of_one_pull_are_told_apart(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "two", ("drop", "other"))
    repository.publish({"drop": A, "other": B})
    root = tmp_path / "root.json"
    root.write_bytes(repository.first_root)
    with mirror_of(repository.folder) as mirror:
        fleet = Fleet(name="main", root=root, urls=(mirror.url,))
        wanted = [WantedList(name, "", None, "", 1 << 20) for name in ("other", "drop")]
        pulled = asyncio.run(MirrorPrograms(tmp_path, "1", FakeClock(time.time())).pull(fleet, wanted, KnownTrust(), 30))
    assert (found(pulled, "drop").addresses, found(pulled, "other").addresses) == (A, B)


def pulled_by(programs: MirrorPrograms, fleet: Fleet, wanted: list[WantedList]) -> Pulled:
    return asyncio.run(programs.pull(fleet, wanted, KnownTrust(), 30))


def two_lists(tmp_path: Path, names: tuple[str, ...]) -> tuple[Repository, Path]:
    repository = Repository(tmp_path / "two", names)
    root = tmp_path / "root.json"
    root.write_bytes(repository.first_root)
    return repository, root


def test_a_list_that_is_refused_keeps_no_other_one_away(tmp_path: Path) -> None:
    repository, root = two_lists(tmp_path, ("drop", "large"))
    repository.publish({"drop": A, "large": B})
    clock = FakeClock(time.time())
    with mirror_of(repository.folder) as mirror:
        fleet = Fleet(name="main", root=root, urls=(mirror.url,))
        wanted = [WantedList("large", "", None, "", 20), WantedList("drop", "", None, "", 1 << 20)]
        pulled = pulled_by(MirrorPrograms(tmp_path, "1", clock), fleet, wanted)
    assert found(pulled).addresses == A
    assert "large" not in pulled.lists
    assert [(one.list, one.fault) for one in pulled.refused] == [("large", MirrorFault.REFUSED)]
    assert pulled.state.floor == clock.now()
    assert pulled.state.mirror == mirror.url


def test_roles_that_a_hub_delegates_to_are_not_kept_unless_a_list_has_them(tmp_path: Path) -> None:
    repository, root = two_lists(tmp_path, ("junk", "drop"))
    delegations = repository.hub.signed.delegations
    assert delegations is not None
    assert delegations.roles is not None
    delegations.roles["junk"].paths, delegations.roles["junk"].terminating = ["drop/*"], False
    repository.hub.signed.version += 1
    repository.write("hub", repository.hub, [repository.hubs["a"]])
    repository.publish({"drop": A})
    with mirror_of(repository.folder) as mirror:
        fleet = Fleet(name="main", root=root, urls=(mirror.url,))
        wanted = [WantedList("drop", "", None, "", 1 << 20)]
        pulled = pulled_by(MirrorPrograms(tmp_path, "1", FakeClock(time.time())), fleet, wanted)
    assert found(pulled).addresses == A
    assert any(path.endswith("junk.json") for path in mirror.asked)
    assert "junk.json" not in pulled.rows
    assert {"hub.json", "drop.json"} <= pulled.rows.keys()


def test_an_expired_list_is_not_gone_by_and_what_is_newer_stays(tmp_path: Path) -> None:
    repository, root = two_lists(tmp_path, ("drop",))
    clock = FakeClock(time.time())
    with mirror_of(repository.folder) as mirror:
        node = Node(Fleet(name="main", root=root, urls=(mirror.url,)), tmp_path, clock)
        repository.publish({"drop": A})
        node.pull()
        before = dict(node.known.rows)
        repository.lists["drop"].signed.expires = in_time(DAY / 2)
        repository.publish({"drop": B})
        node.known = replace(node.known, state=replace(node.known.state, floor=in_time(DAY * 3 / 4).timestamp()))
        pulled = node.pull()
    assert [(one.list, one.fault) for one in pulled.refused] == [("drop", MirrorFault.EXPIRED)]
    assert node.known.rows["drop.json"] == before["drop.json"]
    assert node.known.rows["timestamp.json"] != before["timestamp.json"]


FORGED_ANSWER = {
    "refused": [],
    "root": {"version": 1, "octets": ""},
    "timestamp": {"version": 1, "expires": 1},
    "floor": 50.0,
    "mirror": "",
    "rows": {},
    "lists": {},
    "octets": 0,
    "requests": 0,
}


def test_a_program_that_was_taken_over_cannot_move_the_floor_past_now_nor_name_other_files() -> None:
    octets = base64.b64encode(b"x").decode()
    rows = {"/var/lib/banlistd/x.json": octets, "drop.json": octets, "../drop.json": octets}
    pulled = _pulled({**FORGED_ANSWER, "floor": 1e300, "rows": rows}, KnownTrust(), {"drop": -1}, 100.0)
    assert pulled.state.floor == 100.0
    assert pulled.rows == {"drop.json": b"x"}


@pytest.mark.parametrize(
    "wrong",
    [{"floor": float("nan")}, {"floor": float("inf")}, {"timestamp": {"version": 1 << 63, "expires": 1}}],
)
def test_numbers_that_cannot_be_stored_are_no_answer(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no "):
        _pulled({**FORGED_ANSWER, **wrong}, KnownTrust(), {}, 100.0)


@pytest.mark.parametrize("wrong", [{"late": 5}, {"rows": 5}, {"root": {}}, {"floor": "x"}, {"refused": [5]}])
def test_an_answer_of_another_shape_is_a_fault(tmp_path: Path, wrong: dict[str, object]) -> None:
    fleet = Fleet(name="main", root=tmp_path / "root.json", urls=("https://a.example",))
    with pytest.raises(FetchError, match="gives no answer"):
        MirrorPrograms(tmp_path, "1", FakeClock())._checked(fleet, {**FORGED_ANSWER, **wrong}, KnownTrust(), {})


@pytest.mark.parametrize("said", [b"[" * 200_000, b"", b"5", b'{"a"'])
def test_an_answer_that_is_no_document_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """Hostile bytes may have taken the program over: what is nested deeply raises no ValueError."""

    async def run(*_: object, **__: object) -> ChildEnd:
        return ChildEnd(0, said)

    (tmp_path / "root.json").write_bytes(b"{}")
    monkeypatch.setattr(pulling, "run_child", run)
    fleet = Fleet(name="main", root=tmp_path / "root.json", urls=("https://a.example",))
    programs = MirrorPrograms(tmp_path, "1", FakeClock())
    with pytest.raises(FetchError, match="no answer"):
        asyncio.run(programs.pull(fleet, [WantedList("drop", "", None, "", 1 << 20)], KnownTrust(), 30.0))
    with pytest.raises(FetchError, match="no answer"):
        asyncio.run(programs.add_root(fleet, b"{}", KnownTrust()))


def test_a_list_that_is_not_what_was_signed_fails_alone() -> None:
    same = {"state": "same", "content": "b" * 64, "entries": 1, "seq": 1}
    forged = {**same, "state": "new", "counts": [-1, 0, 0, 0], "octets": 1, "is_delta": False}
    answer = {**FORGED_ANSWER, "lists": {"forged": forged, "same": same}}
    pulled = _pulled(answer, KnownTrust(), {"forged": -1, "same": -1}, 100.0)
    assert pulled.lists.keys() == {"same"}
    assert [one.list for one in pulled.refused] == ["forged"]


def test_a_mirror_that_took_too_long_is_asked_last_by_the_next_pull(world: World) -> None:
    urls = (world.mirror.url, world.mirrors[1].url)
    node = world.node
    node.fleet = replace(node.fleet, urls=urls)
    programs = MirrorPrograms(node.scratch, "1", node.clock)
    wanted = [WantedList("drop", "", None, "", 1 << 20)]
    world.mirror.files["metadata/timestamp.json"] = ENDLESS
    with pytest.raises(FetchError, match="within"):
        asyncio.run(programs.pull(node.fleet, wanted, KnownTrust(), 0.05))
    pulled = asyncio.run(programs.pull(node.fleet, wanted, KnownTrust(), 30))
    assert pulled.state.mirror == urls[1]
    assert not pulled.refused


def test_a_root_that_is_brought_by_hand_asks_no_mirror(world: World) -> None:
    world.repository.rotate_root()
    new = (world.repository.folder / "metadata/2.root.json").read_bytes()
    programs = MirrorPrograms(world.node.scratch, "1", world.node.clock)
    asyncio.run(programs.add_root(world.node.fleet, new, KnownTrust()))
    assert not world.mirror.asked


def test_a_pull_takes_two_turns_of_a_worker_thread(world: World) -> None:
    class Counting(ThreadPoolExecutor):
        turns = 0

        def submit(self, *args: Any, **kwargs: Any) -> Any:
            self.turns += 1
            return super().submit(*args, **kwargs)

    async def pull() -> int:
        with Counting() as threads:
            asyncio.get_running_loop().set_default_executor(threads)
            node = world.node
            wanted = [WantedList(name, "", None, "", 1 << 20) for name in ("drop", "other")]
            await MirrorPrograms(node.scratch, "1", node.clock).pull(node.fleet, wanted, node.known, 30.0)
            return threads.turns

    assert asyncio.run(pull()) == 2


def files_in_memory() -> set[str]:
    """Those of pulls that are open in this process."""
    links = [one for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return {one.name for one in links if "banlistd-fleet" in str(one.readlink())}


@pytest.mark.parametrize("step", ["_read_root", "_pulled"])
def test_a_pull_that_is_cancelled_while_a_thread_works_ends_with_it_and_leaves_nothing_open(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A descriptor that was closed meanwhile could be another file's."""
    node, inside, go_on = world.node, threading.Event(), threading.Event()
    work = getattr(pulling, step)

    def slow(*args: Any) -> Any:
        inside.set()
        go_on.wait()
        return work(*args)

    async def cancel() -> None:
        wanted = [WantedList("drop", "", None, "", 1 << 20)]
        pull = asyncio.ensure_future(MirrorPrograms(node.scratch, "1", node.clock).pull(node.fleet, wanted, node.known, 30.0))
        await asyncio.to_thread(inside.wait)
        for _ in range(2):
            pull.cancel()
            await asyncio.sleep(0)
        assert not pull.done()
        go_on.set()
        await asyncio.wait([pull])
        assert pull.cancelled()

    monkeypatch.setattr(pulling, step, slow)
    # A list of another test may still be mapped from its file.
    before = files_in_memory()
    asyncio.run(cancel())
    assert files_in_memory() <= before
    assert not list(node.scratch.iterdir())


def test_an_update_parses_each_piece_of_metadata_once(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Root, timestamp and snapshot of before, targets, hub; then timestamp, snapshot and role of the list that are new."""
    node, parsed, from_bytes = world.node, 0, Metadata.from_bytes
    node.pull()
    world.repository.publish({"drop": B})

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal parsed
        parsed += 1
        return from_bytes(*args, **kwargs)

    monkeypatch.setattr(Metadata, "from_bytes", counted)
    base = os.memfd_create("base")
    result = os.memfd_create("result")
    os.write(base, A.encode())
    digits = A.content_hash()
    wanted = {"name": "drop", "known": digits, "hash": digits, "max_bytes": 1 << 20, "base": base, "result": result}
    order = {
        "pinned": base64.b64encode(world.repository.first_root).decode(),
        "urls": [world.mirror.url],
        "ca": None,
        "agent": "test",
        "folder": str(tmp_path / "scratch"),
        "now": time.time(),
        "floor": 0.0,
        "within": 30.0,
        "compares": False,
        "rows": {name: base64.b64encode(octets).decode() for name, octets in node.known.rows.items()},
        "lists": [wanted],
    }
    pull = Pull(order)
    pull.run()
    os.close(base)
    os.close(result)
    assert pull.answer["lists"]["drop"]["is_delta"]
    assert parsed == 8
