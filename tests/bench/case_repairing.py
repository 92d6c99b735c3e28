"""How long bans are gone that somebody else has thrown away."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from bench.application import Application, application
from bench.case_updating import write
from bench.inputs import random_hosts, text_of
from bench.measuring import Sample
from bench.rows import Row, Target, at_most
from bench.setting import Setting
from bench.turns import Contender, take_turns
from support.network_namespace import nft

# Bans, and the milliseconds within which they shall stand again.
_SIZES: tuple[tuple[int, Target | None], ...] = ((10_000, at_most(150)), (100_000, at_most(1000)), (1_000_000, None))
_WHAT = "`nft flush ruleset` has returned -> it is reported that {:,} addresses stand again, of one list, checked"


def repair(setting: Setting) -> Iterator[Row]:
    with ExitStack() as stack:
        contenders = []
        for size, target in _SIZES:
            count = size // 100 if setting.quick else size
            feed = setting.folder / f"repaired-{count}.txt"
            write(feed, text_of(random_hosts(count)))
            home = stack.enter_context(application(f'id: feed, path: "{feed}"'))
            with home.start() as daemon:
                daemon.wait_for("blocklist_import_completed", "feed")
                daemon.terminate()
            contenders.append(Contender(f"{size}", _WHAT.format(count), partial(_flush, home), target, loads=True, fills=True))
        yield from take_turns("repair", contenders, setting)


def _flush(home: Application) -> Sample:
    # One daemon at a time: each listens, and so disturbs whoever loads much.
    with home.start() as daemon:
        daemon.wait_for("service_started")
        seen = len(daemon.events)
        home.namespace.run(partial(nft, "flush", "ruleset"))
        began = time.perf_counter()
        daemon.wait_for("firewall_drift_repaired", since=seen)
        took = time.perf_counter() - began
        daemon.terminate()
    return Sample(1000 * took)
