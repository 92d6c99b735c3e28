"""What packets pay: clean ones up to their delivery, and the rules' own share, for clean and banned packets."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.measuring import apart, run
from bench.peers import nft_layout
from bench.rows import Row, Target, at_least_times, beside
from bench.setting import Setting
from bench.street import FLOWS, Street, banned_sources, clean_sources, guarded, street_to
from bench.turns import Contender, take_turns
from support.network_namespace import NetworkNamespace

_FEW_FLOWS = 64
_OCTETS_OF_AN_ADDRESS = 4

# After the rules of banlistd and of the peers, before routing: what is left of a packet's cost is theirs.
_LAST_RULE = "table inet bench { chain after { type filter hook prerouting priority 0; policy drop; }; }"


def packets(setting: Setting) -> Iterator[Row]:
    million, networks = setting.inputs.million(), setting.inputs.networks()
    clean = setting.folder / "clean.sources"
    clean.write_bytes(clean_sources(million.body(), networks.body()))
    with ExitStack() as stack:

        def contender(name: str, what: str, receiver: NetworkNamespace, target: Target | None = None) -> Contender:
            contains = "packets a second of CPU time: 60 octets, 65,536 clean addresses in turn, rules and delivery"
            measure = partial(street_to(stack, receiver, quick=setting.quick).rate, clean)
            return Contender(name, f"{what}; {contains}", measure, target, unit="kpps")

        lists = ([million.path], setting.inputs.parts(million, 100), [million.path, networks.path])
        single, hundred, mixed = (guarded(stack, paths).namespace for paths in lists)
        contenders = [
            contender("no-rules", "no rules at all", stack.enter_context(apart())),
            contender("banlistd-1", "banlistd, 1,000,000 addresses in 1 source", single),
            contender(
                "banlistd-100",
                "banlistd, the same addresses in 100 sources",
                hundred,
                at_least_times(0.95, "packets/banlistd-1"),
            ),
            contender("banlistd-networks", f"banlistd, these and {networks.entries:,} networks", mixed),
        ]
        for name, count, interval in (
            ("hash-1", 1, False),
            ("hash-20", 20, False),
            ("interval-1", 1, True),
            ("interval-20", 20, True),
        ):
            kind = "interval" if interval else "hash"
            plural = f"{count} {kind} sets, one a list, the usual layout" if count > 1 else f"1 {kind} set"
            namespace = _with_sets(stack, setting, name, count, interval=interval)
            contenders.append(contender(name, f"the same addresses in {plural}", namespace))
        yield from take_turns("packets", contenders, setting, runs=setting.runs if setting.quick else 3 * setting.runs)


def rules(setting: Setting) -> Iterator[Row]:
    million, networks = setting.inputs.million(), setting.inputs.networks()
    clean = clean_sources(million.body(), networks.body())
    banned = banned_sources(million.body())
    sources = {"clean": clean, "banned": banned, "banned-network": banned_sources(networks.body())}
    with ExitStack() as stack:
        layouts = {
            "no-rules": ("no rules but the last one", stack.enter_context(apart()), ["clean"]),
            "banlistd-1": (
                "banlistd, 1,000,000 addresses in 1 source",
                guarded(stack, [million.path]).namespace,
                ["clean", "banned"],
            ),
            "banlistd-networks": (
                f"banlistd, these and {networks.entries:,} networks",
                guarded(stack, [million.path, networks.path]).namespace,
                [*sources],
            ),
            "hash-1": (
                "the same addresses in 1 hash set",
                _with_sets(stack, setting, "hash-1", 1, interval=False),
                ["clean", "banned"],
            ),
            "interval-1": (
                "the same addresses in 1 interval set",
                _with_sets(stack, setting, "interval-1", 1, interval=True),
                ["clean", "banned"],
            ),
        }
        contenders = []
        for name, (what, namespace, kinds) in layouts.items():
            namespace.command("nft", _LAST_RULE)
            street = street_to(stack, namespace, quick=setting.quick)
            for kind in kinds:
                for count in (_FEW_FLOWS, FLOWS):
                    target = None if name == "no-rules" else beside(f"rules/no-rules-clean-{count}")
                    contains = f"a packet of 60 octets, {count:,} {kind} addresses in turn"
                    file = _sources_in(setting.folder, kind, count, sources[kind])
                    contenders.append(_cost(f"{name}-{kind}-{count}", f"{what}; {contains}", street, file, target))
        yield from take_turns("rules", contenders, setting)


def scopes(setting: Setting) -> Iterator[Row]:
    """What sources with a scope add to a clean packet: their number does not count, that of their scopes does."""
    million = setting.inputs.million()
    clean = clean_sources(million.body())
    with ExitStack() as stack:
        contenders = []
        for name, count, sources in (("none", 0, 20), ("1", 1, 20), ("3", 3, 20), ("10", 10, 20), ("10-of-100", 10, 100)):
            paths = setting.inputs.parts(million, sources)
            # The packets go to another port, as those of a host's services do.
            keys = [f"ports: [{1000 + number % count}]" if count else "" for number in range(sources)]
            namespace = guarded(stack, paths, keys).namespace
            namespace.command("nft", _LAST_RULE)
            street = street_to(stack, namespace, quick=setting.quick)
            file = _sources_in(setting.folder, "clean", FLOWS, clean)
            what = f"banlistd, 1,000,000 addresses in {sources} sources of {count} scopes; a clean packet of 60 octets"
            target = beside("scopes/none") if count else None
            contenders.append(_cost(name, what, street, file, target))
        yield from take_turns("scopes", contenders, setting)


def _cost(name: str, what: str, street: Street, sources: Path, target: Target | None) -> Contender:
    return Contender(name, what, partial(street.cost, sources), target, unit="ns")


def _sources_in(folder: Path, kind: str, count: int, sources: bytes) -> Path:
    file = folder / f"{kind}-{count}.sources"
    file.write_bytes(sources[: count * _OCTETS_OF_AN_ADDRESS])
    return file


def _with_sets(stack: ExitStack, setting: Setting, name: str, count: int, *, interval: bool) -> NetworkNamespace:
    """A namespace with the usual rules of nftables: a set for each of so many lists."""
    setting.say(f"building {name}")
    script = nft_layout(
        setting.folder / f"{name}.nft", setting.inputs.parts(setting.inputs.million(), count), interval=interval
    )
    namespace = stack.enter_context(apart())
    namespace.run(partial(run, ["nft", "-f", script]))
    return namespace
