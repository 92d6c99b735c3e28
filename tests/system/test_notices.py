"""banlistd and banlistd-notify, with a webhook on loopback: nothing is lost when one of them is killed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.network_namespace import in_network_namespace
from support.notice_receivers import PATIENCE, Webhook, serving
from system.daemon_process import Daemon, Installation, running

pytestmark = pytest.mark.skipif(find_spec("apprise") is None, reason="Apprise is not installed")


class Notices:
    """The folders of banlistd-notify beside those of a daemon."""

    def __init__(self, place: Installation, hook: Webhook, *lines: str) -> None:
        self.place = place
        self.state = place.config.parent / "notify-state"
        self.state.mkdir()
        folder = place.config / "notify-credentials"
        folder.mkdir()
        (folder / "hook").write_text(hook.url)
        place.configure()
        with place.file.open("a") as file:
            file.write("\n".join(["notify:", '  urls: "${credential:hook}"', *(f"  {line}" for line in lines), ""]))

    def command(self, *words: str) -> list[str]:
        places = ["--config", str(self.place.config), "--runtime", str(self.place.runtime), "--state", str(self.state)]
        return [sys.executable, "-m", "banlistd.notifying", *places, *words]

    @contextmanager
    def service(self) -> Iterator[Daemon]:
        """It runs, and has found its place in the events."""
        process = subprocess.Popen(self.command(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        with Daemon(process) as service:
            yield service


@in_network_namespace
def test_each_event_is_delivered_once_over_kills_of_both(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with serving(Webhook()) as hook:
        notices = Notices(place, hook, "events: [manual_ban_added, service_stopped]", "cool_down: off")
        with running(place) as daemon:
            with notices.service() as service:
                wait_for_place(notices)
                place.ask("ban", "198.51.100.1")
                assert "198.51.100.1" in hook.next_text()
                service.wait_for("notice_delivered")
                service.kill()
            # Nothing reads the events now.
            place.ask("ban", "198.51.100.2")
            with notices.service():
                assert "198.51.100.2" in hook.next_text()
                daemon.kill()
                with running(place) as second:
                    assert "events were not read: the daemon ended without its last event" in hook.next_text()
                    place.ask("ban", "198.51.100.3")
                    assert "198.51.100.3" in hook.next_text()
                    assert second.terminate() == 0
                    assert "service_stopped" in hook.next_text()
                with running(place):
                    # A stop that was announced has lost nothing: the next notice is of the ban, or first that the stop is over.
                    place.ask("ban", "198.51.100.4")
                    text = hook.next_text()
                    text = hook.next_text() if "over: service stopped" in text and "198.51.100.4" not in text else text
                    assert "198.51.100.4" in text
                    assert "not read" not in text
        assert hook.bodies.empty()


@in_network_namespace
def test_what_a_dead_receiver_did_not_take_waits_over_a_kill(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with serving(Webhook()) as hook:
        notices = Notices(place, hook, "events: manual_ban_added", "cool_down: off")
        hook.status = 500
        with running(place):
            with notices.service() as service:
                wait_for_place(notices)
                place.ask("ban", "198.51.100.1")
                assert hook.refused.get(timeout=PATIENCE) == 500
                assert "a-secret-path" not in service.wait_for("notice_failed")["reason"]
                place.ask("ban", "198.51.100.2")
            hook.status = 200
            with notices.service():
                text = hook.next_text()
        assert "198.51.100.1" in text
        assert "198.51.100.2" in text


@in_network_namespace
def test_a_failure_and_its_recovery_are_two_notices_and_a_digest_is_one(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    listed = tmp_path / "list"
    with serving(Webhook()) as hook:
        notices = Notices(place, hook)
        configured = place.file.read_text().replace("sources: []", f'sources: [{{id: a, path: "{listed}", every: 365d}}]')
        place.file.write_text(configured)
        listed.write_text("192.0.2.1\n")
        with running(place, "a"), notices.service() as service:
            wait_for_place(notices)
            listed.unlink()
            place.ctl("refresh", "a")
            assert "[blocklist_import_failed]" in hook.next_text()
            place.ctl("refresh", "a")
            listed.write_text("192.0.2.1\n192.0.2.2\n")
            place.ctl("refresh", "a")
            assert hook.next_text().startswith("over: blocklist import failed: ")
            service.wait_for("notice_delivered")


@in_network_namespace
def test_a_reload_of_the_daemon_is_one_of_the_service(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with serving(Webhook()) as hook:
        notices = Notices(place, hook, "events: error")
        with running(place), notices.service():
            wait_for_place(notices)
            place.file.write_text(place.file.read_text().replace("events: error", "events: [manual_ban_added]"))
            place.ask("reload")
            place.ask("ban", "198.51.100.1")
            assert "198.51.100.1" in hook.next_text()


@in_network_namespace
def test_an_order_of_banlistctl_sends_a_test_notice_whatever_is_selected(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with serving(Webhook()) as hook:
        notices = Notices(place, hook, "events: error", "digest: 1d")
        with running(place), notices.service():
            wait_for_place(notices)
            assert "banlistd-notify" in place.ctl("notify", "--test").stdout
            assert "[notice_test]" in hook.next_text()
            assert place.ctl("notify").returncode == 64


@in_network_namespace
def test_a_hook_is_run_for_its_events_and_killed_with_the_service(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with serving(Webhook()) as hook:
        notices = Notices(place, hook)
        with place.file.open("a") as file:
            file.write(f"hooks:\n  - run: [/bin/sh, -c, 'cat > {pipe}; exec sleep 1000']\n    events: manual_ban_added\n")
        with running(place), notices.service() as service:
            wait_for_place(notices)
            place.ask("ban", "198.51.100.1")
            with pipe.open() as written:
                assert '"ADDRESS": "198.51.100.1"' in written.readline()
            assert service.terminate() == 0


def test_the_program_sends_a_test_notice_by_itself(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with serving(Webhook()) as hook:
        notices = Notices(place, hook)
        done = subprocess.run(notices.command("--test"), capture_output=True, text=True, check=True)
        assert done.stdout == "hook: delivered\n"
        assert "a test notice" in hook.next_text()
        hook.status = 500
        assert subprocess.run(notices.command("--test"), capture_output=True, check=False).returncode == 69


def test_without_receivers_it_ends(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure()
    command = [sys.executable, "-m", "banlistd.notifying", "--config", str(place.config), "--state", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "nothing to do" in done.stdout


def wait_for_place(notices: Notices) -> None:
    """Until it has written down where in the events it is: what comes afterwards is not lost."""
    waiter = subprocess.run(
        ["timeout", f"{PATIENCE:.0f}", "sh", "-c", f"until [ -e {notices.state}/state.json ]; do sleep 0.05; done"], check=False
    )
    assert waiter.returncode == 0
