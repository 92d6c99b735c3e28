"""Who may give orders over MQTT: operators with their public keys, and the buttons that work without one."""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from banlistd.core.config import kinds
from banlistd.core.config.keys import Key, Section, ValueKind, keys_of, list_at, read_section
from banlistd.core.config.kinds import scalar
from banlistd.core.config.problems import Spot
from banlistd.core.config.values import Unfit, source_id
from banlistd.core.printing import shown


class Verb(StrEnum):
    """What a signed order may ask for; each is a command of banlistctl."""

    REFRESH = "refresh"
    BAN = "ban"
    UNBAN = "unban"
    APPROVE = "approve"
    FLEET_HOLD = "fleet-hold"
    FLEET_RELEASE = "fleet-release"


class Press(StrEnum):
    """What a button may ask for: nothing that needs a signature."""

    REFRESH = "refresh"


_KEY_OCTETS = 32
_KEY_HINT = "banlistctl operator-key FILE makes a key and prints its public half"

_SMALL_ORDER = frozenset(
    int(text, 16).to_bytes(_KEY_OCTETS, "big")
    for text in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)
"""The points of the curve whose order divides 8, in every encoding, without the bit of the sign: with such a key, anybody can
make a signature that verifies (RFC 8032 5.1.7 does not ask for more)."""


def operator_key(text: str) -> bytes:
    """The 32 octets of a public key, of their base64."""
    try:
        octets = b64decode(text, validate=True)
    except ValueError:
        octets = b""
    if len(octets) != _KEY_OCTETS or b64encode(octets) != text.encode("utf-8", "replace"):
        raise Unfit(f"{shown(text)} is not a public key", _KEY_HINT)
    if octets[:-1] + bytes([octets[-1] & 0x7F]) in _SMALL_ORDER:
        raise Unfit(f"{shown(text)} is a key that anybody can sign with", _KEY_HINT)
    return octets


def operator_name(text: str) -> str:
    """As the id of a source is written."""
    try:
        return source_id(text)
    except Unfit as verdict:
        raise Unfit(f"{shown(text)} is no name of an operator", verdict.hint) from verdict


_NAME = scalar(
    operator_name,
    {**kinds.TEXT, "pattern": "^[a-z0-9][a-z0-9-]{0,39}$"},
    "a-z, 0-9 and hyphens, at most 40",
    examples=("anna",),
)
_KEY = scalar(
    operator_key,
    {**kinds.TEXT, "pattern": "^[A-Za-z0-9+/]{43}=$"},
    "base64 of 32 octets",
    show=lambda _: "",
    examples=("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",),
)
_MAY = kinds.many(kinds.chosen(Verb, "an order"), ", ".join(f"`{verb}`" for verb in Verb))


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOperator(Section):
    """A person or program whose signed orders are carried out."""

    title = "an operator"
    intro = "Orders that are signed with the private half of `key` are carried out as far as `may` goes, and no others."

    name: Annotated[str, Key(_NAME, "The name in events, and in the origin of bans: `mqtt/NAME`.")]
    key: Annotated[bytes, Key(_KEY, "The public key of Ed25519, as `banlistctl operator-key` prints it.")]
    may: Annotated[tuple[Verb, ...], Key(_MAY, "The commands that this key may sign.")]


def _read_operators(tree: object, spot: Spot) -> tuple[KnownOperator, ...] | None:
    before = len(spot.problems)
    read = [
        (read_section(KnownOperator, item, spot.at(place)), spot.at(place)) for place, item in enumerate(list_at(tree, spot))
    ]
    names: set[str] = set()
    keys: set[bytes] = set()
    for operator, place in read:
        if operator is None:
            continue
        if operator.name in names:
            place.at("name").wrong(f"{shown(operator.name)} is already another operator", "give one of them another name")
        if operator.key in keys:
            place.at("key").wrong("is already the key of another operator", "each operator has a key of its own")
        names.add(operator.name)
        keys.add(operator.key)
    return None if len(spot.problems) > before else tuple(operator for operator, _ in read if operator)


OPERATORS = ValueKind(
    _read_operators,
    {"anyOf": [{"type": "array", "items": kinds.section_schema(KnownOperator)}, {"type": "null"}]},
    "a list of operators",
    "operators",
    parts=tuple(key.kind for key in keys_of(KnownOperator).values()),
    show=lambda _: "",
    section=KnownOperator,
    examples=([{"name": "anna", "key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "may": ["refresh"]}],),
)
_PRESSES = kinds.many(kinds.chosen(Press, "what a button may ask for"), "`refresh`")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKeys(Section):
    """The keys below `mqtt:` that say what may be ordered over it."""

    title = "orders over mqtt"
    intro = "Without `operators` and `presses`, nothing can be ordered over MQTT."

    operators: Annotated[
        tuple[KnownOperator, ...],
        Key(OPERATORS, "Whose signed orders are carried out: each operator has a name, a public key, and what it may order."),
    ] = ()
    presses: Annotated[
        tuple[Press, ...],
        Key(
            _PRESSES,
            "What a button of Home Assistant may ask for. It has no signature: all who may publish to the topic can press it. "
            "It is carried out at most once in a minute.",
        ),
    ] = ()
    home_assistant: Annotated[
        bool,
        Key(
            kinds.SWITCH,
            "Whether the daemon describes itself to Home Assistant as one device, in the topic "
            "`homeassistant/device/banlistd-ID/config`.",
        ),
    ] = False
