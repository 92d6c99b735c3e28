"""What is refused, and why; and that nothing but the signed octets of an operator becomes an order."""

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.core.config.service.orders import Verb
from banlistd.core.mqtt.orders.answers import done_answer, refused_answer
from banlistd.core.mqtt.orders.envelope import ORDER_TYPE, signed_octets
from banlistd.core.mqtt.orders.order import LONGEST_LIFE, MOST_ORDER_OCTETS, OrderRefusal, Recipient, SignedOrder, Why, judged
from banlistd.core.mqtt.orders.seen import SeenOrders
from support.operators import ANNA, BERT, ID, NODE, document, recipient

NOW = 1_800_000_000.5
NONE_SEEN = SeenOrders()
FIELDS = {"address": "203.0.113.7", "for": "10m"}
OURS = recipient(ANNA.operator(Verb.BAN, Verb.REFRESH))


def judge(
    octets: bytes, seen: SeenOrders = NONE_SEEN, *, now: float = NOW, retained: bool = False
) -> SignedOrder | OrderRefusal:
    return judged(octets, OURS, seen, now, is_signed_by, retained=retained)


def why(octets: bytes, **settings: Any) -> Why:
    refusal = judge(octets, **settings)
    assert isinstance(refusal, OrderRefusal)
    return refusal.why


def enveloped(octets: bytes, **changed: object) -> bytes:
    return json.dumps({**json.loads(octets), **changed}).encode()


GOOD = ANNA.order(NOW, "ban", FIELDS)


def test_a_signed_order_for_us_is_one() -> None:
    order = judge(GOOD)
    assert isinstance(order, SignedOrder)
    assert (order.operator.name, order.verb, order.fields, order.id) == ("anna", Verb.BAN, FIELDS, ID)
    assert (order.issued_at, order.expires_at) == (1_800_000_000, 1_800_000_060)


def test_what_is_signed_is_encoded_as_dsse_says() -> None:
    """The example of protocol.md."""
    signed = signed_octets("http://example.com/HelloWorld", b"hello world")
    assert signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_an_order_is_taken_once() -> None:
    order = judge(GOOD)
    assert isinstance(order, SignedOrder)
    seen = NONE_SEEN.with_order(order.seen)
    assert why(GOOD, seen=seen) is Why.REPLAYED
    assert isinstance(judge(ANNA.order(NOW, "ban", FIELDS, id="f" * 32), seen), SignedOrder)


def test_an_order_in_another_envelope_is_the_same_order() -> None:
    order = judge(GOOD)
    assert isinstance(order, SignedOrder)
    seen = NONE_SEEN.with_order(order.seen)
    assert why(json.dumps(json.loads(GOOD), indent=1).encode(), seen=seen) is Why.REPLAYED


@pytest.mark.parametrize("later", [60, 61, 10**6])
def test_an_order_is_late_from_its_end_on(later: float) -> None:
    assert isinstance(judge(GOOD, now=1_800_000_059.9), SignedOrder)
    assert why(GOOD, now=1_800_000_000 + later) is Why.LATE


def test_an_order_of_a_clock_that_is_far_ahead_is_early() -> None:
    assert isinstance(judge(GOOD, now=NOW - 60), SignedOrder)
    assert why(GOOD, now=NOW - 62) is Why.EARLY


@pytest.mark.parametrize("changed", [{"to": "node-2"}, {"fleet": "main"}, {"to": "NODE-1"}, {"to": ""}])
def test_an_order_for_another_is_refused(changed: dict[str, object]) -> None:
    assert why(ANNA.order(NOW, **changed)) is Why.WRONG_RECIPIENT  # type: ignore[arg-type]


def test_an_order_by_an_unknown_key_is_refused_and_its_sender_can_find_the_answer() -> None:
    refusal = judge(BERT.order(NOW))
    assert isinstance(refusal, OrderRefusal)
    assert (refusal.why, refusal.order_id, refusal.operator) == (Why.WRONG_KEY, ID, "")
    answer = json.loads(refused_answer(refusal, NOW))
    assert answer.keys() == {"v", "id", "ok", "error", "clock"}
    assert (answer["v"], answer["id"], answer["ok"], answer["clock"]) == (1, ID, False, 1_800_000_000)
    assert answer["error"]["kind"] == "wrong_key"


def test_the_signature_of_another_key_under_the_name_of_a_known_one_is_refused() -> None:
    forged = json.loads(BERT.order(NOW))
    forged["signatures"][0]["keyid"] = json.loads(GOOD)["signatures"][0]["keyid"]
    assert why(json.dumps(forged).encode()) is Why.WRONG_KEY


def test_a_signature_of_another_type_does_not_count_for_an_order() -> None:
    kind = "application/vnd.banlistd.report.v1+json"
    report = ANNA.signed(json.dumps(document(NOW)).encode(), kind)
    assert why(report) is Why.MALFORMED
    assert why(enveloped(report, payloadType=ORDER_TYPE)) is Why.WRONG_KEY


def test_a_verb_that_is_not_granted_is_refused() -> None:
    assert isinstance(judge(ANNA.order(NOW, "refresh")), SignedOrder)
    assert why(ANNA.order(NOW, "unban")) is Why.NOT_ALLOWED
    assert why(ANNA.order(NOW, "teardown")) is Why.NOT_ALLOWED


def test_a_retained_order_is_refused_unread() -> None:
    refusal = judge(GOOD, retained=True)
    assert isinstance(refusal, OrderRefusal)
    assert (refusal.why, refusal.order_id) == (Why.RETAINED, "")


