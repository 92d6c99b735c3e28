"""banlistctl order: sign an order for a host, and print it as a message for its broker."""

import argparse
import os
import time
from collections.abc import Mapping

from banlistd.control.declaration import Argument, LocalCommand
from banlistd.errors import UsageError

_VERBS = ("refresh", "ban", "unban", "approve", "fleet-hold", "fleet-release")
_LIFE = 60
"""Seconds that an order is valid, as long as a broker keeps it (its message expiry)."""

_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "refresh": ("now",),
    "ban": ("for", "comment", "origin", "confirm", "prefix6"),
    "unban": ("origin", "prefix6"),
    "approve": ("hash", "force"),
    "fleet-hold": ("version", "keep", "reason"),
    "fleet-release": ("version",),
}
"""Of each verb, the fields beside what it is about."""


def _run(arguments: argparse.Namespace) -> int:
    from banlistd.adapters.signatures.ed25519 import public_key_of, signature_of  # noqa: PLC0415 - ctypes: others need none
    from banlistd.core.config.service.orders import KnownOperator, Verb  # noqa: PLC0415 - dataclasses: others need none
    from banlistd.core.mqtt.orders.envelope import ORDER_TYPE, Envelope, envelope_text, signed_octets  # noqa: PLC0415
    from banlistd.core.mqtt.orders.keys import key_id  # noqa: PLC0415
    from banlistd.core.mqtt.orders.order import Recipient, SignedOrder, order_payload  # noqa: PLC0415
    from banlistd.ctl.ordering.key_files import read_key  # noqa: PLC0415

    fields = _fields(arguments)
    seed = read_key(arguments.key)
    public, verb = public_key_of(seed), Verb(arguments.verb)
    now = int(time.time())
    order = SignedOrder(
        KnownOperator(name="signer", key=public, may=(verb,)), verb, fields, os.urandom(16).hex(), now, now + arguments.valid
    )
    payload = order_payload(Recipient(arguments.node, (), arguments.fleet), order)
    signature = signature_of(seed, signed_octets(ORDER_TYPE, payload))
    print(envelope_text(Envelope(ORDER_TYPE, payload, key_id(public), signature)))
    return 0


def _fields(arguments: argparse.Namespace) -> Mapping[str, object]:
    """Those of the request, as the control socket takes them. Raises UsageError for options of another verb."""
    verb, subject = arguments.verb, arguments.subject
    every = dict.fromkeys(option for options in _OPTIONS.values() for option in options)
    given = {option: value for option in every if (value := getattr(arguments, option)) is not None}
    for option in given:
        if option not in _OPTIONS[verb]:
            takes = f"--{', --'.join(_OPTIONS[verb])}" if _OPTIONS[verb] else "no option"
            raise UsageError(f"--{option} does not go with {verb}", f"{verb} takes: {takes}")
    if verb in ("fleet-hold", "fleet-release"):
        if len(subject) != 1:
            raise UsageError(f"{verb} needs one list", f"banlistctl order --key FILE HUB {verb} LIST --fleet NAME")
        if verb == "fleet-release" and "version" in given:
            if len(given["version"]) != 1:
                raise UsageError("fleet-release publishes one version", "name the newest that the hub has")
            given["version"] = given["version"][0]
        return {"list": subject[0], **given}
    if verb in ("refresh", "approve"):
        if verb == "approve" and (len(subject) != 1 or "hash" not in given):
            raise UsageError("approve needs one source and --hash", "banlistctl quarantine ID prints the content hash")
        return {"sources": subject, **given}
    if not subject and not (verb == "unban" and "origin" in given):
        raise UsageError("no address is given", f"banlistctl order --key FILE NODE {verb} ADDRESS")
    return {**({"address": subject[0] if len(subject) == 1 else subject} if subject else {}), **given}


def _valid(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= 300:  # noqa: PLR2004 - LONGEST_LIFE of an order
        raise argparse.ArgumentTypeError("expected a number from 1 to 300")
    return int(text)


ORDER = LocalCommand(
    name="order",
    help="sign an order for a host, and print it as a message for its broker",
    run=_run,
    arguments=(
        Argument("node", "NODE", "the `id` of the host, as its `mqtt:` has it"),
        Argument("verb", "VERB", "what to do", choices=_VERBS),
        Argument(
            "subject",
            "WHAT",
            "addresses of ban and unban; sources of refresh and approve; the list of fleet-hold and fleet-release",
            nargs="*",
        ),
        Argument("--key", "FILE", "the private key, as operator-key made it", required=True),
        Argument("--fleet", "NAME", "the fleet of the host; default: home", default="home"),
        Argument(
            "--valid",
            "SECONDS",
            f"how long the order may take to arrive, 1 to 300; default: {_LIFE}",
            kind=_valid,
            default=_LIFE,
        ),
        Argument("--for", "TIME", "of ban: how long; default: permanently"),
        Argument("--comment", "TEXT", "of ban: why, for people"),
        Argument(
            "--origin", "NAME", "of ban: in whose name; default: mqtt/ and the operator's name; of unban: of this origin only"
        ),
        Argument("--confirm", "TIME", "of ban: lift it unless it is confirmed within 10s to 1h"),
        Argument("--prefix6", "LENGTH", "of ban and unban: a single IPv6 address means its network of this length"),
        Argument("--hash", "HASH", "of approve: the first digits of the content hash, at least 8"),
        Argument("--force", "", "of approve: accept also what is no list at all", is_flag=True),
        Argument(
            "--version",
            "HASH",
            "of fleet-hold: withdraw these versions, not the newest; of fleet-release: publish it although it is in question",
            nargs="+",
        ),
        Argument("--keep", "", "of fleet-hold: withdraw nothing", is_flag=True),
        Argument("--reason", "TEXT", "of fleet-hold: why, for those who ask later"),
        Argument("--now", "", "of refresh: ask also publishers that allow no request yet", is_flag=True),
    ),
    details="The order is one line of JSON: a DSSE envelope, signed with Ed25519. Publish it to"
    " `banlistd/v1/FLEET/order/NODE`, not retained, for example with `mosquitto_pub -l -q 1 -V 5`; the host answers in"
    " `banlistd/v1/FLEET/node/NODE/answer`. It carries the order out once, within its time, if the key is under its"
    " `operators` and may order that. No daemon is asked, and the key stays on this machine.",
    exits={74: "the file of the key could not be read or written"},
)
