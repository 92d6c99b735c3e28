"""What is killed while it is being done, and the start that follows a kill. Each is a run from its first call to its end."""

from contextlib import suppress

from banlistd.errors import BanlistdError
from system.daemon_process import Daemon
from system.kernel_view import View, look
from system.kill.nursery import Nursling
from system.kill.tracer import Watch
from system.kill.world import Ended, KillFixture, KillScenario, end_of, snapshot_of


def run_once(world: KillFixture, scene: KillScenario, watch: Watch | None = None) -> Ended:
    """`banlistd --once` in a scene."""
    world.show(scene)
    return world.once(watch)


def run_daemon(world: KillFixture, scene: KillScenario, watch: Watch | None = None) -> Ended:
    """A daemon from its start to its orderly end; meanwhile every list is polled, and questions are answered."""
    world.show(scene)
    daemon = world.place.begin(watch=watch)
    return see_through(world, scene, daemon, "service_started")


def refresh(world: KillFixture, old: KillScenario, new: KillScenario, watch: Watch) -> Ended:
    """A daemon that is told to poll its lists, which have changed; counted from there on."""
    daemon = settled(world, old, watch)
    world.show(new)
    arm(daemon)
    return see_through(world, new, daemon)


def reload(world: KillFixture, old: KillScenario, new: KillScenario, watch: Watch) -> Ended:
    """A daemon that is told to read its configuration, which has changed; counted from there on."""
    daemon = settled(world, old, watch)
    world.show(new)
    arm(daemon)
    daemon.reload()
    return see_through(world, new, daemon, "config_reloaded", "config_rejected")


def approve(world: KillFixture, old: KillScenario, new: KillScenario, watch: Watch) -> Ended:
    """A daemon that is told to take what a guard holds back; counted from there on."""
    daemon = settled(world, old, watch)
    world.show(new)
    arm(daemon)
    _approve_all(world)
    return see_through(world, new, daemon)


def approve_again(world: KillFixture, scene: KillScenario) -> Ended:
    """The start after that: what is still held back is approved once more."""
    world.show(scene)
    daemon = world.place.begin()
    daemon.wait_for("service_started")
    _approve_all(world)
    return see_through(world, scene, daemon)


def _approve_all(world: KillFixture) -> None:
    with suppress(BanlistdError):  # the kill
        for content in world.ask("GET", "quarantine"):
            world.ask("POST", "approve", sources=[content["id"]], hash=content["content_hash"])


def settled(world: KillFixture, scene: KillScenario, watch: Watch | None) -> Daemon:
    """A daemon that has started; its calls do not count yet."""
    world.show(scene)
    daemon = world.place.begin(watch=watch, armed=False)
    daemon.wait_for("service_started")
    return daemon


def arm(daemon: Daemon) -> None:
    """Count its calls from now on, if it is watched."""
    assert isinstance(daemon.process, Nursling)
    daemon.process.arm()


def see_through(world: KillFixture, scene: KillScenario, daemon: Daemon, *events: str) -> Ended:
    """Wait for one of the events, ask for a poll of all lists, ask what an operator asks, end. Any of it may meet a kill."""
    if events:
        daemon.find(*events)
    fault: Exception | None = None
    try:
        outcomes = world.ask("POST", "refresh")
        assert {outcome["outcome"] for outcome in outcomes} <= {"completed", "skipped"}, outcomes
        check_the_answers(world, scene)
    except (BanlistdError, AssertionError) as error:  # a source whose parser process was killed has failed
        fault = error
    daemon.process.terminate()
    ended = end_of(daemon)
    if fault and not ended.trail.killed:
        raise AssertionError(ended) from fault
    return ended


def check_the_answers(world: KillFixture, scene: KillScenario) -> View:
    """Nobody writes meanwhile: what banlistctl says is what stands."""
    view = look()
    assert snapshot_of(view) == world.state(scene, world.hashes(scene))
    assert view.contents == world.hashes(scene)
    status = world.ask("GET", "status")
    assert (status["sources"], status["enabled"], status["failing"]) == (len(scene.lists),) * 2 + (0,)
    assert {timer["id"] for timer in world.ask("GET", "timers") if timer["due_at"]} == scene.lists.keys()
    assert {source["id"]: source["entries"] > 0 for source in world.ask("GET", "sources")} == dict.fromkeys(scene.lists, True)
    newest = {run["source_id"]: run for run in reversed(world.ask("GET", "history"))}
    assert {name: newest[name]["state"] for name in scene.lists} == dict.fromkeys(scene.lists, "completed")
    for name, entries in scene.lists.items():
        first = entries[0].split("/")[0]
        answer = world.ask("GET", "check", address=first)
        assert answer["owner"] == view.owner_of(first), (name, answer)
        assert (name in {row["id"] for row in answer["partly"]}) is (name in scene.scopes), (name, answer)
    return view
