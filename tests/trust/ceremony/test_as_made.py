"""What a person who signs does not see is not signed: another key under known digits, hubs, roles or files of another kind."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from banlistd.errors import FleetError
from banlistd.trust.ceremony.as_made import must_be_as_made
from banlistd.trust.ceremony.key_files import read_seed
from banlistd.trust.ceremony.keys import signer_of
from banlistd.trust.ceremony.making import SigningRole
from support.fleet import Owners

THIEF = signer_of(bytes(range(32))).public_key


@pytest.fixture
def owners(tmp_path: Path) -> Owners:
    """With a second root and targets that wait for signatures."""
    owners = Owners(tmp_path, "hub-a", "hub-b", hubs_sign=2)
    owners.revoke("hub-b", new=((SigningRole.HUB, "hub-c"),))
    return owners


def change(owners: Owners, kind: str, how: Callable[[Any], object]) -> None:
    """On the way from one person to the next one."""
    path = owners.folder.path / f"2.{kind}.json"
    document = json.loads(path.read_text())
    how(document["signed"])
    path.write_text(json.dumps(document))


def names_the_thief(signed: Any) -> None:
    hub, keys = signed["delegations"]["roles"][0], signed["delegations"]["keys"]
    del keys[hub["keyids"].pop()]
    hub["keyids"].append(THIEF.keyid)
    keys[THIEF.keyid] = THIEF.to_dict()


def test_what_the_commands_make_is_signed(owners: Owners) -> None:
    must_be_as_made(owners.folder.newest())
    owners.sign("anna", "ben", "targets")
    must_be_as_made(owners.folder.newest())


@pytest.mark.parametrize("kind", ["root", "targets"])
@pytest.mark.parametrize(
    "public", [THIEF.keyval["public"], "", "zz", 5, None, THIEF.keyval["public"] * 2, THIEF.keyval["public"].upper()]
)
def test_another_key_under_the_digits_of_a_known_one_is_found(owners: Owners, kind: str, public: object) -> None:
    def how(signed: Any) -> None:
        keys = signed["keys"] if kind == "root" else signed["delegations"]["keys"]
        next(key for key in keys.values() if key["x-banlistd-name"] == "hub-c")["keyval"]["public"] = public

    change(owners, kind, how)
    with pytest.raises(FleetError, match=rf"2\.{kind}\.json"):
        owners.folder.newest()


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("targets", names_the_thief),
        ("targets", lambda signed: signed["delegations"]["roles"][0]["keyids"].pop()),
        ("targets", lambda signed: signed["delegations"]["roles"][0].update(paths=["*", "*/*"])),
        ("targets", lambda signed: signed["delegations"]["roles"][0].update(terminating=False)),
        ("targets", lambda signed: signed["delegations"]["roles"][0].update(more=1)),
        ("targets", lambda signed: signed["delegations"]["roles"].append({**signed["delegations"]["roles"][0], "name": "x"})),
        ("targets", lambda signed: signed["delegations"].update(more=1)),
        ("targets", lambda signed: signed.pop("delegations")),
        ("targets", lambda signed: signed.update(more=1)),
        ("targets", lambda signed: signed.update(expires="2999-01-01T00:00:00Z")),
        ("targets", lambda signed: signed["targets"].update({"drop/full.blz": {"length": 1, "hashes": {"sha256": "0" * 64}}})),
        ("root", lambda signed: signed["roles"]["snapshot"]["keyids"].pop()),
        ("root", lambda signed: signed["roles"]["timestamp"].update(threshold=2)),
        ("root", lambda signed: signed["roles"]["targets"].update(threshold=2)),
        ("root", lambda signed: signed["roles"]["root"].update(more=1)),
        ("root", lambda signed: signed.update(consistent_snapshot=False)),
        ("root", lambda signed: signed.update(more=1)),
    ],
)
def test_what_is_not_seen_is_not_signed(owners: Owners, kind: str, how: Callable[[Any], object]) -> None:
    change(owners, kind, how)
    with pytest.raises(FleetError, match="not as they are made"):
        must_be_as_made(owners.folder.newest())


def test_what_changes_between_the_question_and_the_answer_is_not_signed(owners: Owners) -> None:
    shown = owners.folder.newest()
    owners.sign("ben")  # another person, meanwhile
    signer = signer_of(read_seed(owners.key("anna"), bytes))
    owners.folder.sign(signer, shown)
    change(owners, "targets", names_the_thief)
    with pytest.raises(FleetError, match="changed meanwhile"):
        owners.folder.sign(signer, shown)
