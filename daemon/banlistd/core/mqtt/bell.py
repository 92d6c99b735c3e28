"""The bell of a fleet: its newest timestamp over MQTT, which says that there is something to fetch, and proves nothing."""

from banlistd.core.mqtt.orders.strict_json import NotStrictError, strict_object

BELL_EXPIRES = 25 * 3600
"""Seconds: a timestamp is in force for a day."""

LARGEST_BELL = 16_384
"""Octets, as python-tuf takes of a timestamp."""


def rung_version(payload: bytes) -> int | None:
    """The version of the timestamp; None for anything else. Nothing else of it is looked at."""
    if len(payload) > LARGEST_BELL:
        return None
    try:
        signed = strict_object(payload).get("signed")
    except NotStrictError:
        return None
    version = signed.get("version") if isinstance(signed, dict) else None
    return version if isinstance(version, int) and not isinstance(version, bool) and version > 0 else None
