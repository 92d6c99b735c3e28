"""Manual bans: very many in one order, and one order after another."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from banlistd.ctl.client import Question, ask
from bench.application import Application, application
from bench.measuring import Sample
from bench.rows import Row, at_least, at_most
from bench.setting import Setting
from bench.turns import Contender, take_turns
from system.daemon_process import Daemon

_MANY, _SINGLE = 100_000, 1_000
_WAYS = "order -> table, kernel and answer"


def bans(setting: Setting) -> Iterator[Row]:
    many, single = (_MANY // 50, _SINGLE // 50) if setting.quick else (_MANY, _SINGLE)
    with ExitStack() as stack:
        home = stack.enter_context(application())
        daemon = stack.enter_context(home.start())
        daemon.wait_for("service_started")
        contenders = [
            Contender(
                "in-one-order",
                f"{many:,} addresses to `banlistctl ban -`, the whole command; {_WAYS}",
                partial(_in_one_order, home, _addresses(many)),
                at_most(3000),
                loads=True,
            ),
            Contender(
                "single",
                f"{single:,} orders one after the other on the control socket, bans a second; {_WAYS}",
                partial(_single, home, _addresses(single)),
                at_least(100),
                unit="bans/s",
            ),
            Contender(
                "single-cpu",
                f"{single:,} orders one after the other: processor time of the daemon for each",
                partial(_processor, home, daemon, _addresses(single)),
                at_most(15),
            ),
        ]
        yield from take_turns("bans", contenders, setting)


def _addresses(count: int) -> list[str]:
    return [f"45.{number // 65_536}.{number // 256 % 256}.{number % 256}" for number in range(count)]


def _in_one_order(home: Application, addresses: list[str]) -> Sample:
    lines = "".join(f"{address} for 1h bench\n" for address in addresses)
    began = time.monotonic()
    done = subprocess.run(
        home.place.ctl_command("ban", "--force", "-"), input=lines, capture_output=True, text=True, check=False, timeout=120
    )
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    _lift(home)
    return Sample(1000 * took)


def _single(home: Application, addresses: list[str]) -> Sample:
    began = time.monotonic()
    _order_each(home, addresses)
    rate = len(addresses) / (time.monotonic() - began)
    _lift(home)
    return Sample(rate)


def _processor(home: Application, daemon: Daemon, addresses: list[str]) -> Sample:
    before = _cpu_seconds(daemon.process.pid)
    _order_each(home, addresses)
    took = _cpu_seconds(daemon.process.pid) - before
    _lift(home)
    return Sample(1000 * took / len(addresses))


def _order_each(home: Application, addresses: list[str]) -> None:
    path = str(home.place.runtime / "control.sock")
    for address in addresses:
        ask(path, Question("POST", "/v1/ban", body={"address": address, "for": "1h", "origin": "bench"}, timeout=60.0))


def _lift(home: Application) -> None:
    path = str(home.place.runtime / "control.sock")
    for origin in ("bench", "operator"):
        ask(path, Question("POST", "/v1/unban", body={"origin": origin}, timeout=60.0))


def _cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - as the kernel has it
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
