"""packaging/try-fleet: five machines, each in its own network namespace, a node that is stolen, and a mirror that is."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.network_namespace import in_network_namespace

DEMONSTRATION = Path(__file__).parents[2] / "packaging" / "fleet_demonstration.py"


@in_network_namespace
def test_three_nodes_ban_what_hub_and_two_nodes_say_and_not_what_a_stolen_node_or_mirror_does() -> None:
    if shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        pytest.skip("mosquitto is not installed")
    done = subprocess.run([sys.executable, DEMONSTRATION], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT" not in done.stdout
    assert done.stdout.count("is banned in its kernel") == 9
    assert done.stdout.count("192.0.2.25 is not banned") == 2
    assert "what it has reported is gone" in done.stdout
    assert done.stdout.count("refused, with an event") == 3
