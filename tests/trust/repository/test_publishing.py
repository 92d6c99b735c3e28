"""What a hub publishes, as python-tuf's own client takes it: contents, renewals, promotions, revocations, two hubs."""

import hashlib
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Snapshot, Timestamp

from banlistd.core.fleet.publish_job import read_answer, stop_in
from banlistd.core.fleet.roll_out.stops import NO_STOP, SignedStop
from banlistd.errors import FleetError, FleetFileError, StoodDownError
from banlistd.trust.ceremony.key_files import read_seed
from banlistd.trust.ceremony.keys import signer_of
from banlistd.trust.ceremony.making import SigningRole
from banlistd.trust.repository.lease import STRIDE, Lease, write_lease
from banlistd.trust.repository.publishing import publish
from banlistd.trust.repository.standby import promote
from support.fleet import Hub, Node, Owners, hash_of, new_content


@pytest.fixture
def owners(tmp_path: Path) -> Owners:
    return Owners(tmp_path / "owners", "hub-a", "hub-b")


@pytest.fixture
def hub(tmp_path: Path, owners: Owners) -> Hub:
    hub = Hub(tmp_path / "a", owners, "hub-a")
    hub.install()
    hub.promote()
    return hub


@pytest.fixture
def node(tmp_path: Path, owners: Owners) -> Node:
    return Node(tmp_path / "node", owners)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def test_the_program_publishes_what_a_node_takes(hub: Hub, node: Node) -> None:
    answer = hub.publish({"drop": new_content("one")})
    assert (answer["ok"], answer["timestamp"], answer["lists"]["drop"]["seq"]) == (True, 1, 1)
    assert node.pull(hub.folder.public, "drop/full.blz") == b"one"
    assert node.pull(hub.folder.public, "ssh/full.blz") is None
    answer = hub.publish({"drop": new_content("two", "one"), "ssh": new_content("other")})
    assert [each["content"] for each in answer["lists"]["drop"]["contents"]] == [hash_of("two"), hash_of("one")]
    assert node.pull(hub.folder.public, f"drop/{hash_of('one')[:16]}.bld") == b"one to two"
    assert node.pull(hub.folder.public, "ssh/full.blz") == b"other"


def test_a_changed_list_costs_its_own_metadata_only(hub: Hub) -> None:
    publish(hub.job({"drop": new_content("one"), "ssh": new_content("other")}), now())
    before = {path.name for path in hub.folder.metadata.iterdir()}
    publish(hub.job({"drop": new_content("two")}), now())
    assert {path.name for path in hub.folder.metadata.iterdir()} - before == {"2.drop.json", "2.snapshot.json"}
    about = json.loads((hub.folder.metadata / "2.drop.json").read_text())["signed"]["targets"]["drop/full.blz"]["custom"]
    assert about == {"v": 1, "content": hash_of("two"), "entries": 3, "seq": 2}


def test_only_the_timestamp_is_signed_again_where_nothing_changed(hub: Hub) -> None:
    publish(hub.job({"drop": new_content("one")}), now())
    before = {path.name for path in hub.folder.metadata.iterdir()}
    assert publish(hub.job({}), now())["timestamp"] == 2
    assert {path.name for path in hub.folder.metadata.iterdir()} == before


def test_what_expires_soon_is_signed_again(hub: Hub, node: Node) -> None:
    publish(hub.job({"drop": new_content("one")}), now() - timedelta(days=4))
    publish(hub.job({}), now())
    assert {"2.drop.json", "2.hub.json", "2.snapshot.json"} <= {path.name for path in hub.folder.metadata.iterdir()}
    assert node.pull(hub.folder.public, "drop/full.blz") == b"one"


def test_a_list_that_is_no_longer_published_is_gone_for_nodes(hub: Hub, node: Node) -> None:
    publish(hub.job({"drop": new_content("one"), "ssh": new_content("other")}), now())
    assert node.pull(hub.folder.public, "ssh/full.blz") == b"other"
    publish(hub.job({}, "drop"), now())
    assert node.pull(hub.folder.public, "ssh/full.blz") is None
    assert node.pull(hub.folder.public, "drop/full.blz") == b"one"


