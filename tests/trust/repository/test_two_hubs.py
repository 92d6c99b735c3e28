"""Where two hubs must sign: what one of them asks for is published once the other one has signed it, and a thief is alone."""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Snapshot, Targets, Timestamp

from banlistd.core.config.service.fleet import MOST_COSIGNED
from banlistd.core.fleet.cosign_job import AskedRole, CosignJob
from banlistd.core.fleet.publish_job import NewContent
from banlistd.core.fleet.roll_out.stops import LARGEST_LEARNT, MOST_QUESTIONED, SignedStop
from banlistd.errors import FleetError
from banlistd.trust.ceremony.key_files import read_seed
from banlistd.trust.ceremony.keys import signer_of
from banlistd.trust.ceremony.making import SigningRole
from banlistd.trust.other_hubs import LARGEST_PENDING
from banlistd.trust.repository.cosigning import cosign
from banlistd.trust.repository.proposals import add_signatures, read_proposals
from banlistd.trust.repository.publishing import publish
from support.fleet import Hub, Node, Owners, hash_of, new_content

ONE_OF_TWO = "signed by 1/2 keys"


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class Pair:
    """Hub a, which publishes `drop`, and hub b, which signs for it."""

    def __init__(self, path: Path, *more: str) -> None:
        self.path = path
        self.owners = Owners(path / "owners", "hub-a", "hub-b", *more, hubs_sign=2)
        self.a, self.b = self.hub("hub-a"), self.hub("hub-b")
        self.a.promote()
        self.node = Node(path / "node", self.owners)
        self.at = now()

    def hub(self, name: str) -> Hub:
        hub = Hub(self.path / name, self.owners, name)
        hub.install()
        return hub

    def ask(self, lists: dict[str, NewContent] | None = None, *cosigned: str, names: tuple[str, ...] = ("drop",)) -> Any:
        """Hub a does what it can."""
        return publish(replace(self.a.job(lists or {}, *names), cosigned=cosigned), self.at)

    def agree(self, by: Hub | None = None, names: tuple[str, ...] = ("drop",), **judged: str) -> Any:
        """Let the other hub sign until nothing waits any more. Of a new list, that is the list, and then where it is named."""
        answer = self.ask(names=names)
        for _ in range(3):
            if not answer["proposals"]:
                break
            (by or self.b).cosign(self.a, **judged)
            answer = self.ask({}, (by or self.b).cosigned, names=names)
        return answer

    def pulled(self, name: str = "drop") -> bytes | None:
        return self.node.pull(self.a.folder.public, f"{name}/full.blz")

    def pulled_by_another(self) -> bytes | None:
        """A node that has seen nothing yet."""
        with TemporaryDirectory() as folder:
            return Node(Path(folder), self.owners).pull(self.a.folder.public, "drop/full.blz")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_nothing_is_published_before_the_other_hub_has_signed_it(pair: Pair) -> None:
    answer = pair.ask({"drop": new_content("one")})
    assert answer["timestamp"] == 0
    assert answer["proposals"]["drop"] == {
        "version": 1,
        "content": hash_of("one"),
        "entries": 3,
        "stop": {"number": 0, "stopped": False, "withdrawn": ()},
        "since": pair.at.timestamp(),
        "lacking": 1,
    }
    assert not list(pair.a.folder.public.glob("metadata/*"))
    answer = pair.agree(drop="one")
    assert (answer["proposals"], answer["lists"]["drop"]["contents"][0]["content"]) == ({}, hash_of("one"))
    assert pair.pulled() == b"one"


def test_while_the_other_hub_is_silent_what_is_published_stays_in_force(pair: Pair) -> None:
    pair.ask({"drop": new_content("one")})
    before = pair.agree(drop="one")["timestamp"]
    begin = now()
    for hours in range(3):
        pair.at = begin + timedelta(hours=hours)
        answer = pair.ask({"drop": new_content("two", "one")})
        assert pair.pulled() == b"one"
    # The timestamp is renewed, the proposal is the same, and so is the moment since which it waits.
    assert answer["timestamp"] == before + 3
    assert (answer["proposals"]["drop"]["version"], answer["proposals"]["drop"]["lacking"]) == (2, 1)
    assert answer["proposals"]["drop"]["since"] == begin.timestamp()
    pair.agree(drop="two")
    assert pair.pulled() == b"two"
    assert pair.node.pull(pair.a.folder.public, f"drop/{hash_of('one')[:16]}.bld") == b"one to two"


