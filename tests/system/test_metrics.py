"""Metrics of the real daemon over the real kernel, by Prometheus' own parser."""

import subprocess
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running

LIST = "192.0.2.1\n198.51.100.0/24\n"
OPEN = {"Accept": "application/openmetrics-text"}
ADDRESS = "127.0.0.1:9788"


def configured(folder: Path, listen: str = "") -> Installation:
    place = Installation(folder)
    file = folder / "list.txt"
    file.write_text(LIST)
    place.configure(f"id: one, path: {file}")
    if listen:
        place.file.write_text(place.file.read_text() + f"metrics: {{listen: '{listen}'}}\n")
    return place


def samples(text: str) -> dict[str, Any]:
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # it has no types
    return {" ".join((one.name, *one.labels.values())): one.value for family in families for one in family.samples}


@in_network_namespace
def test_prometheus_reads_what_the_daemon_does(tmp_path: Path) -> None:
    place = configured(tmp_path, ADDRESS)
    with running(place) as daemon:
        daemon.wait_for("blocklist_import_completed")
        subprocess.run(["nft", "delete", "table", "inet", "banlistd"], check=True)
        daemon.wait_for("firewall_drift_repaired")
        with urlopen(Request(f"http://{ADDRESS}/metrics", headers=OPEN), timeout=60) as answer:
            found = samples(answer.read().decode())
        assert found["banlistd_bans"] == found["banlistd_source_elements one"] == 2
        assert found["banlistd_source_packets_total one"] == 0
        assert found["banlistd_repairs_total nft"] == 1
        assert found["banlistd_firewall_transaction_seconds_count"] >= 2
        assert found["banlistd_event_loop_lag_seconds"] >= 0
        assert found["banlistd_health PROTECTED"] == 1, place.ask("health")
        # The command has the same, without the configuration's help.
        printed = samples(place.ctl("metrics", "--format", "openmetrics").stdout)
        assert found.keys() - printed.keys() == {"banlistd_event_loop_lag_seconds"}


@in_network_namespace
def test_a_port_in_use_stops_no_bans(tmp_path: Path) -> None:
    place = configured(tmp_path, "192.0.2.77:9788")  # no address of this host
    with running(place) as daemon:
        fault = daemon.wait_for("service_fault")
        assert "metrics cannot be served on 192.0.2.77:9788" in fault["reason"]
        daemon.wait_for("blocklist_import_completed")
        assert place.ask("status")["bans"] == 2


@in_network_namespace
def test_health_has_one_verdict_for_command_http_and_status(tmp_path: Path) -> None:
    place = configured(tmp_path, ADDRESS)
    with running(place, "one"):
        done = place.ctl("health")
        assert (done.returncode, done.stdout.splitlines()[0]) == (0, "PROTECTED")
        assert place.ask("status")["verdict"] == "PROTECTED"
        assert place.ask("health")["next_poll"] > 0
        for path in ("live", "ready", "healthz"):
            with urlopen(f"http://{ADDRESS}/{path}", timeout=60) as answer:
                assert answer.status == 200
