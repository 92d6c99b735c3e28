"""A feed is poisoned: the guards of the hub refuse it, and what these let pass is judged by each node's own."""

from collections.abc import Sequence
from pathlib import Path

from support.feed_server import FeedServer
from support.mirror import mirror_of
from support.network_namespace import in_network_namespace
from system.daemon_process import Daemon, Installation, running
from system.fleet.publishing import HubMachine
from system.kernel_view import expected, standing

DROP, OTHER = [f"5.6.{number}.7" for number in range(100)], ["203.0.113.0/24"]

TOO_WIDE_FOR_A_HUB, TOO_WIDE_FOR_A_NODE = "32.0.0.0/7", "32.0.0.0/10"
ALLOWED = "198.51.100.7"


def node_of(hub: HubMachine, folder: Path, mirror: str) -> Installation:
    folder.mkdir()
    (folder / "root.json").write_bytes(hub.root)
    place = Installation(folder)
    place.configure("id: drop, hub: drop", "id: other, hub: other", allow=[ALLOWED])
    section = f"fleet: {{name: main, root: {folder}/root.json, urls: ['{mirror}']}}\n"
    place.file.write_text(place.file.read_text() + section)
    return place


def serve(server: FeedServer, name: str, entries: Sequence[str]) -> None:
    server.serve(f"/{name}", "\n".join([*entries, ""]).encode())


def held_back(place: Installation, daemon: Daemon, guard: str) -> None:
    """A refresh of all lists; that of `drop` is refused, and nothing else is."""
    since = len(daemon.events)
    place.ctl("refresh")
    assert daemon.wait_for("blocklist_import_refused", "drop", since=since)
    (held,) = place.ask("quarantine")
    assert (held["id"], held["guard"]) == ("drop", guard)


def approves(hub: HubMachine, publisher: Daemon) -> None:
    """Whoever runs the hub takes what its guards refuse."""
    since = len(publisher.events)
    hub.place.ctl("refresh", "drop")
    (held,) = hub.place.ask("quarantine")
    assert hub.place.ctl("approve", "drop", held["content_hash"]).returncode == 0
    publisher.published("drop", since=since)


@in_network_namespace
def test_a_poisoned_list_stops_at_the_guards_of_the_hub_and_what_they_let_pass_at_those_of_each_node(tmp_path: Path) -> None:
    with FeedServer() as server:
        serve(server, "drop", DROP)
        serve(server, "other", OTHER)
        sources = {name: f'url: "{server.url(f"/{name}")}"' for name in ("drop", "other")}
        hub = HubMachine(tmp_path / "hub", sources)
        with mirror_of(hub.public) as mirror, running(hub.place, "drop", "other", through=hub.through) as publisher:
            publisher.published("drop")
            client = hub.node(tmp_path / "client")
            careful = node_of(hub, tmp_path / "careful", mirror.url)
            with running(careful, "drop", "other") as daemon:
                clean = {"drop": DROP, "other": OTHER}
                assert standing() == expected(clean)
                # The hub refuses it, so that no node sees it.
                serve(server, "drop", [*DROP, TOO_WIDE_FOR_A_HUB])
                before = hub.taken_by(client, "drop")
                held_back(hub.place, publisher, "wide")
                careful.ctl("refresh")
                assert hub.taken_by(client, "drop") == before
                assert standing() == expected(clean)
                # The hub publishes it all the same. The node refuses it, and takes its other list.
                serve(server, "drop", [*DROP, TOO_WIDE_FOR_A_NODE])
                approves(hub, publisher)
                serve(server, "other", [*OTHER, "198.51.100.0/24"])
                hub.publishes(publisher, "other")
                held_back(careful, daemon, "wide")
                assert standing() == expected({"drop": DROP, "other": [*OTHER, "198.51.100.0/24"]}, [ALLOWED])
                # What a node allows is never banned there, whoever signs it; and the node takes the clean list again.
                serve(server, "drop", [*DROP, ALLOWED, "5.6.200.7"])
                approves(hub, publisher)
                assert careful.ctl("refresh").returncode == 0
                final = {"drop": [*DROP, ALLOWED, "5.6.200.7"], "other": [*OTHER, "198.51.100.0/24"]}
                assert standing() == expected(final, [ALLOWED])
                assert careful.ask("quarantine") == []