def test_a_newer_content_takes_the_place_of_one_that_waits_and_the_one_in_force_ends_the_waiting(pair: Pair) -> None:
    pair.ask({"drop": new_content("one")})
    pair.agree(drop="one")
    pair.ask({"drop": new_content("two")})
    pair.b.cosign(pair.a, drop="two")
    late = pair.b.cosigned
    answer = pair.ask({"drop": new_content("three")}, late)
    assert (answer["proposals"]["drop"]["version"], answer["proposals"]["drop"]["content"]) == (3, hash_of("three"))
    assert pair.pulled() == b"one"
    assert pair.ask({"drop": new_content("one")}, late)["proposals"] == {}
    assert pair.pulled() == b"one"


def test_a_list_that_the_other_hub_refuses_keeps_no_other_one_away(pair: Pair) -> None:
    names = ("drop", "ssh")
    pair.ask({"drop": new_content("one"), "ssh": new_content("other")}, names=names)
    answer = pair.agree(names=names, drop="one")
    assert [*answer["proposals"]] == ["ssh"]
    assert (pair.pulled(), pair.pulled("ssh")) == (b"one", None)
    (refused,) = json.loads(pair.b.cosigned)["refused"]
    assert refused == {"role": "ssh", "version": 1, "reason": "a file of it has other content than this hub has judged"}
    pair.agree(names=names, ssh="other")
    assert pair.pulled("ssh") == b"other"


def test_what_expires_soon_is_asked_for_again_and_is_in_force_until_its_end(pair: Pair) -> None:
    pair.at = now() - timedelta(days=4)
    pair.ask({"drop": new_content("one")})
    pair.b.cosign(pair.a, drop="one")
    answer = pair.ask({}, pair.b.cosigned)
    for _ in range(2):
        offline = pair.owners.folder.newest()
        asked = json.loads((pair.a.folder.public / "pending.json").read_text())["metadata"] if answer["proposals"] else {}
        job = CosignJob(
            str(pair.b.folder.path),
            str(pair.b.key),
            tuple(AskedRole(role, json.dumps(one), hash_of("one")) for role, one in asked.items()),
        )
        cosign(job, pair.at)
        answer = pair.ask({}, pair.b.cosigned)
    assert offline.fleet == "main"
    assert answer["proposals"] == {}
    pair.at = now()
    answer = pair.ask()
    assert {*answer["proposals"]} == {"drop", "hub"}
    assert pair.pulled() == b"one"
    pair.agree(drop="one")
    assert pair.pulled() == b"one"
    assert (pair.a.folder.metadata / f"{answer['proposals']['drop']['version']}.drop.json").exists()


def test_a_hub_key_is_replaced_without_a_gap(pair: Pair) -> None:
    pair.ask({"drop": new_content("one")})
    pair.agree(drop="one")
    pair.owners.revoke("hub-b", new=((SigningRole.HUB, "hub-c"),))
    pair.owners.sign("ben", "cleo", "targets")
    pair.a.install()
    answer = pair.ask()
    # Until hub c has signed, nodes keep the root that they have, and what it proves.
    assert not (pair.a.folder.metadata / "2.root.json").exists()
    assert (pair.pulled(), {*answer["proposals"]}) == (b"one", {"drop", "hub"})
    pair.agree(pair.hub("hub-c"), drop="one")
    assert (pair.a.folder.metadata / "2.root.json").exists()
    assert pair.pulled() == b"one"
    pair.ask({"drop": new_content("two")})
    pair.b.install()
    with pytest.raises(FleetError, match="does not belong to the fleet, or was revoked"):
        pair.b.cosign(pair.a, drop="two")


def test_the_hub_in_reserve_takes_over_and_the_former_one_signs_for_it(pair: Pair) -> None:
    pair.ask({"drop": new_content("one")})
    pair.agree(drop="one")
    pair.b.promote(pair.a.folder.public)
    pair.a, pair.b = pair.b, pair.a
    answer = pair.ask({"drop": new_content("two")})
    assert answer["timestamp"] == 1_000_001
    assert pair.pulled() == b"one"
    pair.agree(drop="two")
    assert pair.pulled() == b"two"