@pytest.mark.parametrize("name", ["hub", "root", "targets", "snapshot", "timestamp"])
def test_a_list_has_no_name_of_a_role(hub: Hub, name: str) -> None:
    with pytest.raises(FleetError, match=f"a list cannot be called {name}"):
        publish(hub.job({}, name), now())


def test_nothing_is_published_before_a_promotion(tmp_path: Path, owners: Owners) -> None:
    hub = Hub(tmp_path / "a", owners, "hub-a")
    hub.install()
    assert hub.publish({})["error"]["kind"] == "StoodDownError"
    assert not hub.folder.public.exists()


def test_nothing_is_published_with_a_key_of_another_fleet(tmp_path: Path, owners: Owners) -> None:
    hub = Hub(tmp_path / "a", owners, "hub-z")
    hub.install()
    hub.promote()
    with pytest.raises(FleetError, match="does not belong to the fleet, or was revoked"):
        publish(hub.job({}), now())


def test_a_hub_that_takes_over_goes_on_and_nodes_need_nothing(tmp_path: Path, owners: Owners, hub: Hub, node: Node) -> None:
    publish(hub.job({"drop": new_content("one")}), now())
    assert node.pull(hub.folder.public, "drop/full.blz") == b"one"
    other = Hub(tmp_path / "b", owners, "hub-b")
    other.install()
    other.promote(hub.folder.public)
    answer = publish(other.job({}), now())
    assert answer["timestamp"] == STRIDE + 1
    # Its first delta begins with what the former hub had.
    assert [each["content"] for each in answer["lists"]["drop"]["contents"]] == [hash_of("one")]
    assert node.pull(other.folder.public, "drop/full.blz") == b"one"


@pytest.mark.parametrize("days", [2, 40])
def test_a_hub_takes_over_from_one_that_has_been_silent_for_long(
    tmp_path: Path, owners: Owners, hub: Hub, node: Node, days: int
) -> None:
    silent = now() - timedelta(days=days)
    publish(hub.job({"drop": new_content("one")}), silent)
    other = Hub(tmp_path / "b", owners, "hub-b")
    other.install()
    mirror = str(hub.folder.public)
    done = promote(other.folder, [mirror], None)
    assert done.lease == Lease(1)
    assert done.expired == {mirror: silent + timedelta(days=1)}
    assert publish(other.job({}), now())["lists"]["drop"]["contents"][0]["content"] == hash_of("one")
    assert node.pull(other.folder.public, "drop/full.blz") == b"one"


def test_a_hub_takes_over_nothing_old_that_is_not_proven(tmp_path: Path, owners: Owners, hub: Hub) -> None:
    publish(hub.job({"drop": new_content("one")}), now() - timedelta(days=2))
    timestamp = hub.folder.metadata / "timestamp.json"
    timestamp.write_text(timestamp.read_text().replace('"version":1', '"version":2'))
    other = Hub(tmp_path / "b", owners, "hub-b")
    other.install()
    with pytest.raises(FleetError, match="was signed by 0/1 keys"):
        other.promote(hub.folder.public)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_hub_that_takes_over_says_that_the_authorities_cannot_be_read(
    tmp_path: Path, owners: Owners, hub: Hub, *, is_there: bool
) -> None:
    other, authorities = Hub(tmp_path / "b", owners, "hub-b"), tmp_path / "ca.pem"
    other.install()
    if is_there:
        authorities.write_text("no certificate")
    with pytest.raises(FleetFileError, match=r"cannot read the authorities in .*/ca\.pem"):
        promote(other.folder, [str(hub.folder.public)], authorities)


def test_a_hub_that_takes_over_learns_what_was_stopped(tmp_path: Path, owners: Owners, hub: Hub) -> None:
    stop = SignedStop(3, is_stopped=True, withdrawn=("b" * 16, "c" * 16))
    row = {"number": 3, "stopped": True, "withdrawn": stop.withdrawn}
    answer = publish(hub.job({"drop": replace(new_content("one"), stop=stop), "ssh": new_content("two")}), now())
    assert [answer["lists"][name]["stop"]["number"] for name in ("drop", "ssh")] == [3, 0]
    # Also where it is only signed again, because its life ends.
    assert publish(hub.job({}), now() + timedelta(days=4))["lists"]["drop"]["stop"] == row
    other = Hub(tmp_path / "b", owners, "hub-b")
    other.install()
    other.promote(hub.folder.public)
    assert read_answer(json.dumps(publish(other.job({}), now())).encode()).stops["drop"] == stop


