"""Root and targets: made, signed by enough people, changed, and refused where a signature is missing."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from banlistd.errors import FleetError, UsageError
from banlistd.trust.ceremony.folder import Folder
from banlistd.trust.ceremony.keys import signer_of
from banlistd.trust.ceremony.making import KeyChange, SigningRole, next_offline, signing_keys
from banlistd.trust.ceremony.proving import changes_of, hubs_that_sign, must_be_signed, must_follow
from support.fleet import Owners


@pytest.fixture
def owners(tmp_path: Path) -> Owners:
    return Owners(tmp_path, "hub-a", "hub-b")


def _lacking(folder: Folder) -> tuple[int, int]:
    root, targets = folder.states()
    return root.lacking, targets.lacking


def test_two_of_three_people_and_the_targets_key_make_it_complete(owners: Owners) -> None:
    assert _lacking(owners.folder) == (0, 0)
    must_follow(owners.folder.roots())
    newest = owners.folder.newest()
    must_be_signed(newest.targets, newest.root)
    named = {key.name: key.roles for key in signing_keys(newest).values()}
    assert named == dict.fromkeys(("anna", "ben", "cleo"), (SigningRole.ROOT,)) | {
        "targets": (SigningRole.TARGETS,)
    } | dict.fromkeys(("hub-a", "hub-b"), (SigningRole.HUB,))


def test_one_signature_of_the_root_does_not_suffice(owners: Owners) -> None:
    owners.revoke("hub-b")
    assert _lacking(owners.folder) == (2, 1)
    owners.sign("cleo", "targets", "cleo")
    assert _lacking(owners.folder) == (1, 0)
    with pytest.raises(FleetError, match=r"2\.root\.json: signed by cleo: needs 1 signature more"):
        must_follow(owners.folder.roots())
    owners.sign("ben")
    must_follow(owners.folder.roots())


def test_a_revoked_root_key_counts_for_the_root_before_only(owners: Owners) -> None:
    owners.revoke("anna", new=((SigningRole.ROOT, "dora"),))
    owners.sign("anna", "dora", "targets")
    # The old root has anna of its three, the new one dora of its three: each lacks one.
    assert _lacking(owners.folder) == (1, 0)
    owners.sign("ben")
    assert _lacking(owners.folder) == (0, 0)
    assert "anna" not in {key.name for key in signing_keys(owners.folder.newest()).values()}


def test_the_signer_sees_which_keys_come_and_go(owners: Owners) -> None:
    owners.revoke("hub-b", new=((SigningRole.HUB, "hub-c"),))
    shown = changes_of(owners.folder.roots())
    assert [line[: len("+ hub hub-c")] for line in shown if line[0] in "+-"] == ["+ hub hub-c", "- hub hub-b"]


def test_a_key_of_none_of_the_roles_signs_nothing(owners: Owners) -> None:
    with pytest.raises(FleetError, match="neither the root nor the targets"):
        owners.folder.sign(signer_of(bytes(range(32))))
    with pytest.raises(FleetError, match="neither the root nor the targets"):
        owners.sign("hub-a")


def test_a_root_that_was_changed_on_its_way_is_not_proven(owners: Owners) -> None:
    path = owners.folder.path / "1.root.json"
    document = json.loads(path.read_text())
    document["signed"]["roles"]["root"]["threshold"] = 1
    path.write_text(json.dumps(document))
    with pytest.raises(FleetError, match="not proven"):
        must_follow(owners.folder.roots())


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"signed": {"_type": "root"}, "signatures": []}', b"\xff" * 10])
def test_a_file_that_is_no_metadata_is_named(owners: Owners, content: bytes) -> None:
    (owners.folder.path / "2.root.json").write_bytes(content)
    with pytest.raises(FleetError, match=r"2\.root\.json"):
        owners.folder.roots()


def test_the_file_of_another_version_is_not_what_its_name_says(owners: Owners) -> None:
    (owners.folder.path / "2.root.json").write_bytes((owners.folder.path / "1.root.json").read_bytes())
    with pytest.raises(FleetError, match="not what its name says"):
        owners.folder.roots()


def test_a_missing_root_ends_the_chain(owners: Owners) -> None:
    for _ in range(2):
        owners.revoke()
        owners.sign("anna", "ben", "targets")
    (owners.folder.path / "2.root.json").unlink()
    with pytest.raises(FleetError, match="the root 2 is missing"):
        must_follow(owners.folder.roots())


@pytest.mark.parametrize(
    ("gone", "why"),
    [
        (("anna", "ben"), "needs 2 signatures, and would have 1 key"),
        (("targets",), "no key would sign the targets"),
        (("hub-a", "hub-b"), "no hub would have a key"),
        (("nobody-known",), "has no key called nobody-known"),
    ],
)
def test_a_change_that_leaves_a_role_without_keys_is_refused(owners: Owners, gone: tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        owners.revoke(*gone)
    assert len(owners.folder.roots()) == 1


def test_how_many_hubs_must_sign_is_kept_and_changed_by_the_targets_alone(tmp_path: Path) -> None:
    owners = Owners(tmp_path, "hub-a", "hub-b", hubs_sign=2)
    assert hubs_that_sign(owners.folder.newest().targets) == "2 of 2 hubs must sign each list"
    roles = owners.folder.newest().root.signed.roles
    assert (roles["timestamp"].threshold, roles["snapshot"].threshold) == (1, 1)
    with pytest.raises(UsageError, match=r"2 hubs must sign each list, and 1 hub has a key"):
        owners.revoke("hub-a")
    owners.revoke("hub-a", new=((SigningRole.HUB, "hub-c"),))
    assert hubs_that_sign(owners.folder.newest().targets) == "2 of 2 hubs must sign each list"
    owners.revoke("hub-b", hubs_sign=1)
    assert hubs_that_sign(owners.folder.newest().targets) == "1 of 1 hub must sign each list"


def test_a_key_has_one_role(owners: Owners) -> None:
    with pytest.raises(UsageError, match="there is already a key anna"):
        owners.revoke(new=((SigningRole.HUB, "anna"),))


def test_each_version_lives_a_year_from_its_making(owners: Owners) -> None:
    newest = owners.folder.newest()
    later = newest.root.signed.expires - timedelta(days=1)
    made = next_offline(newest, KeyChange(), later)
    assert made.root.signed.expires == made.targets.signed.expires == later + timedelta(days=365)
    assert (made.root.signed.version, made.targets.signed.version) == (2, 2)
