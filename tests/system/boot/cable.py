"""A cable between two machines, for what they say to each other."""

import functools
import subprocess

from system.boot.machine import Machine

NEAR, FAR = "10.8.0.1", "10.8.0.2"
"""The addresses of its two ends."""

_END = "cable"


def lay_cable(near: Machine, far: Machine) -> None:
    """To be called anew after each boot of one of them."""
    for machine in (near, far):
        # What is left of a cable whose other end went with a network that is not quite gone yet.
        delete = functools.partial(subprocess.run, ["ip", "link", "delete", _END], check=False, capture_output=True)
        machine.network.run(delete)
    peer = ("peer", "name", _END, "netns", far.network.path)
    near.network.command("ip", "link", "add", _END, "type", "veth", *peer)
    for machine, address in ((near, NEAR), (far, FAR)):
        machine.network.command("ip", "address", "add", f"{address}/24", "dev", _END)
        machine.network.command("ip", "link", "set", _END, "up")