def test_of_three_hubs_of_which_two_sign_any_one_may_fail(tmp_path: Path) -> None:
    trio = Pair(tmp_path, "hub-c")
    c = trio.hub("hub-c")
    trio.ask({"drop": new_content("one")})
    assert trio.agree(c, drop="one")["proposals"] == {}  # b is silent
    assert trio.pulled() == b"one"
    trio.ask({"drop": new_content("two", "one")})
    c.cosign(trio.a, drop="three")
    assert trio.ask({}, c.cosigned)["proposals"]["drop"]["lacking"] == 1  # c refuses, and b signs
    trio.b.cosign(trio.a, drop="two")
    assert trio.ask({}, c.cosigned, trio.b.cosigned)["proposals"] == {}
    assert trio.pulled() == b"two"
    # Hub a is gone: b takes over, and c signs for it.
    trio.b.promote(trio.a.folder.public)
    trio.a, trio.b = trio.b, c
    trio.ask({"drop": new_content("four", "two")})
    assert trio.pulled() == b"two"
    trio.agree(drop="four")
    assert trio.pulled() == b"four"


def test_all_lists_that_hubs_may_sign_for_each_other_fit_into_the_file_that_they_read(pair: Pair) -> None:
    name = "a" * 40
    stop = SignedStop(LARGEST_LEARNT, True, tuple(f"{number:016x}" for number in range(MOST_QUESTIONED)))
    bases = [f"base {number}" for number in range(16)]
    files = {f"{hash_of(base)[:16]}.bld": b"x" * 100_000 for base in bases}
    new = NewContent(hash_of("one"), 2**32, {"full.blz": b"x" * 200_000, **files}, stop)
    pair.ask({name: new}, names=(name,))
    octets = (pair.a.folder.public / "pending.json").stat().st_size
    assert MOST_COSIGNED * octets < LARGEST_PENDING


def test_with_one_hub_again_what_waits_is_published(pair: Pair) -> None:
    pair.ask({"drop": new_content("one")})
    pair.agree(drop="one")
    pair.ask({"drop": new_content("two")})
    pair.owners.revoke("hub-b", hubs_sign=1)
    pair.owners.sign("ben", "cleo", "targets")
    pair.a.install()
    assert pair.ask()["proposals"] == {}
    assert pair.pulled() == b"two"


def signed_by(metadata: Metadata[Any], keys: Sequence[Path]) -> bytes:
    for key in keys:
        metadata.sign(signer_of(read_seed(key, bytes)), append=True)
    return metadata.to_bytes()


def sign_and_publish(public: Path, mirror: Path, octets: bytes, keys: Sequence[Path]) -> None:
    """What a thief does who has a copy of all that is published: a new content of `drop`, and all that names it."""
    shutil.copytree(public, mirror, dirs_exist_ok=True)
    folder, digest = mirror / "metadata", hashlib.sha256(octets).hexdigest()
    timestamp = Metadata[Timestamp].from_bytes((folder / "timestamp.json").read_bytes())
    number = timestamp.signed.snapshot_meta.version
    snapshot = Metadata[Snapshot].from_bytes((folder / f"{number}.snapshot.json").read_bytes())
    number = snapshot.signed.meta["drop.json"].version
    made = Metadata[Targets].from_bytes((folder / f"{number}.drop.json").read_bytes())
    for one in (timestamp, snapshot, made):
        one.signatures.clear()
        one.signed.version += 1
    target = made.signed.targets["drop/full.blz"]
    target.length, target.hashes = len(octets), {"sha256": digest}
    target.unrecognized_fields["custom"]["content"] = digest
    snapshot.signed.meta["drop.json"] = MetaFile(made.signed.version)
    timestamp.signed.snapshot_meta = MetaFile(snapshot.signed.version)
    (mirror / "targets" / "drop" / f"{digest}.full.blz").write_bytes(octets)
    (folder / f"{made.signed.version}.drop.json").write_bytes(signed_by(made, keys))
    (folder / f"{snapshot.signed.version}.snapshot.json").write_bytes(signed_by(snapshot, keys))
    (folder / "timestamp.json").write_bytes(signed_by(timestamp, keys))