@pytest.mark.parametrize(
    "custom",
    [
        5,
        "x",
        ["x"],
        None,
        {"content": 5},
        {"content": ["x"]},
        {"content": "../x", "entries": "x"},
        {"content": "a" * 64, "roll_out": {"number": True, "stopped": True}},
    ],
)
def test_a_hub_that_takes_over_what_a_stolen_key_has_signed_can_publish_all_the_same(
    tmp_path: Path, owners: Owners, hub: Hub, node: Node, custom: object
) -> None:
    """The owners take the key back later, with a root that this hub publishes."""
    publish(hub.job({"drop": new_content("one")}), now())
    role = hub.folder.metadata / "1.drop.json"
    document = json.loads(role.read_text())
    document["signed"]["targets"]["drop/full.blz"]["custom"] = custom
    forged = Metadata.from_dict(document)
    forged.sign(signer_of(read_seed(hub.key, bytes)))
    forged.to_file(str(role))
    other = Hub(tmp_path / "b", owners, "hub-b")
    other.install()
    other.promote(hub.folder.public)
    assert read_answer(json.dumps(publish(other.job({}), now())).encode()).timestamp == STRIDE + 1
    for words in ("two", "three"):
        answer = publish(other.job({"drop": new_content(words)}), now())
        read_answer(json.dumps(answer).encode())
        assert answer["lists"]["drop"]["contents"][0]["content"] == hash_of(words)
        assert node.pull(other.folder.public, "drop/full.blz") == words.encode()
    owners.revoke("hub-a")
    owners.sign("anna", "ben", "targets")
    other.install()
    assert publish(other.job({}), now())["root"] == 2


@pytest.mark.parametrize("fields", [{"hashes": {"sha512": "SHA512"}}, {"length": 2**40}, {"hashes": {"sha256": "../../../x"}}])
def test_a_hub_takes_over_the_other_lists_where_a_thief_has_signed_a_file_that_no_hub_writes(
    tmp_path: Path, owners: Owners, hub: Hub, fields: dict[str, Any]
) -> None:
    publish(hub.job({"drop": new_content("one"), "ssh": new_content("other")}), now())
    role = hub.folder.metadata / "1.drop.json"
    document = json.loads(role.read_text())
    whole = document["signed"]["targets"]["drop/full.blz"]
    whole |= json.loads(json.dumps(fields).replace("SHA512", hashlib.sha512(b"one").hexdigest()))
    (hub.folder.public / "targets/drop" / f"{hashlib.sha512(b'one').hexdigest()}.full.blz").write_bytes(b"one")
    forged = Metadata.from_dict(document)
    forged.sign(signer_of(read_seed(hub.key, bytes)))
    forged.to_file(str(role))
    other = Hub(tmp_path / "b", owners, "hub-b")
    other.install()
    other.promote(hub.folder.public)
    assert publish(other.job({}), now())["lists"].keys() == {"ssh"}
    for words in ("two", "three"):
        answer = publish(other.job({"drop": new_content(words)}), now())
        assert answer["lists"]["drop"]["contents"][0]["content"] == hash_of(words)


def test_a_hub_in_reserve_that_has_the_next_root_already_says_how_to_take_over(
    tmp_path: Path, owners: Owners, hub: Hub, node: Node
) -> None:
    publish(hub.job({"drop": new_content("one")}), now())
    assert node.pull(hub.folder.public, "drop/full.blz") == b"one"
    other = Hub(tmp_path / "b", owners, "hub-b")
    owners.revoke("hub-a")
    owners.sign("anna", "ben", "targets")
    other.install()
    with pytest.raises(FleetError, match="cannot be taken over") as caught:
        other.promote(hub.folder.public)
    assert "promote without --from" in caught.value.hint
    other.promote()
    publish(other.job({"drop": new_content("two")}), now())
    assert node.pull(other.folder.public, "drop/full.blz") == b"two"


