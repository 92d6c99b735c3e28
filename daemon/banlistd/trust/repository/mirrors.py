"""What the mirrors of a fleet show, so that a hub notices another one. Only what the keys of the fleet signed counts."""

import ssl
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Timestamp
from tuf.api.serialization import DeserializationError

from banlistd.trust.alarm import LateError, alarm

_SECONDS = 5.0
_LARGEST = 16 * 1024
"""Bytes of a timestamp; TUF's own client takes as much."""

_SECONDS_OF_ALL = 60.0
"""Half of what a publication may take."""


@dataclass(frozen=True, slots=True)
class SeenTimestamp:
    """A timestamp that the fleet's keys signed. `place`: the mirror."""

    place: str
    version: int


def versions_seen(urls: Sequence[str], ca: Path | None, root: Metadata[Root]) -> list[SeenTimestamp]:
    """Of each mirror that answers within 5 s, or its part of a minute. One that does not answer, or not truly, says nothing."""
    if not urls:
        return []
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect)
    seconds = min(_SECONDS, _SECONDS_OF_ALL / len(urls))
    return [seen for url in urls if (seen := _timestamp(opener, root, url, seconds)) is not None]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """None: the redirect is the answer, and an error."""


def _timestamp(opener: urllib.request.OpenerDirector, root: Metadata[Root], url: str, seconds: float) -> SeenTimestamp | None:
    try:
        # The configuration takes https:// only, and http:// of this machine.
        with alarm(time.monotonic() + seconds), opener.open(f"{url}/metadata/timestamp.json", timeout=seconds) as answer:
            content = answer.read(_LARGEST + 1)
        metadata: Metadata[Any] = Metadata.from_bytes(content)
        if not isinstance(metadata.signed, Timestamp):
            return None  # a snapshot is signed by the same key
        root.signed.verify_delegate("timestamp", metadata.signed_bytes, metadata.signatures)
    except (OSError, HTTPException, ValueError, DeserializationError, RepositoryError, LateError):
        return None
    return SeenTimestamp(url, metadata.signed.version)
