"""The commands of those who own a fleet, from three root keys to a revoked one. No daemon is asked."""

import json
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from ctl.conftest import CtlCall

OWNERS = ("anna", "ben", "cleo")


@pytest.fixture
def keys(tmp_path: Path, call: CtlCall) -> Path:
    """A folder with the keys of three people, of the targets, and of two hubs."""
    for role, names in (("root", OWNERS), ("targets", ("targets",)), ("hub", ("hub-a", "hub-b", "hub-c"))):
        for name in names:
            secret = () if role == "hub" else ("--no-passphrase",)
            code, _, err = call("fleet", "new-key", str(tmp_path / f"{name}.key"), "--role", role, *secret, *_config(tmp_path))
            assert (code, err) == (0, "")
    return tmp_path


@pytest.fixture
def fleet(keys: Path, call: CtlCall) -> Path:
    folder = keys / "fleet"
    code, out, _ = call(
        "fleet", "init", str(folder), "--name", "main", *_root(keys), "--hub-keys", *_public(keys, "hub-a", "hub-b")
    )
    assert code == 0
    assert "1.root.json: not signed yet: needs 2 signatures more of anna, ben, cleo" in out
    return folder


def _config(folder: Path) -> tuple[str, str]:
    return ("--config", str(folder / "etc"))


def _public(folder: Path, *names: str) -> list[str]:
    return [str(folder / f"{name}.key.pub") for name in names]


def _root(folder: Path) -> list[str]:
    return ["--root-keys", *_public(folder, *OWNERS), "--targets-keys", *_public(folder, "targets")]


def _sign(call: CtlCall, keys: Path, *names: str) -> str:
    out = ""
    for name in names:
        code, out, err = call("fleet", "sign", str(keys / "fleet"), "--key", str(keys / f"{name}.key"), "--yes", *_config(keys))
        assert (code, err) == (0, "")
    return out


def test_a_fleet_from_its_first_key_to_a_revoked_hub(keys: Path, fleet: Path, call: CtlCall) -> None:
    out = _sign(call, keys, "anna", "ben", "targets")
    assert out.splitlines()[-1] == f"next: on each hub: banlistctl fleet install {fleet}"
    state = keys / "state"
    state.mkdir()
    code, out, _ = call("fleet", "install", str(fleet), "--state", str(state))
    assert (code, out.split(";")[0]) == (0, "installed: 1.root.json, 1.targets.json")
    code, out, _ = call("--json", "fleet", "promote", "--state", str(state))
    assert (code, json.loads(out)) == (0, {"term": 0, "next_version": 1, "expired": {}})

    code, out, _ = call("fleet", "revoke", str(fleet), "hub-b", "--hub-keys", *_public(keys, "hub-c"))
    assert code == 0
    code, _, err = call("fleet", "install", str(fleet), "--state", str(state))
    assert code == 65
    assert "not proven: 2.root.json: not signed yet" in err
    shown = _sign(call, keys, "cleo")
    assert "+ hub hub-c" in shown
    assert "- hub hub-b" in shown
    _sign(call, keys, "ben", "targets")
    assert call("fleet", "install", str(fleet), "--state", str(state))[0] == 0
    code, out, _ = call("--json", "fleet", "keys", str(fleet))
    document = json.loads(out)
    assert (code, document["fleet"], document["root"], document["threshold"]) == (0, "main", 2, 2)
    assert [key["name"] for key in document["keys"] if "hub" in key["roles"]] == ["hub-a", "hub-c"]


def test_a_fleet_in_which_two_hubs_must_sign_says_so_to_those_who_sign(keys: Path, call: CtlCall) -> None:
    folder = keys / "fleet"
    named = ("fleet", "init", str(folder), "--name", "main", *_root(keys), "--hub-threshold", "2", "--hub-keys")
    code, _, err = call(*named, *_public(keys, "hub-a"))
    assert code == 64
    assert "2 hubs must sign each list, and 1 hub has a key" in err
    assert call(*named, *_public(keys, "hub-a", "hub-b"))[0] == 0
    assert "2 of 2 hubs must sign each list" in _sign(call, keys, "anna", "ben", "targets", "cleo")
    assert json.loads(call("--json", "fleet", "keys", str(folder))[1])["hub_threshold"] == 2
    assert "hub (2 of 2 sign)" in call("fleet", "keys", str(folder))[1]
    assert call("fleet", "revoke", str(folder), "hub-b")[0] == 64
    assert call("fleet", "revoke", str(folder), "hub-b", "--hub-threshold", "1")[0] == 0
    assert json.loads(call("--json", "fleet", "keys", str(folder))[1])["hub_threshold"] == 1


def test_the_next_year_begins_with_the_same_keys(keys: Path, fleet: Path, call: CtlCall) -> None:
    _sign(call, keys, "anna", "ben", "targets")
    assert call("fleet", "rotate", str(fleet))[0] == 0
    code, _, err = call("fleet", "rotate", str(fleet))
    assert code == 65
    assert "the change before is not signed" in err


@pytest.mark.parametrize(
    "text", ["fleet:\n  publish: {lists: [drop]}\n", "fleet: {name: main, publish: {}}\n", '"x": 1\nfleet:\n\n  "publish":\n']
)
def test_no_key_of_an_owner_is_made_or_used_on_a_hub(keys: Path, fleet: Path, call: CtlCall, text: str) -> None:
    (keys / "etc").mkdir()
    (keys / "etc" / "banlistd.yaml").write_text(text)
    for role in ("root", "targets"):
        code, _, err = call("fleet", "new-key", str(keys / "new.key"), "--role", role, "--no-passphrase", *_config(keys))
        assert code == 64
        assert "this machine is a hub" in err
    code, _, err = call("fleet", "sign", str(fleet), "--key", str(keys / "anna.key"), "--yes", *_config(keys))
    assert code == 64
    assert "this machine is a hub" in err
    assert call("fleet", "new-key", str(keys / "hub.key"), "--role", "hub", *_config(keys))[0] == 0


