"""A list of which a part has changed, and lists of which nothing has."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from banlistd.adapters.firewalls.nftables.changing.staging import MOST_ELEMENTS
from bench.application import Application, application
from bench.inputs import Listing
from bench.measuring import Sample, apart, run
from bench.notices import Notices
from bench.peers import IPSET_RESTORE, ipset_script, ipset_swap_script, nft_flush_script, nft_script
from bench.rows import Row, Target, at_most, at_most_times, beside
from bench.setting import Setting
from bench.turns import Contender, take_turns
from support.network_namespace import NetworkNamespace
from system.daemon_process import Daemon

_WHAT = "file on disk -> kernel, marker and ledger; duration_ms of a running daemon's event"
_ALL = "the whole new list, because it knows no difference; whole process on a script written beforehand"

# The kernel stamps files coarsely, so banlistd waits with a file that was written this very moment. Nobody polls as soon.
SETTLED = 0.05


class Changing:
    """A running daemon with a source `bench` whose file goes from one version to the other and back. `keys`: more of it."""

    def __init__(
        self, stack: ExitStack, folder: Path, old: Listing, new: Listing, rest: Sequence[str] = (), keys: str = ""
    ) -> None:
        self.file, self._rest = folder / "changing.txt", rest
        self._old, self._new = old.body(), new.body()
        write(self.file, self._old)
        sources = self._sources(keys)
        self.home: Application = stack.enter_context(application(*sources))
        self._daemon: Daemon = stack.enter_context(self.home.start())
        for source in sources:
            self._daemon.wait_for("blocklist_import_completed", source.partition(",")[0].removeprefix("id: "))

    def forth(self) -> Sample:
        return Sample(self._import(self._new))

    def back(self) -> None:
        self._import(self._old)

    def declare(self, keys: str) -> None:
        """Give the source these keys instead, by a reload."""
        self.home.place.configure(*self._sources(keys))
        self.home.ask("POST", "/v1/reload")

    def _sources(self, keys: str) -> list[str]:
        # No list goes back and forth between two of its days, as this one does; the guard would rightly refuse it.
        return [*self._rest, f'id: bench, path: "{self.file}", guards: {{turnover: off}}{f", {keys}" if keys else ""}']

    def _import(self, body: bytes) -> float:
        seen = len(self._daemon.events)
        write(self.file, body)
        time.sleep(SETTLED)
        self.home.refresh("bench")
        return float(self._daemon.wait_for("blocklist_import_completed", "bench", since=seen)["duration_ms"])


def update(setting: Setting) -> Iterator[Row]:
    week, day, present = setting.inputs.versions()
    others = setting.inputs.others(setting.peace.most_elements())
    for name, old in (("1-day", day), ("7-days", week)):
        yield from _compare(name, old, present, None, at_most(80), setting)
        yield from _compare(f"{name}-beside", old, present, others, at_most_times(1.5, f"update/{name}"), setting)
    yield from _peers(day, present, setting)


def _compare(name: str, old: Listing, new: Listing, others: Listing | None, target: Target, setting: Setting) -> Iterator[Row]:
    changed = len(set(old.lines()) ^ set(new.lines()))
    staged = others is not None and changed > MOST_ELEMENTS
    beside = f", beside {others.entries:,} other bans" if others else ""
    rest = [f'id: rest, path: "{others.path}"'] if others else []
    with ExitStack() as stack:
        changing = Changing(stack, setting.folder, old, new, rest)

        def there_and_back() -> Sample:
            sample = changing.forth()
            changing.back()
            return sample

        there_and_back()
        what = f"{changed:,} entries of {new.entries:,} changed{beside}: {_WHAT}"
        yield from take_turns("update", [Contender(name, what, there_and_back, target, loads=True, fills=staged)], setting)
        # More is written beside the sets in use: all of them, for which the kernel's notices are too many to be counted.
        if staged:
            return
        with changing.home.namespace.run(Notices) as notices:
            changing.forth()
            surplus = notices.elements() - changed
    yield Row(
        f"update/{name}-surplus",
        f"elements that the kernel says were written or removed, beyond the {changed:,} that changed",
        "elements",
        [surplus],
        target=at_most(0),
    )


def _peers(old: Listing, new: Listing, setting: Setting) -> Iterator[Row]:
    """Each stands with the old list, and is given the new one; then back, which is not timed."""
    folder, before, after = setting.folder, old.lines(), new.lines()
    with ExitStack() as stack:
        contenders, ours = [], beside("update/1-day")
        for kind in ("hash", "interval"):
            first = nft_script(folder, before, interval=kind == "interval")
            there, back = (nft_flush_script(folder / f"{kind}-{n}.nft", lines) for n, lines in enumerate((after, before)))
            replaced = _Replaced(stack.enter_context(apart()), ["nft", "-f", first], ["nft", "-f", there], ["nft", "-f", back])
            contenders.append(Contender(f"nft-{kind}", f"nft -f: flush set, add {_ALL}", replaced, ours, loads=True))
        first = ipset_script(folder, before, kind="hash:net")
        there, back = (ipset_swap_script(folder / f"swap-{n}.ipset", lines) for n, lines in enumerate((after, before)))
        commands: list[list[str | Path]] = [[*IPSET_RESTORE, script] for script in (first, there, back)]
        replaced = _Replaced(stack.enter_context(apart()), *commands)
        contenders.append(Contender("ipset-swap", f"ipset restore, another set, swap: {_ALL}", replaced, ours, program="ipset"))
        yield from take_turns("update", contenders, setting)


class _Replaced:
    """A peer in its namespace: measured as it replaces the old list by the new one."""

    def __init__(self, namespace: NetworkNamespace, *commands: Sequence[str | Path]) -> None:
        self._first: Sequence[str | Path] | None
        self._first, self._there, self._back = commands
        self._namespace = namespace

    def __call__(self) -> Sample:
        if self._first:
            self._namespace.run(partial(run, self._first))
            self._first = None
        took = self._namespace.run(partial(run, self._there))
        self._namespace.run(partial(run, self._back))
        return Sample(1000 * took.seconds, took.peak_rss)


def write(path: Path, body: bytes) -> None:
    """Beside it, then over it, as whoever writes a list should."""
    beside = path.with_suffix(".new")
    beside.write_bytes(body)
    os.replace(beside, path)  # noqa: PTH105 - the same
