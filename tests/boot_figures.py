#!/usr/bin/env python3
"""Measures the boot figures of packaging/docs/speed.md: exposure of the units, order, and how soon after power-on bans stand.

Run as root with the Python that has banlistd: .venv/bin/python tests/boot_figures.py
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from statistics import median

import pytest

from system.boot.machine import Machine
from system.boot.machine_image import image, packages, skip_where_no_machine_can_be

SERVICES = ("banlistd.service", "banlistd-restore.service")
BANS = (1_000, 100_000)

_CONFIGURATION = "sources:\n  - {id: own, path: lists/own.txt, guards: {grow: off}}\n"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure exposure, order and times of a boot.")
    parser.add_argument("--boots", type=int, default=7, metavar="N", help="how often the power is cut (7)")
    arguments = parser.parse_args(argv)
    try:
        skip_where_no_machine_can_be()
        _, package = packages()
        with Machine(image()) as machine:
            machine.boot()
            machine.install(package)
            machine.run("systemctl", "enable", "nftables.service")
            for unit in SERVICES:
                said = machine.say("systemd-analyze", "security", "--no-pager", unit)
                print(re.findall(r"Overall exposure level for .*?: [0-9.]+", said)[0])
            for bans in BANS:
                _measure(machine, bans, arguments.boots)
    except pytest.skip.Exception as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


def _measure(machine: Machine, bans: int, boots: int) -> None:
    lines = (f"11.{number >> 15}.{number >> 7 & 255}.{number << 1 & 255}\n" for number in range(bans))
    machine.write("/etc/banlistd/lists/own.txt", "".join(lines))
    machine.write("/etc/banlistd/banlistd.yaml", _CONFIGURATION)
    machine.run("systemctl", "reload", "banlistd")
    machine.run("banlistctl", "refresh")
    moments = []
    for _ in range(boots):
        machine.cut_power()
        machine.boot()
        moments.append(_moments(machine))
    print(f"{bans} bans, {boots} power cuts, seconds after the first process, median and worst:")
    for name in sorted(moments[0], key=lambda name: median(moment[name] for moment in moments)):
        times = [moment[name] for moment in moments]
        print(f"  {median(times):6.2f} {max(times):6.2f}  {name}")


def _moments(machine: Machine) -> Mapping[str, float]:
    (restored,) = machine.journal("_SYSTEMD_UNIT=banlistd-restore.service", "EVENT=firewall_restored")
    began = int(machine.say("systemctl", "show", "--property=UserspaceTimestampMonotonic", "--value"))
    found = {"bans stand": int(restored["__MONOTONIC_TIMESTAMP"])}
    for words, unit, name in (
        ("banlistd-restore begins", "banlistd-restore.service", "InactiveExit"),
        ("network-pre.target", "network-pre.target", "ActiveEnter"),
        ("the daemon is at work", "banlistd.service", "ActiveEnter"),
    ):
        found[words] = int(machine.say("systemctl", "show", f"--property={name}TimestampMonotonic", "--value", unit))
    return {words: (moment - began) / 1e6 for words, moment in found.items()}


if __name__ == "__main__":
    sys.exit(main())
