"""The real daemon takes lists of a fleet: what is proven is banned, and no lie of a mirror changes a ban."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from banlistd.core.addresses.fleet_files.files import delta_file, whole_file
from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.fleet.publish_job import NewContent
from banlistd.model import Family
from support.certificates import self_signed
from support.fleet import Hub, Owners
from support.fleet_repository import Repository
from support.mirror import ENDLESS, Mirror, mirror_of
from support.network_namespace import in_network_namespace
from system.daemon_process import Daemon, Installation, running
from system.kernel_view import look

OLD, NEW = 0x05060708, 0x0506070A


def content(*hosts: int) -> AddressSet:
    return AddressSet.of(from_numbers(Family.IPV4, hosts))


@dataclass
class Fleet:
    place: Installation
    mirrors: list[Mirror]

    def banned(self) -> list[int]:
        return [first for first, _, _ in look().ranges[4]]

    def refresh(self) -> list[int]:
        self.place.ctl("refresh", "drop")
        return self.banned()

    def reason(self) -> str:
        """Why the newest poll failed."""
        return str(self.place.runs("failed")[-1]["error"])


@contextmanager
def fleet_of(
    folder: Path, public: Path, root: bytes, mirrors: int = 1, more: str = "", *, encrypted: bool = True
) -> Iterator[Fleet]:
    """`encrypted`: over TLS. Where the clock is wrong, no certificate is valid, and no signature is looked at."""
    certificate = self_signed(folder, "mirror") if encrypted else None
    place = Installation(folder)
    (folder / "root.json").write_bytes(root)
    with mirror_of(public, certificate) as first, mirror_of(public, certificate) as second:
        running_mirrors = [first, second][:mirrors]
        urls = ", ".join(f'"{mirror.url}"' for mirror in running_mirrors)
        place.configure("id: drop, hub: drop, every: 1h")
        authority = f", ca: {certificate}" if certificate else ""
        section = f"fleet: {{name: main, root: {folder}/root.json, urls: [{urls}]{authority}{more}}}\n"
        place.file.write_text(place.file.read_text() + section)
        yield Fleet(place, running_mirrors)


@in_network_namespace
def test_lies_of_a_mirror_change_no_ban_and_are_named(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    old = (repository.folder / "metadata/timestamp.json").read_bytes()
    with fleet_of(tmp_path, repository.folder, repository.first_root) as fleet:
        (mirror,) = fleet.mirrors
        with running(fleet.place, "drop") as daemon:
            assert fleet.banned() == [OLD]
            repository.publish({"drop": content(OLD, NEW)})
            assert fleet.refresh() == [OLD, NEW]
            for lie, reason in ((old, "version"), (ENDLESS, "hub:"), (b"{}", "hub:")):
                mirror.files["metadata/timestamp.json"] = lie
                assert fleet.refresh() == [OLD, NEW]
                assert reason in fleet.reason()
            daemon.wait_for("hub_refused")
        # What was seen is not gone back to by the next process.
        mirror.files["metadata/timestamp.json"] = old
        with running(fleet.place):
            assert fleet.refresh() == [OLD, NEW]
            assert "version" in fleet.reason()
            answer = fleet.place.ask("fleet")
            assert answer["mirrors"][0]["fault"] == "refused"
            assert answer["timestamp_version"] == repository.timestamp.signed.version
            mirror.files.clear()
            assert fleet.refresh() == [OLD, NEW]
            assert fleet.place.ask("fleet")["mirrors"][0]["fault"] == ""


def kill_at(daemon: Daemon, end: str, path: str) -> None:
    if path.endswith(end):
        daemon.process.kill()


@in_network_namespace
def test_a_kill_at_any_request_of_a_pull_leaves_the_old_bans_and_the_next_start_takes_the_new_ones(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    with fleet_of(tmp_path, repository.folder, repository.first_root) as fleet:
        (mirror,) = fleet.mirrors
        with running(fleet.place, "drop"):
            assert fleet.banned() == [OLD]
        banned = [OLD]
        for number, request in enumerate(("root.json", "timestamp.json", "snapshot.json", "drop.json", ".bld"), NEW):
            repository.publish({"drop": content(OLD, number)})
            with running(fleet.place) as daemon:
                mirror.on_request = partial(kill_at, daemon, request)
                fleet.place.ctl("refresh", "drop")
                daemon.process.wait(60)
                assert fleet.banned() == banned
            mirror.on_request = lambda _: None
            with running(fleet.place):
                assert fleet.refresh() == (banned := [OLD, number])


@in_network_namespace
def test_where_two_hubs_must_sign_a_stolen_key_alone_changes_nothing(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository", threshold=2)
    repository.publish({"drop": content(OLD)}, "ab")
    with fleet_of(tmp_path, repository.folder, repository.first_root) as fleet, running(fleet.place, "drop") as daemon:
        assert fleet.banned() == [OLD]
        repository.publish({"drop": content(NEW)}, "b")
        assert fleet.refresh() == [OLD]
        assert "signed by 1/2 keys" in daemon.wait_for("hub_refused")["reason"]
        repository.publish({"drop": content(OLD, NEW)}, "ab")
        assert fleet.refresh() == [OLD, NEW]


@in_network_namespace
def test_a_guard_refuses_what_a_stolen_key_signs(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    with fleet_of(tmp_path, repository.folder, repository.first_root) as fleet, running(fleet.place, "drop"):
        wide = AddressSet.of(*(from_numbers(Family.IPV4, [end]) for end in (0x05000000, 0x05FFFFFF)))
        repository.publish({"drop": wide}, hub="b")
        assert fleet.refresh() == [OLD]
        (held,) = fleet.place.ask("quarantine")
        assert held["guard"] == "wide"
        assert "wider than a /12" in held["reason"]


@in_network_namespace
def test_a_version_is_held_in_quarantine_until_it_is_approved(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    held_for_an_hour = fleet_of(tmp_path, repository.folder, repository.first_root, more=", hold: 1h")
    with held_for_an_hour as fleet, running(fleet.place, "drop"):
        repository.publish({"drop": content(OLD, NEW)})
        assert fleet.refresh() == [OLD]
        (held,) = fleet.place.ask("quarantine")
        assert held["guard"] == "hold"
        assert fleet.place.ctl("approve", "drop", held["content_hash"]).returncode == 0
        assert fleet.refresh() == [OLD, NEW]
        assert fleet.place.ask("quarantine") == []


@in_network_namespace
def test_what_a_real_hub_publishes_is_banned_also_after_its_key_was_revoked(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "owners", "hub-a", "hub-b")
    hub, other = (Hub(tmp_path / name, owners, name) for name in ("hub-a", "hub-b"))
    first, second = content(OLD), content(OLD, NEW)
    hub.install()
    hub.promote()
    hub.publish({"drop": new(first)}, "drop")
    root = (owners.folder.path / "1.root.json").read_bytes()
    with fleet_of(tmp_path, hub.folder.public, root) as fleet, running(fleet.place, "drop") as daemon:
        assert fleet.banned() == [OLD]
        hub.publish({"drop": new(second, first)}, "drop")
        assert fleet.refresh() == [OLD, NEW]
        assert [path for path in fleet.mirrors[0].asked if path.endswith(".bld")]
        other.install()
        other.promote(hub.folder.public)
        owners.revoke("hub-a")
        owners.sign("anna", "ben", "targets")
        other.install()
        other.publish({"drop": new(first)}, "drop")
        fleet.mirrors[0].folder = other.folder.public
        assert fleet.refresh() == [OLD]
        daemon.wait_for("hub_root_changed")


def new(addresses: AddressSet, *bases: AddressSet) -> NewContent:
    deltas = {f"{base.content_hash()[:16]}.bld": delta_file(base, addresses) for base in bases}
    return NewContent(addresses.content_hash(), len(addresses), {"full.blz": whole_file(addresses), **deltas})