def test_a_thief_with_the_key_of_one_hub_publishes_nothing_and_with_both_keys_does(pair: Pair) -> None:
    pair.ask({"drop": new_content("one")})
    pair.agree(drop="one")
    assert pair.pulled() == b"one"
    mirror, keys = pair.path / "mirror", [pair.owners.key(name) for name in ("hub-a", "hub-b")]
    sign_and_publish(pair.a.folder.public, mirror, b"poison", keys[1:])
    with pytest.raises(RepositoryError, match=ONE_OF_TWO):
        pair.node.pull(mirror, "drop/full.blz")
    sign_and_publish(pair.a.folder.public, mirror, b"poison", keys)
    assert pair.node.pull(mirror, "drop/full.blz") == b"poison"


def delegates_to_one(metadata: Metadata[Targets]) -> None:
    for role in (metadata.signed.delegations.roles or {}).values() if metadata.signed.delegations else ():
        role.threshold = 1


def delegates_to_itself(metadata: Metadata[Targets]) -> None:
    for role in (metadata.signed.delegations.roles or {}).values() if metadata.signed.delegations else ():
        del role.keyids[0]


def has_a_file(metadata: Metadata[Targets]) -> None:
    metadata.signed.targets = dict(_other_file("drop/full.blz"))


def _other_file(path: str) -> dict[str, Any]:
    from tuf.api.metadata import TargetFile  # noqa: PLC0415 - one test

    custom = {"v": 1, "content": hash_of("one"), "entries": 1, "seq": 1}
    return {path: TargetFile(1, {"sha256": "0" * 64}, path, {"custom": custom})}


def lasts_for_years(metadata: Metadata[Targets]) -> None:
    metadata.signed.expires += timedelta(days=365)


def has_other_content(metadata: Metadata[Targets]) -> None:
    for target in metadata.signed.targets.values():
        target.unrecognized_fields["custom"]["content"] = hash_of("poison")


def has_a_file_of_another_list(metadata: Metadata[Targets]) -> None:
    metadata.signed.targets |= _other_file("ssh/full.blz")


def has_more_fields(metadata: Metadata[Targets]) -> None:
    metadata.signed.unrecognized_fields["x"] = 1


def with_fields(file: str, **fields: Any) -> Callable[[Metadata[Targets]], None]:
    def change(metadata: Metadata[Targets]) -> None:
        metadata.signed.targets[f"drop/{file}"].unrecognized_fields["custom"] |= fields

    return change


def of_the_last_version(metadata: Metadata[Targets]) -> None:
    metadata.signed.version = 2**31


def has_no_file(metadata: Metadata[Targets]) -> None:
    metadata.signed.targets.clear()


@pytest.mark.parametrize(
    ("role", "change", "why"),
    [
        ("hub", delegates_to_one, "to other keys"),
        ("hub", delegates_to_itself, "to other keys"),
        ("hub", has_a_file, "the role of the hubs has files"),
        ("hub", lasts_for_years, "not within 7 days"),
        ("hub", has_more_fields, "fields that no hub writes"),
        ("drop", has_other_content, "other content than this hub has judged"),
        ("drop", has_a_file_of_another_list, "a file that is none of the list"),
        ("drop", lasts_for_years, "not within 7 days"),
        ("drop", has_no_file, "no whole file"),
        ("drop", of_the_last_version, "a version that no hub writes"),
        ("drop", with_fields("full.blz", seq=2), "numbers that cannot be"),
        ("drop", with_fields("full.blz", entries=-1), "numbers that cannot be"),
        ("drop", with_fields("full.blz", withdrawn=["x"]), "fields that no hub writes"),
        ("drop", with_fields("full.blz", withdrawn=["0" * 16] * 17), "withdraws more versions"),
        ("drop", with_fields("full.blz", roll_out={"number": 1, "stopped": True, "more": 1}), "fields that no hub writes"),
        ("drop", with_fields("full.blz", roll_out={"number": 2**53, "stopped": True}), "has changed more often"),
        ("drop", with_fields("full.blz", x=1), "fields that no hub writes"),
    ],
)
def test_the_other_hub_signs_nothing_but_what_it_has_judged(
    pair: Pair, role: str, change: Callable[[Metadata[Targets]], None], why: str
) -> None:
    pair.ask({"drop": new_content("one")})
    pair.agree(drop="one")
    kept = {name: max(pair.a.folder.metadata.glob(f"*.{name}.json")) for name in ("hub", "drop")}
    asked = Metadata[Targets].from_bytes(kept[role].read_bytes())
    asked.signatures.clear()
    change(asked)
    job = CosignJob(
        str(pair.b.folder.path), str(pair.b.key), (AskedRole(role, signed_by(asked, [pair.a.key]).decode(), hash_of("one")),)
    )
    answer = cosign(job, now())
    assert answer["signed"] == {}
    assert why in answer["refused"][0][2]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"signed": {"_type": "root"}, "signatures": []}', "[" * 100_000])
