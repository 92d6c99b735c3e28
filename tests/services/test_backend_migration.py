"""From one backend to another: nothing stands in two, and what cannot be emptied now is emptied later."""

import asyncio
from pathlib import Path

import pytest

from banlistd import teardown
from banlistd.adapters.storage.backends_in_use import BackendsInUse
from banlistd.adapters.storage.database import open_database
from banlistd.backends import BackendName
from banlistd.errors import FirewallError
from banlistd.events import EventName
from banlistd.paths import Paths
from banlistd.services.backend_migration import BackendMigration
from banlistd.teardown import tear_down
from support.fakes import FakeAnnouncer, FakeFirewall
from support.network_namespace import in_network_namespace


class Emptied(FakeFirewall):
    """Writes down what was asked of it; it can be locked."""

    def __init__(self) -> None:
        super().__init__()
        self.emptied = 0
        self.locked = False

    async def teardown(self) -> None:
        if self.locked:
            raise FirewallError("somebody else owns the table")
        self.emptied += 1


def start(disk: Path, current: str, firewalls: dict[str, Emptied]) -> list[EventName]:
    """A start on this backend; what was announced."""
    announcer = FakeAnnouncer()

    async def run() -> None:
        async with open_database(disk / "db") as database:
            makers = {name: lambda name=name: firewalls[name] for name in firewalls}
            moving = BackendMigration(BackendsInUse(database), current, makers, announcer)
            await moving.begin()
            await moving.finish()

    asyncio.run(run())
    return announcer.names()


def test_the_backend_before_is_emptied_once_and_the_present_one_never(tmp_path: Path) -> None:
    firewalls = {"old": Emptied(), "new": Emptied()}
    assert start(tmp_path, "old", firewalls) == []
    assert start(tmp_path, "new", firewalls) == [EventName.BACKEND_LEFT]
    assert start(tmp_path, "new", firewalls) == []
    assert (firewalls["old"].emptied, firewalls["new"].emptied) == (1, 0)


def test_failed_teardown_is_reported_and_tried_again_at_the_next_start(tmp_path: Path) -> None:
    firewalls = {"old": Emptied(), "new": Emptied()}
    start(tmp_path, "old", firewalls)
    firewalls["old"].locked = True
    assert start(tmp_path, "new", firewalls) == [EventName.SERVICE_FAULT]
    firewalls["old"].locked = False
    assert start(tmp_path, "new", firewalls) == [EventName.BACKEND_LEFT]


def test_a_backend_that_this_program_does_not_know_is_left_alone(tmp_path: Path) -> None:
    start(tmp_path, "unheard-of", {})
    assert start(tmp_path, "new", {"new": Emptied()}) == []


@in_network_namespace
def test_a_teardown_tries_every_backend_and_then_says_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Paths(config=tmp_path, state=tmp_path, runtime=tmp_path, credentials=None)
    (tmp_path / "banlistd.yaml").write_text("backend: ipset\nsources: []\n")
    locked, other = Emptied(), Emptied()
    locked.locked = True
    firewalls = {BackendName.NFTABLES: locked, BackendName.IPSET: other}
    monkeypatch.setattr(teardown, "open_backend", lambda name, _: firewalls[name])

    async def run() -> None:
        async with open_database(places.database) as database:
            await BackendsInUse(database).enter("nftables")
        await tear_down(places)

    with pytest.raises(FirewallError, match="somebody else owns the table"):
        asyncio.run(run())
    assert other.emptied == 1
