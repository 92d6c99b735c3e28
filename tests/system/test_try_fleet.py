"""packaging/try-fleet: five machines, each in its own network namespace, and a mirror that is stolen."""

import subprocess
import sys
from pathlib import Path

from support.network_namespace import in_network_namespace

DEMONSTRATION = Path(__file__).parents[2] / "packaging" / "fleet_demonstration.py"


@in_network_namespace
def test_three_nodes_ban_what_the_hub_publishes_and_refuse_a_stolen_mirror() -> None:
    done = subprocess.run([sys.executable, DEMONSTRATION], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT" not in done.stdout
    assert done.stdout.count("is banned in its kernel") == 6
    assert done.stdout.count("refused, and told") == 3
