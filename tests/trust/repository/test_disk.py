"""A disk that is full, read-only or broken: nothing is published, the timestamp stays, and it goes on once there is room."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from banlistd.adapters.signatures.hub_repository import HubRepository
from banlistd.errors import FleetFileError
from banlistd.trust.repository.publishing import publish
from support.disk import Disk
from support.fleet import Hub, Node, Owners, new_content


def test_a_full_disk_leaves_the_old_lists_whole(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "owners", "hub-a")
    with Disk(tmp_path / "disk") as disk:
        hub = Hub(disk.place / "hub", owners, "hub-a")
        hub.install()
        hub.promote()
        publish(hub.job({"drop": new_content("one")}), datetime.now(UTC))
        node = Node(tmp_path / "node", owners)
        disk.fill()
        with pytest.raises(FleetFileError, match="No space left"):
            publish(hub.job({"drop": new_content("two" * 10_000)}), datetime.now(UTC))
        assert node.pull(hub.folder.public, "drop/full.blz") == b"one"
        disk.free()
        publish(hub.job({"drop": new_content("two")}), datetime.now(UTC))
        assert node.pull(hub.folder.public, "drop/full.blz") == b"two"
        disk.abort()
        with pytest.raises(FleetFileError):
            publish(hub.job({"drop": new_content("three")}), datetime.now(UTC))
        disk.break_down()
        with pytest.raises(FleetFileError, match="Input/output error"):
            publish(hub.job({"drop": new_content("three")}), datetime.now(UTC))
        repository = HubRepository(hub.folder.path, lambda: hub.key, (), None)
        assert asyncio.run(repository.stamp()) is not None
