"""Two real hubs that must both sign, over HTTP: what both have is published, and what only one of them has is not."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import RepositoryError

from banlistd.core.addresses.fleet_files.files import whole_file, whole_list
from banlistd.core.addresses.sets import AddressSet, to_text
from banlistd.core.fleet.publish_job import NewContent
from banlistd.model import Family
from banlistd.trust.repository.publishing import publish
from support.fleet import Hub, Node, Owners
from support.mirror import mirror_of
from system.daemon_process import PATIENCE, Daemon, Installation, running
from system.fleet.reporting import with_credentials
from system.test_fleet_trust import content
from trust.repository.test_two_hubs import ONE_OF_TWO, sign_and_publish

MOST = 1 << 20
OLD, NEW, POISON = "198.51.100.7", "198.51.100.8", "203.0.113.9"


@dataclass
class HubDaemon:
    place: Installation
    hub: Hub
    feed: Path

    def has(self, *addresses: str) -> None:
        self.feed.write_text("".join(f"{address}\n" for address in addresses))
        assert self.place.ctl("refresh", "drop").returncode == 0

    def running(self) -> Any:
        return running(self.place, through=with_credentials(self.place))

    def missing(self) -> list[dict[str, Any]]:
        return list(self.place.ask("fleet")["signatures"])


@dataclass
class TwoHubs:
    folder: Path
    owners: Owners
    a: HubDaemon
    b: HubDaemon

    def node(self, name: str = "node") -> Node:
        return Node(self.folder / name, self.owners)

    def has_published(self, addresses: AddressSet) -> None:
        """Both have signed this content before, without their daemons."""
        new = NewContent(addresses.content_hash(), len(addresses), {"full.blz": whole_file(addresses)})
        for lists in ({"drop": new}, {}, {}):
            job = replace(self.a.hub.job(lists, "drop"), cosigned=(self.b.hub.cosigned,) if not lists else ())
            publish(job, datetime.now(UTC).replace(microsecond=0))
            self.b.hub.cosign_content(self.a.hub, drop=addresses.content_hash())

    def listed(self, node: Node) -> list[str]:
        octets = node.pull(self.a.hub.folder.public, "drop/full.blz")
        return [to_text(Family.IPV4, host) for host in whole_list(octets, MOST).hosts4] if octets else []


@contextmanager
def two_hubs(folder: Path) -> Iterator[TwoHubs]:
    """Hub a is promoted; each has a feed of its own, and knows where the other one has its files."""
    owners = Owners(folder / "owners", "hub-a", "hub-b", hubs_sign=2)
    public = {name: folder / name / "state" / "fleet" / "public" for name in ("hub-a", "hub-b")}
    with mirror_of(public["hub-a"]) as mirror_a, mirror_of(public["hub-b"]) as mirror_b:
        hubs = []
        for name, other in (("hub-a", mirror_b), ("hub-b", mirror_a)):
            place = folder / name
            (place / "credentials").mkdir(parents=True)
            (place / "credentials" / "hub-key").write_bytes(owners.key(name).read_bytes())
            daemon = Installation(place)
            daemon.state.mkdir(exist_ok=True)
            feed = place / "list.txt"
            feed.write_text(f"{OLD}\n")
            daemon.configure(f"id: drop, path: {feed}")
            publish = f"lists: [drop], key: '${{credential:hub-key}}', every: 1s, cosigners: ['{other.url}']"
            lines = f"backend: memory\nfleet: {{name: main, publish: {{{publish}}}}}\n"
            daemon.file.write_text(daemon.file.read_text() + lines)
            hub = Hub(daemon.state / "fleet", owners, name)
            hub.install()
            hubs.append(HubDaemon(daemon, hub, feed))
        hubs[0].hub.promote()
        a, b = hubs
        yield TwoHubs(folder, owners, a, b)


def until(is_so: Callable[[], bool]) -> None:
    """Each question goes to a daemon, which answers in its time."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end


def published(daemon: Daemon, since: int = 0) -> None:
    while " drop (" not in (found := daemon.wait_for("fleet_published", since=since))["message"]:
        since = daemon.events.index(found) + 1


def test_what_both_hubs_have_is_published_and_what_only_one_has_is_not(tmp_path: Path) -> None:
    with two_hubs(tmp_path) as fleet, fleet.a.running() as first:
        node = fleet.node()
        # The other hub does not run yet: nothing is published, and both say what is missing.
        until(lambda: any(one["role"] == "drop" and one["ours"] for one in fleet.a.missing()))
        assert not (fleet.a.hub.folder.metadata / "timestamp.json").exists()
        with fleet.b.running() as second:
            published(first)
            assert fleet.listed(node) == [OLD]
            since = len(first.events)
            fleet.a.has(OLD, POISON)
            until(lambda: any(POISON in one["reason"] and not one["ours"] for one in fleet.b.missing()))
            until(lambda: any(POISON in one["reason"] and one["ours"] for one in fleet.a.missing()))
            assert fleet.listed(node) == [OLD]
            assert POISON in fleet.a.place.ctl("fleet").stdout
            assert "fleet: drop is not signed here for http" in fleet.b.place.ctl("status").stdout
            # What the other one has a moment later is signed, and its feed is read for that.
            fleet.b.feed.write_text(f"{OLD}\n{NEW}\n")
            fleet.a.has(OLD, NEW)
            published(first, since)
            assert fleet.listed(node) == [OLD, NEW]
            until(lambda: fleet.a.missing() == fleet.b.missing() == [])
            assert second.terminate() == 0
        # The other one is gone: what is published stays, and goes on being signed.
        fleet.a.has(OLD)
        until(lambda: any(one["role"] == "drop" for one in fleet.a.missing()))
        assert fleet.listed(fleet.node("new")) == [OLD, NEW]
        assert first.terminate() == 0


def test_a_thief_with_the_key_and_the_place_of_one_hub_publishes_nothing_until_he_has_both_keys(tmp_path: Path) -> None:
    with two_hubs(tmp_path) as fleet:
        node, mirror = fleet.node(), tmp_path / "thief"
        fleet.has_published(content(0xC6336407))
        assert fleet.listed(node) == [OLD]
        # The thief has all of hub a, and asks the other one as it did.
        fleet.a.feed.write_text(f"{OLD}\n{POISON}\n")
        with fleet.a.running(), fleet.b.running():
            until(lambda: any(POISON in one["reason"] for one in fleet.b.missing()))
            assert fleet.listed(node) == [OLD]
        sign_and_publish(fleet.a.hub.folder.public, mirror, POISON.encode(), [fleet.owners.key("hub-a")])
        with pytest.raises(RepositoryError, match=ONE_OF_TWO):
            node.pull(mirror, "drop/full.blz")
        keys = [fleet.owners.key("hub-a"), fleet.owners.key("hub-b")]
        sign_and_publish(fleet.a.hub.folder.public, mirror, POISON.encode(), keys)
        assert node.pull(mirror, "drop/full.blz") == POISON.encode()
