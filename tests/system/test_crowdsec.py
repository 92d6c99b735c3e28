"""The real daemon in place of the firewall bouncer of a real CrowdSec."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.crowdsec_server import KEY, Crowdsec, programs, serving
from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running
from system.kernel_view import look


@pytest.fixture(scope="session")
def crowdsec_programs() -> Path:
    return programs()


@contextmanager
def bouncing(folder: Path, programs_of: Path) -> Iterator[tuple[Installation, Crowdsec]]:
    crowdsec, place = Crowdsec(folder / "crowdsec", programs_of), Installation(folder)
    place.configure(
        f'id: crowdsec, url: "{crowdsec.url}", format: crowdsec, headers: {{X-Api-Key: "{KEY}"}}, allow_empty: true, '
        "guards: {shrink: off, grow: off, turnover: off}"
    )
    with serving(crowdsec):
        yield place, crowdsec


def refreshed(place: Installation) -> list[str]:
    """What is banned after a poll: first and last address."""
    assert place.ctl("refresh", "crowdsec").returncode == 0
    return banned()


def banned() -> list[str]:
    view = look()
    return [f"{first:x}-{last:x}" for version in (4, 6) for first, last, _ in view.ranges[version]]


ONE, OTHER, NETWORK, SIX = "c0000207-c0000207", "cb007105-cb007105", "c6336400-c63364ff", "20010db8" + "0" * 23 + "5"


@in_network_namespace
def test_decisions_are_banned_and_lifted_as_they_come_and_go(tmp_path: Path, crowdsec_programs: Path) -> None:
    with bouncing(tmp_path, crowdsec_programs) as (place, crowdsec):
        crowdsec.decide("--ip", "192.0.2.7")
        with running(place, "crowdsec") as daemon:
            assert banned() == [ONE]
            crowdsec.decide("--range", "198.51.100.0/24")
            crowdsec.decide("--ip", "198.51.100.9")
            crowdsec.decide("--ip", "2001:db8::5")
            crowdsec.decide("--ip", "203.0.113.9", "--type", "captcha")
            assert refreshed(place) == [ONE, NETWORK, f"{SIX}-{SIX}"]
            # The third decision: that of the network bans the address still.
            crowdsec.end("--id", "3")
            assert refreshed(place) == [ONE, NETWORK, f"{SIX}-{SIX}"]
            crowdsec.end("--range", "198.51.100.0/24")
            crowdsec.end("--ip", "2001:db8::5")
            assert refreshed(place) == [ONE]
            assert place.ask("check", "192.0.2.7")["owner"] == "crowdsec"
            crowdsec.end("--ip", "192.0.2.7")
            assert refreshed(place) == []
            assert not [event for event in daemon.events if "fail" in event["event"] or "refused" in event["event"]]


@in_network_namespace
def test_what_was_decided_while_banlistd_was_away_is_there_after_a_kill(tmp_path: Path, crowdsec_programs: Path) -> None:
    with bouncing(tmp_path, crowdsec_programs) as (place, crowdsec):
        crowdsec.decide("--ip", "192.0.2.7")
        with running(place, "crowdsec") as daemon:
            daemon.kill()
        crowdsec.decide("--ip", "203.0.113.5")
        crowdsec.end("--ip", "192.0.2.7")
        with running(place):
            assert refreshed(place) == [OTHER]


@in_network_namespace
def test_bans_stay_while_crowdsec_is_away(tmp_path: Path, crowdsec_programs: Path) -> None:
    with bouncing(tmp_path, crowdsec_programs) as (place, crowdsec):
        crowdsec.decide("--ip", "192.0.2.7")
        with running(place, "crowdsec") as daemon:
            crowdsec.stop()
            since = len(daemon.events)
            assert place.ctl("refresh", "crowdsec").returncode != 0
            assert "127.0.0.1" in daemon.wait_for("blocklist_import_failed", "crowdsec", since=since)["message"]
            assert banned() == [ONE]
            crowdsec.start()
            crowdsec.decide("--ip", "203.0.113.5")
            assert refreshed(place) == [ONE, OTHER]
