"""The files of a new content: whole, and as deltas from what nodes may have."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from banlistd.core.addresses.fleet_files.files import delta_file, whole_file, whole_list
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.fleet.publish_job import KnownContent, NewContent
from banlistd.core.fleet.roll_out.stops import SignedStop
from banlistd.errors import FleetError, ParseError

MOST_DELTAS = 16
_MOST_BYTES = 256 * 2**20
"""Of an old file of our own: more than any list may have (`max_bytes`)."""

_DIGITS = 16


def fleet_content(
    content_hash: str, addresses: AddressSet, known: Sequence[KnownContent], whole_file_of: Callable[[str], bytes]
) -> NewContent:
    """`known`: earlier contents, the newest first; one that cannot be read gets no delta. It blocks: some 50 ms for each.

    A delta larger than half of the whole file is left out.
    """
    whole = whole_file(addresses)
    files = {"full.blz": whole}
    for each in [known for known in known if known.content != content_hash][:MOST_DELTAS]:
        try:
            base = whole_list(whole_file_of(each.file), _MOST_BYTES)
        except (FleetError, ParseError):
            continue
        if base.content_hash() != each.content:
            continue
        delta = delta_file(base, addresses)
        if len(delta) * 2 <= len(whole):
            files[f"{each.content[:_DIGITS]}.bld"] = delta
    return NewContent(content_hash, len(addresses), files)


def earlier_content(
    content_hash: str, known: Sequence[KnownContent], whole_file_of: Callable[[str], bytes], stop: SignedStop
) -> NewContent:
    """A content that was published before, once more. It blocks, as above. Raises FleetError where it cannot be read."""
    hint = f"banlistctl fleet hold LIST --version {content_hash[:_DIGITS]} goes back further, release publishes what is newest"
    try:
        (file,) = (each.file for each in known if each.content == content_hash)
        addresses = whole_list(whole_file_of(file), _MOST_BYTES)
    except (ParseError, ValueError) as error:
        raise FleetError(f"version {content_hash[:_DIGITS]} cannot be published again: its file is damaged", hint) from error
    if addresses.content_hash() != content_hash:
        raise FleetError(f"version {content_hash[:_DIGITS]} cannot be published again: its file has other content", hint)
    return replace(fleet_content(content_hash, addresses, known, whole_file_of), stop=stop)
