from base64 import b64encode

import pytest

from banlistd.core.config.keys import read_section
from banlistd.core.config.problems import Problem, Spot
from banlistd.core.config.service.orders import KnownOperator, OrderKeys, Press, Verb, operator_key
from banlistd.core.config.values import Unfit
from banlistd.core.config.yaml import parse_document
from support.operators import ANNA, BERT, key_text

A, B = key_text(ANNA), key_text(BERT)


def read(text: str) -> tuple[OrderKeys | None, list[str]]:
    problems: list[Problem] = []
    document = parse_document("banlistd.yaml", text.encode())
    return read_section(OrderKeys, document.tree, Spot(document, problems)), [str(problem) for problem in problems]


def test_without_the_keys_nothing_can_be_ordered() -> None:
    assert read("") == (OrderKeys(operators=(), presses=(), home_assistant=False), [])


def test_operators_have_a_name_a_key_and_what_they_may_order() -> None:
    text = f"""
operators:
- {{name: anna, key: "{A}", may: [ban, unban]}}
- {{name: bert, key: "{B}", may: refresh}}
presses: [refresh]
home_assistant: yes
"""
    anna = KnownOperator(name="anna", key=ANNA.public, may=(Verb.BAN, Verb.UNBAN))
    bert = KnownOperator(name="bert", key=BERT.public, may=(Verb.REFRESH,))
    assert read(text) == (OrderKeys(operators=(anna, bert), presses=(Press.REFRESH,), home_assistant=True), [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f'operators: [{{name: anna, key: "{A}"}}]', "banlistd.yaml:1: operators[0].may: is missing"),
        (f'operators: [{{name: Anna, key: "{A}", may: ban}}]', 'operators[0].name: "Anna" is no name of an operator'),
        (f'operators: [{{name: anna, key: "{A}", may: [reload]}}]', '"reload" is not an order'),
        ('operators: [{name: anna, key: "AAAA", may: ban}]', 'operators[0].key: "AAAA" is not a public key'),
        (
            f'operators: [{{name: anna, key: "{A}", may: ban}}, {{name: anna, key: "{B}", may: ban}}]',
            'operators[1].name: "anna" is already another operator',
        ),
        (
            f'operators: [{{name: anna, key: "{A}", may: ban}}, {{name: bert, key: "{A}", may: ban}}]',
            "operators[1].key: is already the key of another operator",
        ),
        ("operators: anna", "operators: is a single value and must be a list"),
        ("presses: [ban]", '"ban" is not what a button may ask for'),
    ],
)
def test_a_wrong_value_is_reported_at_its_place(text: str, problem: str) -> None:
    found, problems = read(text)
    assert found is None
    (one,) = problems
    assert problem in one


def test_base64_of_a_key_is_canonical() -> None:
    assert operator_key(A) == ANNA.public
    last = A[-2]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for text in (A[:-2] + letters[letters.index(last) + 1] + "=", A[:-1], A + "\n", A.replace("=", ""), "é", ""):
        with pytest.raises(Unfit):
            operator_key(text)


def small_order_points() -> set[bytes]:
    """Every encoding of a point P with 8 P = 0, without the bit of the sign, by the equations of the curve (RFC 8032 5.1)."""
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p
    root = pow(2, (p - 1) // 4, p)

    def doubled(x: int, y: int) -> tuple[int, int]:
        k = d * x * x * y * y % p
        return 2 * x * y * pow(1 + k, -1, p) % p, (y * y + x * x) * pow(1 - k, -1, p) % p

    def x_of(y: int) -> int | None:
        square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
        x = pow(square, (p + 3) // 8, p)
        return next((one for one in (x, x * root % p) if one * one % p == square), None)

    # Twice a point of order 8 has y = 0: y^2 = -x^2, so d y^4 + 2 y^2 - 1 = 0.
    halves = [
        one for one in (pow(1 + d, (p + 3) // 8, p), pow(1 + d, (p + 3) // 8, p) * root % p) if one * one % p == (1 + d) % p
    ]
    squares = [(sign * half - 1) * pow(d, -1, p) % p for half in halves for sign in (1, -1)]
    candidates = {0, 1, p - 1}
    for square in squares:
        y = pow(square, (p + 3) // 8, p)
        candidates |= {one * sign % p for one in (y, y * root % p) if one * one % p == square for sign in (1, -1)}
    found = set()
    for y in candidates:
        x = x_of(y)
        if x is not None and doubled(*doubled(*doubled(x, y))) == (0, 1):
            found |= {number.to_bytes(32, "little") for number in (y, y + p) if number < 2**255}
    return found


def test_a_key_that_everybody_can_sign_with_is_refused() -> None:
    points = small_order_points()
    assert len(points) == 7
    for point in points:
        for octets in (point, point[:-1] + bytes([point[-1] | 0x80])):
            with pytest.raises(Unfit, match="sign with"):
                operator_key(b64encode(octets).decode())
