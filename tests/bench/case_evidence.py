"""What `log` and `hits` cost a packet that a list bans, and one that no list has."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.application import application
from bench.rows import Row, at_most_times
from bench.setting import Setting
from bench.street import banned_sources, clean_sources, street_to
from bench.turns import Contender, take_turns
from support.network_namespace import NetworkNamespace

_WAYS = {
    "off": ("", "neither log nor hits"),
    "hits": (", hits: yes", "hits: yes, and the daemon listens"),
    "log": (", log: yes, log_group: 77", "log: yes to an NFLOG group that no program reads"),
    "both": (", hits: yes, log: yes, log_group: 77", "both"),
}


def evidence(setting: Setting) -> Iterator[Row]:
    path = setting.inputs.parts(setting.inputs.million(), 100)[0]
    body = path.read_bytes()
    sources = {"banned": banned_sources(body), "clean": clean_sources(body)}
    with ExitStack() as stack:
        contenders = []
        for name, (keys, words) in _WAYS.items():
            street = street_to(stack, _guarded(stack, path, keys), quick=setting.quick)
            for kind, octets in sources.items():
                file = setting.folder / f"evidence-{kind}.sources"
                file.write_bytes(octets)
                target = None if name == "off" else at_most_times(1.1, f"evidence/off-{kind}")
                what = f"{words}; a packet of 60 octets, {len(octets) // 4:,} {kind} addresses in turn"
                contenders.append(Contender(f"{name}-{kind}", what, partial(street.cost, file), target, unit="ns"))
        yield from take_turns("evidence", contenders, setting)


def _guarded(stack: ExitStack, path: Path, keys: str) -> NetworkNamespace:
    """A namespace in which a daemon runs with one list of 10,000 addresses."""
    home = stack.enter_context(application(f'id: part, path: "{path}"{keys}'))
    daemon = stack.enter_context(home.start())
    daemon.wait_for("blocklist_import_completed", "part")
    return home.namespace
