"""banlistctl status --verdict on the real daemon and the real kernel, for monitoring."""

import subprocess
from pathlib import Path

from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running


def verdict(place: Installation) -> tuple[int, list[str]]:
    done = place.ctl("status", "--verdict")
    return done.returncode, done.stdout.splitlines()


@in_network_namespace
def test_the_exit_code_is_that_of_a_proof(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure('id: listed, path: "listed.txt"', every="365d")
    (place.config / "listed.txt").write_text("203.0.113.0/24\n")
    with running(place, "listed") as daemon:
        assert verdict(place) == (0, ["PROTECTED"])
        assert place.ctl("status").stdout.splitlines()[1] == "  verdict      PROTECTED"
        for words in (
            "ip link add g0 type veth peer name g1",
            "tc qdisc add dev g0 ingress",
            "tc filter add dev g0 ingress protocol ip u32 match u32 0 0 action mirred egress redirect dev g1",
        ):
            subprocess.run(words.split(), check=True)
        code, lines = verdict(place)
        assert (code, lines[0]) == (1, "DEGRADED")
        assert lines[1].startswith("  because      traffic control redirects packets from g0 to g1")
        assert place.ctl("status").returncode == 0
        assert daemon.terminate() == 0
    assert verdict(place)[0] == 69
