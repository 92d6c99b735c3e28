"""The key of an operator, and the orders that it signs."""

import json
import time
from base64 import b64decode
from pathlib import Path

import pytest

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.core.config.service.orders import KnownOperator, Verb, operator_key
from banlistd.core.mqtt.orders.keys import key_id, private_key
from banlistd.core.mqtt.orders.order import OrderRefusal, Recipient, SignedOrder, Why, judged
from banlistd.core.mqtt.orders.seen import SeenOrders
from ctl.conftest import CtlCall, Program


@pytest.fixture
def key(tmp_path: Path, call: CtlCall) -> tuple[str, bytes]:
    """The file of a key, and its public half."""
    path = str(tmp_path / "anna.key")
    code, out, _ = call("operator-key", path)
    assert code == 0
    return path, operator_key(out.strip())


def test_a_key_is_for_its_owner_alone_and_its_public_half_is_printed(
    tmp_path: Path, key: tuple[str, bytes], call: CtlCall
) -> None:
    path, public = key
    assert (tmp_path / "anna.key").stat().st_mode & 0o777 == 0o600
    private_key((tmp_path / "anna.key").read_text())
    code, out, _ = call("--json", "operator-key", "--show", path)
    assert code == 0
    document = json.loads(out)
    assert (document["file"], operator_key(document["key"]), document["key_id"]) == (path, public, key_id(public))


def test_a_key_that_is_there_is_not_overwritten(tmp_path: Path, key: tuple[str, bytes], call: CtlCall) -> None:
    path, _ = key
    before = (tmp_path / "anna.key").read_bytes()
    code, out, err = call("operator-key", path)
    assert (code, out) == (64, "")
    assert "is there already" in err
    assert (tmp_path / "anna.key").read_bytes() == before
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    assert call("operator-key", str(tmp_path / "dangling"))[0] == 64
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path, key: tuple[str, bytes], call: CtlCall) -> None:
    (tmp_path / "anna.key").chmod(0o640)
    code, out, err = call("order", "--key", key[0], "node-1", "refresh")
    assert (code, out) == (64, "")
    assert "chmod 600" in err


def test_a_key_that_is_absent_or_a_folder_is_reported(tmp_path: Path, call: CtlCall) -> None:
    assert call("operator-key", "--show", str(tmp_path / "absent"))[0] == 74
    assert call("operator-key", "--show", str(tmp_path))[0] == 74
    assert call("operator-key", str(tmp_path / "absent" / "key"))[0] == 74
    assert call("operator-key", "--show", "/dev/null")[0] == 64


def judge(text: str, public: bytes) -> SignedOrder | OrderRefusal:
    anna = KnownOperator(name="anna", key=public, may=tuple(Verb))
    return judged(text.encode(), Recipient("node-1", (anna,)), SeenOrders(), time.time(), is_signed_by)


@pytest.mark.parametrize(
    ("words", "verb", "fields"),
    [
        (["ban", "203.0.113.7", "--for", "10m"], Verb.BAN, {"address": "203.0.113.7", "for": "10m"}),
        (["ban", "203.0.113.7", "203.0.113.8"], Verb.BAN, {"address": ["203.0.113.7", "203.0.113.8"]}),
        (["unban", "203.0.113.7"], Verb.UNBAN, {"address": "203.0.113.7"}),
        (["unban", "--origin", "mqtt/anna"], Verb.UNBAN, {"origin": "mqtt/anna"}),
        (["refresh"], Verb.REFRESH, {"sources": []}),
        (["refresh", "drop", "--now"], Verb.REFRESH, {"sources": ["drop"], "now": True}),
        (["approve", "drop", "--hash", "01234567"], Verb.APPROVE, {"sources": ["drop"], "hash": "01234567"}),
        (["fleet-hold", "drop", "--reason", "odd"], Verb.FLEET_HOLD, {"list": "drop", "reason": "odd"}),
        (["fleet-hold", "drop", "--version", "012345"], Verb.FLEET_HOLD, {"list": "drop", "version": ["012345"]}),
        (["fleet-hold", "drop", "--keep"], Verb.FLEET_HOLD, {"list": "drop", "keep": True}),
        (["fleet-release", "drop"], Verb.FLEET_RELEASE, {"list": "drop"}),
        (["fleet-release", "drop", "--version", "c391eda6"], Verb.FLEET_RELEASE, {"list": "drop", "version": "c391eda6"}),
    ],
)
def test_an_order_is_signed_for_its_host(
    words: list[str], verb: Verb, fields: dict[str, object], key: tuple[str, bytes], call: CtlCall
) -> None:
    path, public = key
    code, out, _ = call("order", "--key", path, "node-1", *words)
    assert code == 0
    order = judge(out, public)
    assert isinstance(order, SignedOrder)
    assert (order.verb, order.fields, order.expires_at - order.issued_at) == (verb, fields, 60)


def test_no_two_orders_have_one_id(key: tuple[str, bytes], call: CtlCall) -> None:
    orders = [judge(call("order", "--key", key[0], "node-1", "refresh")[1], key[1]) for _ in range(2)]
    assert all(isinstance(order, SignedOrder) for order in orders)
    assert len({order.id for order in orders if isinstance(order, SignedOrder)}) == 2


def test_an_order_is_for_one_host_of_one_fleet(key: tuple[str, bytes], call: CtlCall) -> None:
    for words in (["node-2", "refresh"], ["node-1", "refresh", "--fleet", "main"]):
        refusal = judge(call("order", "--key", key[0], *words)[1], key[1])
        assert isinstance(refusal, OrderRefusal)
        assert refusal.why is Why.WRONG_RECIPIENT


@pytest.mark.parametrize(
    "words",
    [
        ["ban"],
        ["unban"],
        ["approve", "drop"],
        ["approve", "--hash", "01234567"],
        ["fleet-hold"],
        ["fleet-hold", "drop", "ssh"],
        ["fleet-release", "drop", "--reason", "odd"],
        ["fleet-release", "drop", "--version", "c391eda6", "2349c6f3"],
        ["refresh", "--for", "10m"],
        ["unban", "203.0.113.7", "--comment", "x"],
        ["refresh", "--valid", "0"],
        ["refresh", "--valid", "301"],
        ["reload"],
    ],
)
def test_what_is_no_order_is_not_signed(words: list[str], key: tuple[str, bytes], call: CtlCall) -> None:
    code, out, err = call("order", "--key", key[0], "node-1", *words)
    assert (code, out) == (64, "")
    assert err


def test_the_private_key_is_in_no_output(key: tuple[str, bytes], program: Program) -> None:
    path, _ = key
    seed = private_key(Path(path).read_text())
    done = program("order", "--key", path, "node-1", "ban", "203.0.113.7")
    assert done.returncode == 0
    assert done.stderr == ""
    envelope = json.loads(done.stdout)
    assert seed not in b64decode(envelope["payload"]) + b64decode(envelope["signatures"][0]["sig"])
