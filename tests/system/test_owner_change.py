"""A table that an earlier configuration owned, under the real daemon whose configuration says nothing of an owner."""

from pathlib import Path

import pytest

from support.network_namespace import in_network_namespace, nft
from system.daemon_process import Installation, running
from system.kernel_view import generation, look

LIST = "192.0.2.0/24\n198.51.100.7\n2001:db8:1::/48\n"


def owned_before(folder: Path) -> Installation:
    """A list is imported into an owned table; then the configuration no longer mentions the owner."""
    place = Installation(folder)
    (place.config / "own.txt").write_text(LIST)
    place.configure("id: own, path: own.txt", owner="yes")
    if place.once() == 71:
        pytest.skip("this kernel has no tables with an owner")
    lines = place.file.read_text().splitlines(keepends=True)
    place.file.write_text("".join(line for line in lines if not line.startswith("owner:")))
    return place


@in_network_namespace
def test_an_owned_table_stays_at_the_first_start_without_an_owner_and_its_flag_is_reported(tmp_path: Path) -> None:
    place = owned_before(tmp_path)
    before, bans = generation(), look().contents
    with running(place) as daemon:
        assert "keeps the flag persist" in daemon.wait_for("firewall_remark")["message"]
        assert (generation(), look().contents) == (before, bans)
        (remark,) = place.ask("status")["remarks"]
        assert "keeps the flag persist" in remark["message"]
        nft("flush", "ruleset")
        daemon.wait_for("firewall_drift_repaired")
        assert look().contents == bans
        assert place.ask("status")["remarks"] == []


@in_network_namespace
def test_a_boot_after_the_upgrade_restores_as_before_and_the_daemon_then_says_so(tmp_path: Path) -> None:
    place = owned_before(tmp_path)
    bans = look().contents
    nft("flush", "ruleset")
    assert place.run("--restore").returncode == 0
    before = generation()
    with running(place) as daemon:
        daemon.wait_for("firewall_remark")
        assert (generation(), look().contents) == (before, bans)
    nft("flush", "ruleset")
    assert place.run("--restore").returncode == 0
    assert look().contents == bans
    assert "flags" not in nft("list", "table", "inet", "banlistd").partition("map")[0]