@pytest.mark.parametrize("version", [(2**31 // STRIDE - 1) * STRIDE + 1, 2**31, 2**40, 2**70])
def test_a_hub_takes_over_no_version_above_which_none_is_left(
    tmp_path: Path, owners: Owners, hub: Hub, node: Node, version: int
) -> None:
    """Only a thief signs it. The owners take the key back first, and the next hub begins anew: nodes do so as well."""
    publish(hub.job({"drop": new_content("one")}), now())
    path = hub.folder.metadata / "timestamp.json"
    timestamp = Metadata[Timestamp].from_file(str(path))
    timestamp.signed.version = version
    timestamp.sign(signer_of(read_seed(hub.key, bytes)))
    timestamp.to_file(str(path))
    assert node.pull(hub.folder.public, "drop/full.blz") == b"one"
    other = Hub(tmp_path / "b", owners, "hub-b")
    other.install()
    with pytest.raises(FleetError, match="no hub signs"):
        other.promote(hub.folder.public)
    owners.revoke("hub-a")
    owners.sign("anna", "ben", "targets")
    other.install()
    other.promote()
    assert publish(other.job({"drop": new_content("two")}), now())["timestamp"] == 1
    assert node.pull(other.folder.public, "drop/full.blz") == b"two"


@pytest.mark.parametrize("version", [2**31, 10**12])
@pytest.mark.parametrize("role", ["drop", "hub", "snapshot"])
def test_nor_one_of_any_other_role(tmp_path: Path, owners: Owners, hub: Hub, node: Node, role: str, version: int) -> None:
    """Its file would have a name that no hub finds again, or the next version be one that no other hub signs."""
    publish(hub.job({"drop": new_content("one")}), now())
    folder, by = hub.folder.metadata, signer_of(read_seed(hub.key, bytes))

    def sign(file: str, metadata: Metadata[Any]) -> None:
        metadata.sign(by)
        metadata.to_file(str(folder / file))

    forged: Metadata[Any] = Metadata.from_file(str(folder / f"1.{role}.json"))
    forged.signed.version = version
    sign(f"{version}.{role}.json", forged)
    snapshot, timestamp = Metadata[Snapshot].from_file(str(folder / "1.snapshot.json")), folder / "timestamp.json"
    newest = Metadata[Timestamp].from_file(str(timestamp))
    snapshot.signed.version = newest.signed.version = 2
    newest.signed.snapshot_meta = MetaFile(version if role == "snapshot" else 2)
    if role != "snapshot":
        snapshot.signed.meta[f"{role}.json"] = MetaFile(version)
        sign("2.snapshot.json", snapshot)
    sign("timestamp.json", newest)
    assert node.pull(hub.folder.public, "drop/full.blz") == b"one"
    other = Hub(tmp_path / "b", owners, "hub-b")
    other.install()
    with pytest.raises(FleetError, match=f"version {version} of .*{role}.json, and no hub signs"):
        other.promote(hub.folder.public)
    assert not list(other.folder.metadata.glob("*"))


@pytest.mark.parametrize("roll_out", [None, 3, {"number": "3", "stopped": True}, {"number": 2**60, "stopped": True}])
def test_what_is_signed_of_a_stop_and_is_not_as_it_should_be_counts_for_nothing(roll_out: object) -> None:
    assert stop_in({"roll_out": roll_out, "withdrawn": ["b" * 16, "x", 3]}) == SignedStop(0, withdrawn=("b" * 16,))
    assert stop_in({"roll_out": roll_out, "withdrawn": "b" * 16}) == NO_STOP


def test_two_active_hubs_never_alternate(tmp_path: Path, owners: Owners, hub: Hub, node: Node) -> None:
    publish(hub.job({"drop": new_content("one")}), now())
    other = Hub(tmp_path / "b", owners, "hub-b")
    other.install()
    other.promote(hub.folder.public)
    publish(other.job({"drop": new_content("two")}), now())
    assert node.pull(other.folder.public, "drop/full.blz") == b"two"
    # The former hub does not see it yet, and goes on: nodes keep what they have.
    publish(hub.job({"drop": new_content("three")}), now())
    with pytest.raises(RepositoryError):
        node.pull(hub.folder.public, "drop/full.blz")
    # As soon as it sees it, it stops; it starts again only if it is promoted itself.
    with pytest.raises(StoodDownError, match="another hub was promoted"):
        publish(hub.job({}, mirrors=(other.folder.public,)), now())
    hub.promote(other.folder.public)
    publish(hub.job({"drop": new_content("four")}, mirrors=(other.folder.public,)), now())
    assert node.pull(hub.folder.public, "drop/full.blz") == b"four"


def test_a_hub_whose_folder_is_older_than_what_was_published_stops(tmp_path: Path, owners: Owners, hub: Hub) -> None:
    twin = Hub(tmp_path / "twin", owners, "hub-a")
    twin.install()
    twin.promote()
    for _ in range(2):
        publish(hub.job({}), now())
    publish(twin.job({}), now())
    with pytest.raises(StoodDownError, match="knows only 1"):
        publish(twin.job({}, mirrors=(hub.folder.public,)), now())


def test_a_hub_whose_folder_is_older_than_its_database_stops_until_it_is_promoted_above(tmp_path: Path, hub: Hub) -> None:
    publish(hub.job({}), now())
    copy = tmp_path / "copy"
    shutil.copytree(hub.folder.path, copy)
    for _ in range(3):
        publish(hub.job({}), now())
    shutil.rmtree(hub.folder.path)
    copy.rename(hub.folder.path)
    with pytest.raises(StoodDownError, match="has version 1, and 4 was published here before"):
        publish(replace(hub.job({}), published=4), now())
    hub.promote()
    assert publish(replace(hub.job({}), published=4), now())["timestamp"] == STRIDE + 1
    # Once more, where the term of the lease is lost as well.
    with pytest.raises(StoodDownError):
        publish(replace(hub.job({}), published=2 * STRIDE + 5), now())
    for _ in range(2):
        hub.promote()
    assert publish(replace(hub.job({}), published=2 * STRIDE + 5), now())["timestamp"] == 3 * STRIDE + 1


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"signed": 3}', b'{"signed": {"targets"', b"\xff" * 100])
@pytest.mark.parametrize("role", ["drop", "snapshot"])
def test_old_metadata_that_is_damaged_keeps_no_hub_from_publishing(hub: Hub, node: Node, role: str, damage: bytes) -> None:
    for words in ("one", "two", "three"):
        publish(hub.job({"drop": new_content(words)}), now())
    (hub.folder.metadata / f"1.{role}.json").write_bytes(damage)
    answer = read_answer(json.dumps(publish(hub.job({"drop": new_content("four")}), now())).encode())
    known = ["four", "three", "two", *(["one"] if role == "snapshot" else [])]
    assert [one.content for one in answer.lists["drop"]] == [hash_of(words) for words in known]
    assert node.pull(hub.folder.public, "drop/full.blz") == b"four"


def test_a_mirror_that_lies_about_its_version_stops_no_hub(tmp_path: Path, owners: Owners, hub: Hub) -> None:
    publish(hub.job({}), now())
    mirror = tmp_path / "mirror"
    (mirror / "metadata").mkdir(parents=True)
    document = json.loads((hub.folder.metadata / "timestamp.json").read_text())
    document["signed"]["version"] = 2**30
    (mirror / "metadata" / "timestamp.json").write_text(json.dumps(document))
    assert publish(hub.job({}, mirrors=(mirror, tmp_path / "absent")), now())["timestamp"] == 2


def test_a_revoked_hub_key_is_refused_also_after_it_ran_ahead(tmp_path: Path, owners: Owners, hub: Hub, node: Node) -> None:
    publish(hub.job({"drop": new_content("one")}), now())
    thief = Hub(tmp_path / "thief", owners, "hub-b")
    thief.install()
    write_lease(thief.folder.path, Lease(2**30 // STRIDE))
    publish(thief.job({"drop": new_content("poison")}), now())
    assert node.pull(thief.folder.public, "drop/full.blz") == b"poison"
    with pytest.raises(RepositoryError):
        node.pull(hub.folder.public, "drop/full.blz")
    owners.revoke("hub-b", new=((SigningRole.HUB, "hub-c"),))
    owners.sign("ben", "cleo", "targets")
    hub.install()
    publish(hub.job({}), now())
    assert node.pull(hub.folder.public, "drop/full.blz") == b"one"
    # The thief's files are nothing any more, with the new root beside them or without it.
    with pytest.raises(RepositoryError):
        node.pull(thief.folder.public, "drop/full.blz")
    thief.install()
    with pytest.raises(FleetError, match="was revoked"):
        publish(thief.job({}), now())


def test_twelve_rotations_of_the_root_later_a_node_proves_them_all(owners: Owners, hub: Hub, node: Node) -> None:
    publish(hub.job({"drop": new_content("one")}), now())
    people = ["anna", "ben", "cleo"]
    for number in range(12):
        owners.revoke(people[0], new=((SigningRole.ROOT, f"person-{number}"),))
        owners.sign(people[1], people[2], "targets")
        people = [*people[1:], f"person-{number}"]
    hub.install()
    assert publish(hub.job({}), now())["root"] == 13
    assert node.pull(hub.folder.public, "drop/full.blz") == b"one"


def test_a_root_that_does_not_go_on_is_not_installed(tmp_path: Path, hub: Hub) -> None:
    stranger = Hub(tmp_path / "b", Owners(tmp_path / "strangers", "hub-a"), "hub-a")
    stranger.install()
    hub._owners = stranger._owners
    with pytest.raises(FleetError, match="does not go on from the root 1"):
        hub.install()


def test_what_old_snapshots_named_is_deleted_in_the_end(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("banlistd.trust.repository.retention._KEPT", 2)
    monkeypatch.setattr("banlistd.trust.repository.retention._KEPT_MOST", 3)
    monkeypatch.setattr("banlistd.trust.repository.retention._KEPT_OF_A_LIST", 3)
    (hub.folder.public / "metadata").mkdir(parents=True)
    (hub.folder.public / "index.html").touch()
    for number in range(6):
        publish(hub.job({"drop": new_content(f"content {number}")}), now())
    kept = sorted(path.name for path in hub.folder.metadata.iterdir())
    # Those of the last three before the publication, and the new ones.
    assert [name for name in kept if "snapshot" in name] == [f"{number}.snapshot.json" for number in (3, 4, 5, 6)]
    assert len(list((hub.folder.public / "targets" / "drop").iterdir())) == 4
    assert (hub.folder.public / "index.html").exists()
    assert "1.root.json" in kept


def test_the_versions_of_a_list_are_kept_however_often_another_one_changes(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("banlistd.trust.repository.retention._KEPT", 2)
    monkeypatch.setattr("banlistd.trust.repository.retention._KEPT_MOST", 3)
    monkeypatch.setattr("banlistd.trust.repository.retention._KEPT_OF_A_LIST", 2)
    for number in range(3):
        publish(hub.job({"drop": new_content(f"daily {number}")}), now())
    for number in range(8):
        answer = publish(hub.job({"reports": new_content(f"busy {number}")}, "drop", "reports"), now())
    daily = [known["content"] for known in answer["lists"]["drop"]["contents"]]
    assert daily == [new_content(f"daily {number}").content for number in (2, 1)]
    for known in answer["lists"]["drop"]["contents"]:
        assert (hub.folder.public / known["file"]).exists()


def test_a_hub_whose_key_was_replaced_signs_again_what_has_not_changed(
    tmp_path: Path, owners: Owners, hub: Hub, node: Node
) -> None:
    publish(hub.job({"drop": new_content("one")}), now())
    owners.revoke("hub-a", new=((SigningRole.HUB, "hub-c"),))
    owners.sign("ben", "cleo", "targets")
    hub.install()
    hub.key = owners.key("hub-c")
    publish(hub.job({}), now())
    assert node.pull(hub.folder.public, "drop/full.blz") == b"one"
