"""argv in; table, JSON and drawing out. A missed target is told and is no fault; a case that could not be measured is one."""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from banlistd.errors import BanlistdError
from bench.application import WORK
from bench.cases import CASES
from bench.inputs import Inputs
from bench.measuring import CommandError
from bench.peace import Peace
from bench.plot import plot
from bench.rows import Judged, judge
from bench.setting import Setting
from bench.table import summary, table

# So many seconds in all may be spent on waiting for others to be quiet.
_WAITING = 300.0
# What can go wrong with a measurement: a daemon or a peer that fails, or is not done in time.
_FAULTS = (AssertionError, BanlistdError, CommandError, MemoryError, OSError, RuntimeError, subprocess.SubprocessError)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    # So that daemons, servers and folders are cleared away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(dir=WORK, prefix="banlistd-bench-") as folder:
        return _measure(arguments, Path(folder))


def _measure(arguments: argparse.Namespace, folder: Path) -> int:
    """Case after case; what there is is printed and written down after each. A case that fails costs only itself."""
    peace = Peace(_WAITING)
    inputs = Inputs(folder, quick=arguments.quick)
    runs = arguments.runs or (1 if arguments.quick else 5)
    setting = Setting(runs, arguments.quick, folder, inputs, arguments.idle, peace)
    judged: list[Judged] = []
    failed: list[str] = []
    try:
        for name in arguments.only or CASES:
            title, measure = CASES[name]
            try:
                mine = judge(list(measure(setting)), comparable=not arguments.quick)
            except _FAULTS as fault:
                failed.append(name)
                print(f"{title}\n  FAILED: {type(fault).__name__}: {str(fault)[-2000:]}\n", flush=True)
                continue
            print(table(mine, title), flush=True)
            judged += mine
            if arguments.output:
                _write(arguments.output, judged, quick=arguments.quick)
    finally:
        peace.end()
    print(summary(judged, failed))
    return 1 if failed else 0


def _write(folder: Path, judged: Sequence[Judged], *, quick: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    record = {"machine": _machine(), "quick": quick, "rows": [each.as_record() for each in judged]}
    (folder / "bench.json").write_text(json.dumps(record, indent=1) + "\n")
    (folder / "bench.svg").write_text(plot([each.row for each in judged]))


def _parser() -> argparse.ArgumentParser:
    names = "; ".join(f"{name}: {title}" for name, (title, _) in CASES.items())
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", description="Measures banlistd beside what people use today.", epilog=f"cases: {names}"
    )
    parser.add_argument("--runs", type=int, metavar="N", help="samples of each figure (default: 5; slow peers: at most 3)")
    parser.add_argument("--only", action="append", choices=list(CASES), metavar="NAME", help="only this case; may be repeated")
    parser.add_argument("--quick", action="store_true", help="made lists of a hundredth of the size: does it work at all?")
    parser.add_argument("--idle", type=float, metavar="SECONDS", default=60.0, help="how long to watch an idle daemon (60)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write bench.json and bench.svg there")
    return parser


def _machine() -> dict[str, object]:
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg(),
        "banlistd": version("banlistd"),
    }


if __name__ == "__main__":
    sys.exit(main())
