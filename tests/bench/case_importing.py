"""A new list: from its bytes on disk to the kernel, beside the limit and beside what people use today."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.house import house, limit
from bench.inputs import Listing, read_lines
from bench.measuring import MIB, Run, apart, run_apart
from bench.peers import ipset_script, nft_script
from bench.rows import Row, Target, at_least_times, at_most, at_most_times
from bench.setting import Setting

_IMPORT = "file on disk -> parsed, guarded, planned, committed in the kernel, marker and ledger written; in a running daemon"


@dataclass(slots=True)
class _Contender:
    """Who is measured; `measure` gives milliseconds and octets of memory."""

    name: str
    what: str
    measure: Callable[[], tuple[float, int]]
    target: Target | None = None
    most_runs: int = 100
    samples: list[float] = field(default_factory=list)
    peak_rss: int = 0

    def row(self, case: str) -> Row:
        return Row(f"{case}/{self.name}", self.what, "ms", self.samples, self.peak_rss, self.target)


def million(setting: Setting) -> Iterator[Row]:
    listing = setting.inputs.million()
    lines = read_lines(listing)
    interval = nft_script(setting.folder, lines, interval=True)
    hashed = nft_script(setting.folder, lines, interval=False)
    net, ip = (ipset_script(setting.folder, lines, kind=kind) for kind in ("hash:net", "hash:ip"))
    ours = "1m/banlistd"
    whole = "whole process on a script written beforehand"
    contenders = [
        _Contender("banlistd", _IMPORT, partial(measure_import, listing), at_most_times(1.4, "1m/limit")),
        _Contender("limit", "one sendmsg of the ready batch", partial(measure_limit, listing.path)),
        _Contender("nft-interval", f"nft -f, interval set, auto-merge; {whole}", partial(_whole, "nft", "-f", interval),
                   at_least_times(10, ours), 3),
        _Contender("nft-hash", f"nft -f, hash set; {whole}", partial(_whole, "nft", "-f", hashed)),
        _Contender("ipset-net", f"ipset restore, hash:net; {whole}", partial(_whole, "ipset", "restore", "-file", net),
                   at_least_times(3, ours)),
        _Contender("ipset-ip", f"ipset restore, hash:ip; {whole}", partial(_whole, "ipset", "restore", "-file", ip),
                   at_least_times(3, ours)),
    ]  # fmt: skip
    yield from take_turns("1m", contenders, setting)
    yield _memory_row("1m", contenders[0], 120)


def take_turns(case: str, contenders: list[_Contender], setting: Setting) -> Iterator[Row]:
    """Measure all in turn, round after round, so that a noisy neighbour hits them alike."""
    for number in range(setting.runs):
        for contender in contenders:
            if number < contender.most_runs:
                setting.say(f"{case}: {contender.name}, run {number + 1}")
                milliseconds, peak_rss = contender.measure()
                contender.samples.append(milliseconds)
                contender.peak_rss = max(contender.peak_rss, peak_rss)
    for contender in contenders:
        yield contender.row(case)


def _memory_row(case: str, contender: _Contender, most: float) -> Row:
    what = "peak RSS of the whole daemon, import included"
    return Row(f"{case}/banlistd-memory", what, "MB", [contender.peak_rss / MIB], contender.peak_rss, at_most(most))


def measure_import(listing: Listing, keys: str = "") -> tuple[float, int]:
    """A fresh daemon imports a list: what its event says that it took, and the peak of its memory."""
    with house(f'id: bench, path: "{listing.path}"{keys}') as home, home.start() as daemon:
        event = daemon.wait_for("blocklist_import_completed")
        peak = home.peak_rss(daemon)
        daemon.terminate()
        return float(event["duration_ms"]), peak


def measure_limit(*files: Path) -> tuple[float, int]:
    with apart() as namespace:
        return 1000 * float(json.loads(limit(namespace, *files))["seconds"]), 0


def _whole(*command: str | Path) -> tuple[float, int]:
    took: Run = run_apart(command)
    return 1000 * took.seconds, took.peak_rss
