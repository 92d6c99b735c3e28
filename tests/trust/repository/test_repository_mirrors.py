"""What a hub learns from mirrors that are not true, on real sockets."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from banlistd.trust.ceremony.keys import signer_of
from banlistd.trust.repository import mirrors
from banlistd.trust.repository.mirrors import SeenTimestamp, versions_seen
from support.mirror import mirror_of
from support.trickling import trickling

EXPIRES = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
FILE = "metadata/timestamp.json"


@pytest.fixture
def signer() -> Signer:
    return signer_of(os.urandom(32))


def root_of(signer: Signer) -> Metadata[Root]:
    root = Metadata(Root(expires=EXPIRES))
    root.signed.add_key(signer.public_key, "timestamp")
    return root


def signed_by(signer: Signer, signed: Any) -> bytes:
    metadata = Metadata(signed)
    metadata.sign(signer)
    return metadata.to_bytes()


def test_only_a_timestamp_counts_as_one(tmp_path: Path, signer: Signer) -> None:
    with mirror_of(tmp_path) as mirror:
        for signed, seen in (
            (Snapshot(777, expires=EXPIRES), []),
            (Targets(888, expires=EXPIRES), []),
            (Timestamp(9, expires=EXPIRES), [SeenTimestamp(mirror.url, 9)]),
        ):
            mirror.files[FILE] = signed_by(signer, signed)
            assert versions_seen([mirror.url], None, root_of(signer)) == seen


@pytest.mark.parametrize("at_once", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 15000\r\n\r\n"])
def test_a_mirror_that_trickles_hides_no_other_one(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch, at_once: bytes
) -> None:
    monkeypatch.setattr(mirrors, "_SECONDS", 0.3)
    with trickling(at_once) as slow, mirror_of(tmp_path) as mirror:
        mirror.files[FILE] = signed_by(signer, Timestamp(9, expires=EXPIRES))
        assert versions_seen([slow, mirror.url], None, root_of(signer)) == [SeenTimestamp(mirror.url, 9)]


def test_no_redirect_is_followed(tmp_path: Path, signer: Signer) -> None:
    with mirror_of(tmp_path) as mirror:
        mirror.files[FILE] = signed_by(signer, Timestamp(9, expires=EXPIRES))
        location = f"HTTP/1.1 302 Found\r\nLocation: {mirror.url}/{FILE}\r\nContent-Length: 0\r\n\r\n"
        with trickling(location.encode()) as other:
            assert versions_seen([other], None, root_of(signer)) == []
    assert not mirror.asked