def test_an_order_that_is_too_large_is_refused() -> None:
    large = ANNA.order(NOW, fields={"comment": MOST_ORDER_OCTETS * "x"})
    assert why(large) is Why.TOO_LARGE
    assert why(MOST_ORDER_OCTETS * b"{") is Why.MALFORMED


@pytest.mark.parametrize("octets", [json.dumps(document(NOW)).encode(), enveloped(GOOD, signatures=[]), b"{}"])
def test_an_order_without_a_signature_is_unsigned(octets: bytes) -> None:
    assert why(octets) is Why.UNSIGNED


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"PRESS",
        b"\xff\xfe",
        b"[]",
        b"null",
        GOOD + GOOD,
        GOOD.replace(b'"payload":', b'"payload":"","payload":'),
        GOOD.replace(b'"keyid":', b'"keyid":"","keyid":'),
        enveloped(GOOD, more=1),
        enveloped(GOOD, payload=None),
        enveloped(GOOD, payloadType=7),
        enveloped(GOOD, signatures={}),
        enveloped(GOOD, signatures="x"),
        enveloped(GOOD, signatures=2 * json.loads(GOOD)["signatures"]),
        enveloped(GOOD, signatures=[{"keyid": "x", "sig": ""}]),
        enveloped(GOOD, signatures=[{"keyid": "x", "sig": b64encode(63 * b"x").decode()}]),
        enveloped(GOOD, signatures=["x"]),
        enveloped(GOOD, signatures=[[]]),
        b'{"signatures": [' + 40_000 * b"[",
    ],
)
def test_a_malformed_envelope_is_refused(octets: bytes) -> None:
    assert why(octets) in (Why.MALFORMED, Why.UNSIGNED)
    assert judge(octets).__class__ is OrderRefusal


@pytest.mark.parametrize("key", ["payload", "sig"])
def test_base64_with_unused_bits_line_breaks_or_no_padding_is_refused(key: str) -> None:
    envelope = json.loads(ANNA.signed(json.dumps(document(NOW)).encode() + b" "))
    place = envelope if key == "payload" else envelope["signatures"][0]
    text = place[key]
    for other in (text.rstrip("="), text[:8] + "\n" + text[8:], text + " ", text.replace("=", "%3d"), "é"):
        place[key] = other
        assert why(json.dumps(envelope).encode()) is Why.MALFORMED
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    assert text.endswith("=")
    last = len(text.rstrip("=")) - 1
    place[key] = text[:last] + letters[letters.index(text[last]) + 1] + text[last + 1 :]
    assert b64decode(place[key]) == b64decode(text)
    assert why(json.dumps(envelope).encode()) is Why.MALFORMED


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(document(NOW)).replace('"verb"', '"verb": "refresh", "verb"'),
        json.dumps(document(NOW, fields={"x": {"y": 1}})).replace('"y"', '"y": 2, "y"'),
        json.dumps(document(NOW, more=1)),
        json.dumps({key: value for key, value in document(NOW).items() if key != "exp"}),
        json.dumps(document(NOW, v=2)),
        json.dumps(document(NOW, v=True)),
        json.dumps(document(NOW, id="short")),
        json.dumps(document(NOW, id=ID.upper())),
        json.dumps(document(NOW, id=ID + "\n")),
        json.dumps(document(NOW, to=["node-1"])),
        json.dumps(document(NOW, fields=[])),
        json.dumps(document(NOW, iat=NOW)),
        json.dumps(document(NOW, exp="1800000060")),
        json.dumps(document(NOW, exp=True)),
        json.dumps(document(NOW, iat=-1)),
        json.dumps(document(NOW, exp=10**30)),
        json.dumps(document(NOW, exp=int(NOW) + LONGEST_LIFE + 1)),
        json.dumps(document(NOW, exp=int(NOW) - 1)),
        json.dumps(document(NOW, fields={"x": float("nan")})),
        json.dumps(document(NOW, fields={"x": "\ud800"})),
        json.dumps(document(NOW)).replace("1800000000", "9" * 5000),
        "[]",
        "",
    ],
)
def test_a_malformed_order_is_refused_though_it_is_signed(payload: str) -> None:
    refusal = judge(ANNA.signed(payload.encode()))
    assert isinstance(refusal, OrderRefusal)
    assert (refusal.why, refusal.operator) == (Why.MALFORMED, "anna")


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_changed_octet_makes_another_order(place: int, change: int) -> None:
    changed = bytearray(GOOD)
    changed[place] ^= change
    verdict = judge(bytes(changed))
    assert isinstance(verdict, OrderRefusal) or verdict == judge(GOOD)


@given(st.binary(max_size=300))
def test_other_octets_are_refused_and_never_raise(octets: bytes) -> None:
    assert isinstance(judge(octets), OrderRefusal)
    assert isinstance(judge(ANNA.signed(octets)), OrderRefusal)


def test_without_operators_nothing_is_an_order() -> None:
    assert isinstance(judged(GOOD, Recipient(NODE, ()), NONE_SEEN, NOW, is_signed_by), OrderRefusal)


def test_an_answer_that_is_too_large_leaves_the_document_out() -> None:
    assert json.loads(done_answer(ID, {"new": True})) == {"v": 1, "id": ID, "ok": True, "document": {"new": True}}
    assert json.loads(done_answer(ID, MOST_ORDER_OCTETS * "x"))["document"] is None
