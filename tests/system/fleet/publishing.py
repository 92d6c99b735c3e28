"""A hub that publishes lists, as a real daemon: its keys, its folder, and what a new node takes of it."""

from collections.abc import Mapping
from pathlib import Path

from banlistd.core.addresses.fleet_files.files import whole_list
from banlistd.core.addresses.sets import AddressSet
from support.fleet import Hub, Node, Owners
from system.daemon_process import Daemon, Installation
from system.fleet.reporting import with_credentials

_MOST = 1 << 24


class HubMachine:
    """`folder` is new. `sources`: the inside of each source, by its id; all are published. `state`: where another disk is."""

    def __init__(self, folder: Path, sources: Mapping[str, str], state: Path | None = None) -> None:
        self.owners = Owners(folder / "owners", "hub-a")
        credentials = folder / "credentials"
        credentials.mkdir()
        (credentials / "hub-key").write_bytes(self.owners.key("hub-a").read_bytes())
        self.place = Installation(folder)
        self.place.state = state or self.place.state
        self.place.configure(*(f"id: {name}, {words}" for name, words in sources.items()))
        publish = f"publish: {{lists: [{', '.join(sources)}], key: '${{credential:hub-key}}', every: 1s}}"
        lines = ("backend: memory", f"fleet: {{name: main, {publish}}}", "")
        self.place.file.write_text(self.place.file.read_text() + "\n".join(lines))
        self.hub = Hub(self.place.state / "fleet", self.owners, "hub-a")
        self.hub.install()
        self.hub.promote()
        self.through = with_credentials(self.place)

    @property
    def root(self) -> bytes:
        return (self.owners.folder.path / "1.root.json").read_bytes()

    @property
    def public(self) -> Path:
        return self.hub.folder.public

    @property
    def timestamp(self) -> bytes:
        return (self.hub.folder.metadata / "timestamp.json").read_bytes()

    def node(self, folder: Path) -> Node:
        """Remembers what it has seen, so it refuses to go back."""
        return Node(folder, self.owners)

    def taken_by(self, node: Node, name: str) -> AddressSet:
        return whole_list(node.pull(self.public, f"{name}/full.blz") or b"", _MOST)

    def publishes(self, daemon: Daemon, source_id: str) -> None:
        """Import a list that has changed, and publish it."""
        since = len(daemon.events)
        assert self.place.ctl("refresh", source_id).returncode == 0
        daemon.wait_for("blocklist_import_completed", source_id, since=since)
        daemon.published(source_id, since=since)

    def wakes(self) -> None:
        """What failed is tried again soon, and not after its pause: the lease looks as if it were new."""
        (self.hub.folder.path / "lease.json").touch()