@pytest.mark.parametrize(
    "text", ["fleet:\n  # publish: {}\n  name: main\n", "fleet: {name: main}\nsources:\n  - publish: x\n", ""]
)
def test_a_node_is_no_hub(keys: Path, call: CtlCall, text: str) -> None:
    (keys / "etc").mkdir()
    (keys / "etc" / "banlistd.yaml").write_text(text)
    assert call("fleet", "new-key", str(keys / "new.key"), "--role", "root", "--no-passphrase", *_config(keys))[0] == 0


def test_no_passphrase_is_asked_for_where_the_file_of_a_key_is_there_already(keys: Path, call: CtlCall) -> None:
    (keys / "half.key.pub").touch()
    for name in ("anna", "half"):
        code, _, err = call("fleet", "new-key", str(keys / f"{name}.key"), "--role", "root", *_config(keys))
        assert code == 64
        assert "is there already, and would be lost" in err


def test_a_passphrase_comes_from_a_file_or_a_terminal(keys: Path, fleet: Path, call: CtlCall) -> None:
    (keys / "secret").write_text("correct horse\n")
    secret = ("--passphrase-file", str(keys / "secret"))
    code, out, _ = call("fleet", "new-key", str(keys / "dora.key"), "--role", "root", *secret, *_config(keys))
    assert code == 0
    assert "under its passphrase" in out
    _sign(call, keys, "anna", "ben", "targets")
    assert call("fleet", "rotate", str(fleet), "--root-keys", *_public(keys, "dora"))[0] == 0
    order = ("fleet", "sign", str(fleet), "--key", str(keys / "dora.key"), "--yes", *_config(keys))
    code, _, err = call(*order)
    assert code == 64
    assert "no terminal to ask for the passphrase on" in err
    assert call(*order, *secret)[0] == 0


@pytest.mark.parametrize(
    ("people", "threshold", "why"),
    [(("anna", "ben"), "2", "with one lost key"), (("anna",), "2", "with one lost key"), (OWNERS, "4", "with one lost key")],
)
def test_a_fleet_that_one_lost_key_ends_is_not_begun(
    keys: Path, call: CtlCall, people: tuple[str, ...], threshold: str, why: str
) -> None:
    code, _, err = call(
        "fleet",
        "init",
        str(keys / "fleet"),
        "--name",
        "main",
        *("--root-keys", *_public(keys, *people), "--targets-keys", *_public(keys, "targets")),
        *("--hub-keys", *_public(keys, "hub-a"), "--threshold", threshold),
    )
    assert code == 64
    assert why in err
    assert not (keys / "fleet").exists()


def test_nothing_is_signed_without_an_answer(keys: Path, fleet: Path, call: CtlCall) -> None:
    before = (fleet / "1.root.json").read_bytes()
    code, _, err = call("fleet", "sign", str(fleet), "--key", str(keys / "anna.key"), *_config(keys))
    assert code == 64
    assert "--yes" in err
    assert (fleet / "1.root.json").read_bytes() == before


def test_a_hub_that_was_put_in_place_of_another_one_on_the_way_is_not_signed(keys: Path, fleet: Path, call: CtlCall) -> None:
    """Under the digits that the people have agreed on, in the root and in the targets."""
    digits = {}
    for name in ("hub-b", "hub-c"):
        line = (keys / f"{name}.key.pub").read_text()
        digits[name] = b64decode(line.split()[1]).hex()
    for kind in ("root", "targets"):
        path = fleet / f"1.{kind}.json"
        path.write_text(path.read_text().replace(digits["hub-b"], digits["hub-c"]))
    code, _, err = call("fleet", "sign", str(fleet), "--key", str(keys / "anna.key"), "--yes", *_config(keys))
    assert code == 65
    assert "the digits of the key hub-b are not its own" in err
    assert '"signatures":[]' in (fleet / "1.root.json").read_text()


def test_a_root_that_nothing_proves_is_no_root_to_go_on_from(keys: Path, fleet: Path, call: CtlCall) -> None:
    _sign(call, keys, "anna", "ben", "targets")
    assert call("fleet", "rotate", str(fleet))[0] == 0
    path = fleet / "1.root.json"
    path.write_text(path.read_text().replace('"threshold":2', '"threshold":1'))
    code, _, err = call("fleet", "sign", str(fleet), "--key", str(keys / "anna.key"), "--yes", *_config(keys))
    assert code == 65
    assert "not proven: 1.root.json" in err


def test_a_fleet_is_begun_once(keys: Path, fleet: Path, call: CtlCall) -> None:
    code, _, err = call("fleet", "init", str(fleet), "--name", "main", *_root(keys), "--hub-keys", *_public(keys, "hub-a"))
    assert code == 64
    assert "there is a fleet in" in err


def test_without_tuf_the_commands_say_what_to_install(tmp_path: Path, call: CtlCall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "banlistd.trust.ceremony.keys", None)
    code, _, err = call("fleet", "keys", str(tmp_path))
    assert code == 65
    assert "python-tuf" in err
    assert "banlistd[fleet]" in err


def test_the_overview_names_each_command(call: CtlCall) -> None:
    code, out, _ = call("fleet", "steps")
    assert code == 0
    assert [line.split()[2] for line in out.splitlines()] == [
        "new-key",
        "init",
        "sign",
        "install",
        "promote",
        "keys",
        "rotate",
        "revoke",
    ]
