"""Three lists of one address each, and configurations of them."""

import datetime as dt
from ipaddress import ip_address
from typing import Any

from banlistd.backends import BackendName
from banlistd.core.config.model import Config, Source
from banlistd.core.config.sections.allow import AllowEntry
from banlistd.errors import FetchError
from banlistd.model import SourceId

ONE, TWO, THREE = SourceId("one"), SourceId("two"), SourceId("three")
BODIES: dict[SourceId, bytes | FetchError] = {ONE: b"192.0.2.1\n", TWO: b"192.0.2.2\n", THREE: b"192.0.2.3\n"}


def source(source_id: SourceId, **keys: Any) -> Source:
    place = {} if keys.keys() & {"path", "merge", "intersect"} else {"url": f"https://lists.example/{source_id}"}
    return Source(**{"id": source_id, **place, **keys})


def config_of(*sources: Source, **keys: Any) -> Config:
    return Config(**{"backend": BackendName.MEMORY, "sources": sources, **keys})


def allow(address: str, until: dt.datetime | None = None) -> AllowEntry:
    return AllowEntry(first=ip_address(address), last=ip_address(address), until=until)


BOTH = config_of(source(ONE), source(TWO))