def test_what_is_no_metadata_is_refused_and_nothing_else(pair: Pair, text: str) -> None:
    pair.ask({"drop": new_content("one")})
    asked = json.loads((pair.a.folder.public / "pending.json").read_text())["metadata"]["drop"]
    job = CosignJob(
        str(pair.b.folder.path),
        str(pair.b.key),
        (AskedRole("ssh", text), AskedRole("drop", json.dumps(asked), hash_of("one"))),
    )
    answer = cosign(job, now())
    assert (answer["signed"], [one[0] for one in answer["refused"]]) == ({"drop": 1}, ["ssh"])


def test_what_no_hub_has_signed_is_not_signed_here(pair: Pair) -> None:
    pair.ask({"drop": new_content("one")})
    asked = Metadata[Targets].from_dict(json.loads((pair.a.folder.public / "pending.json").read_text())["metadata"]["drop"])
    asked.signatures.clear()
    text = signed_by(asked, [pair.owners.key("hub-z")]).decode()
    job = CosignJob(str(pair.b.folder.path), str(pair.b.key), (AskedRole("drop", text, hash_of("one")),))
    assert cosign(job, now())["refused"] == [["drop", 1, "no hub of the fleet has signed it"]]


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "NaN", "[" * 100_000, '{"signatures": {"drop": 1}}', '{"signatures": "drop"}', '{"signatures": [1]}'),
        *('{"signatures": [{"role": "drop"}]}', '{"signatures": [{"role": [], "version": [], "keyid": {}, "sig": 0}]}'),
        *(
            f'{{"signatures": [{{"role": "drop", "version": {version}, "keyid": "a", "sig": "b"}}]}}'
            for version in ("1e400", "-1e400", "NaN", "1.5", "true", "null", '"1"', "9" * 4000)
        ),
    ],
)
def test_a_file_of_signatures_that_is_none_adds_nothing(pair: Pair, text: str) -> None:
    pair.ask({"drop": new_content("one")})
    assert pair.ask({}, text)["proposals"]["drop"]["lacking"] == 1


def test_a_signature_that_is_wrong_or_of_another_key_counts_for_nothing(pair: Pair) -> None:
    pair.ask({"drop": new_content("one")})
    pair.b.cosign(pair.a, drop="one")
    right = json.loads(pair.b.cosigned)["signatures"]
    own = signer_of(read_seed(pair.a.key, bytes)).public_key.keyid
    for wrong in ({"sig": "00" * 64}, {"keyid": own}, {"keyid": "0" * 64}, {"version": 2}, {"role": "ssh"}):
        text = json.dumps({"signatures": [{**one, **wrong} for one in right]})
        assert pair.ask({}, text)["timestamp"] == 0


def test_what_is_no_signature_takes_away_none_that_is_one(pair: Pair) -> None:
    pair.ask({"drop": new_content("one")})
    pair.b.cosign(pair.a, drop="one")
    right = json.loads(pair.b.cosigned)["signatures"]
    wrong = [1, {}, {**right[0], "version": 1.5}, {**right[0], "sig": "00" * 64}]
    assert pair.ask({}, json.dumps({"signatures": [*wrong, *right]}))["proposals"]["drop"]["lacking"] == 0


def test_a_file_full_of_wrong_signatures_delays_what_is_published_by_a_moment_only(pair: Pair) -> None:
    pair.ask({"drop": new_content("one")})
    by = signer_of(read_seed(pair.b.key, bytes)).public_key.keyid
    text = json.dumps({"signatures": [{"role": "drop", "version": 1, "keyid": by, "sig": "00" * 64}] * 4096})
    asked = dict(read_proposals(pair.a.folder.public).metadata)
    looks = 0

    class Looked(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            nonlocal looks
            looks += 1
            super().__setitem__(key, value)

    asked["drop"].signatures = Looked(asked["drop"].signatures)
    add_signatures(asked, pair.owners.folder.newest(), [text, text])
    assert 1 <= looks <= 2 * 8
    assert len(asked["drop"].signatures) == 1
