"""What is sent to a service in the form of ip-api.com's batch, and what its answer means. Pure.

A POST of a JSON array of addresses, 100 at most; the answer is an array of objects in their order. `X-Rl` is how many requests
are left, `X-Ttl` in how many seconds the count begins anew (ip-api.com/docs/api:batch).
"""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

from banlistd.core.addresses.sets import from_numbers, to_text
from banlistd.core.geo.records import origin_of
from banlistd.core.geo.types import Located, Origin
from banlistd.model import Family

BATCH_LIMIT = 100
"""Addresses in a request."""

PER_MINUTE = 15
"""Requests; who sends more is answered 429, and who goes on is shut out."""

PAUSE = 60 / PER_MINUTE

MAX_PAUSE = 120.0
"""Seconds; a server that says to wait for longer is not believed."""

# Nothing else is asked for: the less is sent back, the less is there to mistrust.
_FIELDS = "status,country,countryCode,as"


def batch_url(url: str) -> str:
    """The address of the service, with the fields that we want, unless it names some itself."""
    parts = urlsplit(url)
    if "fields=" in parts.query:
        return url
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, f"fields={_FIELDS}")))))


def body_of(family: Family, addresses: Sequence[int]) -> bytes:
    return json.dumps([to_text(family, address) for address in from_numbers(family, addresses)]).encode()


def located_of(body: bytes, family: Family, addresses: Sequence[int]) -> Sequence[Located]:
    """What the answer says of each address; it is valid for that address alone. Raises ValueError."""
    try:
        records = json.loads(body)
    except RecursionError as exc:
        raise ValueError("it nests too deep") from exc
    if not isinstance(records, list) or len(records) != len(addresses):
        raise ValueError("it is no list of as many answers as were asked for")
    return [Located(family, address, address, _origin(one)) for one, address in zip(records, addresses, strict=True)]


def _origin(record: object) -> Origin:
    succeeded = isinstance(record, Mapping) and record.get("status") == "success"
    return origin_of(record) if succeeded else Origin()


def pause_after(headers: Mapping[str, str]) -> float:
    """Seconds before the next request: none may be sent while none is left."""
    left, until = _number(headers.get("X-Rl", "")), _number(headers.get("X-Ttl", ""))
    return min(until + 1.0, MAX_PAUSE) if left == 0 and until is not None else 0.0


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else None  # noqa: PLR2004 - days of seconds
