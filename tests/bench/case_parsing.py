"""Text into merged ranges, beside iprange, which does nothing else and is written in C."""

import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from bench.application import program
from bench.measuring import Sample, apart, run_apart
from bench.rows import Row, at_least_times
from bench.setting import Setting
from bench.turns import Contender, take_turns
from support.network_namespace import NetworkNamespace

_OURS = "files on disk -> merged IPv4 ranges, one core; inside the process, as in the daemon: Python's start is not in it"
_IPRANGE = "iprange -C on the same files: reads, merges, prints only the counts; whole process"


def parse_million(setting: Setting) -> Iterator[Row]:
    yield from _compare("parse-1m", [setting.inputs.million().path], 2, setting)


def parse_feeds(setting: Setting) -> Iterator[Row]:
    feeds = setting.inputs.feeds()
    with apart() as namespace:
        readable = [feed for feed in feeds if namespace.run(partial(_can_read, feed))]
    setting.say(f"parse-feeds: iprange can read {len(readable)} of {len(feeds)} files")
    if readable:
        yield from _compare("parse-feeds", readable, 1, setting)
    everything = Contender("banlistd-all", f"all {len(feeds)} files in all formats: {_OURS}", partial(_ours, feeds))
    yield from take_turns("parse-feeds", [everything], setting)


def _compare(case: str, files: Sequence[Path], times: float, setting: Setting) -> Iterator[Row]:
    number = f"{len(files)} files: " if len(files) > 1 else ""
    theirs = partial(run_apart, "iprange", "-C", *files)
    contenders = [
        Contender("banlistd", number + _OURS, partial(_ours, files)),
        Contender("iprange", number + _IPRANGE, theirs, at_least_times(times, f"{case}/banlistd"), program="iprange"),
    ]
    yield from take_turns(case, contenders, setting)


def _ours(files: Sequence[Path]) -> Sample:
    with NetworkNamespace() as namespace:
        return Sample(1000 * float(program(namespace, "parsing", *files)["seconds"]))


def _can_read(file: Path) -> bool:
    """Whether iprange reads a file without a complaint and finds something in it. It takes a word for a host's name."""
    try:
        done = subprocess.run(["iprange", "-C", file], capture_output=True, text=True, check=False, timeout=20)
    except (subprocess.TimeoutExpired, FileNotFoundError):
        return False
    return done.returncode == 0 and not done.stderr and not done.stdout.endswith(",0\n")
