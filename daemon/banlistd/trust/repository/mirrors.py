"""What the mirrors of a fleet show, so that a hub notices another one. Only what the keys of the fleet signed counts."""

import ssl
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Timestamp
from tuf.api.serialization import DeserializationError

_SECONDS = 5.0
_LARGEST = 16 * 1024
"""Bytes of a timestamp; TUF's own client takes as much."""

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class SeenTimestamp:
    """A timestamp that the fleet's keys signed. `place`: the mirror."""

    place: str
    version: int


def versions_seen(urls: Sequence[str], ca: Path | None, root: Metadata[Root]) -> list[SeenTimestamp]:
    """Of each mirror that answers within 5 s. A mirror that does not answer, or not truly, says nothing."""
    if not urls:
        return []
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    with ThreadPoolExecutor(min(len(urls), _AT_ONCE)) as threads:
        found = threads.map(partial(_timestamp, context, root), urls)
        return [seen for seen in found if seen is not None]


def _timestamp(context: ssl.SSLContext, root: Metadata[Root], url: str) -> SeenTimestamp | None:
    try:
        # The configuration takes https:// only, and http:// of this machine.
        with urllib.request.urlopen(f"{url}/metadata/timestamp.json", timeout=_SECONDS, context=context) as answer:  # noqa: S310
            content = answer.read(_LARGEST + 1)
        metadata = Metadata[Timestamp].from_bytes(content)
        root.signed.verify_delegate("timestamp", metadata.signed_bytes, metadata.signatures)
    except (OSError, HTTPException, ValueError, DeserializationError, RepositoryError):
        return None
    return SeenTimestamp(url, metadata.signed.version)
