"""A marker as a line of text that the kernel keeps as a comment and an administrator can read."""

import re

from banlistd.model import ContentHash, Mark, Marker, PolicyHash, SourceId

VERSION = 1

_LINE = re.compile(rf"v{VERSION} ([a-z0-9][a-z0-9-]{{0,39}}) sha256=([0-9a-f]{{64}}) ([0-9a-f]{{1,16}})")


def marker_text(marker: Marker) -> str:
    """At most 128 characters, the limit of nft for a comment. The text does not contain the mark."""
    return f"v{VERSION} {marker.source_id} sha256={marker.content_hash} {marker.policy_hash}"


def marker_of(mark: int, text: str) -> Marker | None:
    """The marker that `text` describes, or None if it describes none."""
    read = _LINE.fullmatch(text)
    if read is None:
        return None
    source_id, content_hash, policy_hash = read.groups()
    return Marker(Mark(mark), SourceId(source_id), ContentHash(content_hash), PolicyHash(policy_hash))
