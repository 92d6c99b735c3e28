"""A new list: from its bytes on disk to the kernel, beside the limit and beside what people use today."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from bench.application import application, measure_limit, peak_rss
from bench.inputs import Listing
from bench.measuring import MIB, Sample, run_apart
from bench.peers import IPSET_RESTORE, ipset_script, nft_script
from bench.rows import Row, Target, at_least_times, at_most, at_most_times, beside
from bench.setting import Setting
from bench.turns import Contender, take_turns

_IMPORT = (
    "file on disk -> unpacked and parsed in the process without rights, guarded, planned, committed in the kernel, marker and"
    " ledger written; duration_ms of a running daemon's event"
)
_LIMIT = "one sendmsg of the ready batch of the same list"
_WHOLE = "whole process; its script was written beforehand"
# What the guards would rightly refuse: a list of all that is not in use.
_BOGONS = ", guards: {widest6: off, share: off}"


def million(setting: Setting) -> Iterator[Row]:
    listing = setting.inputs.million()
    ours = _ours(listing, at_most_times(1.35, "1m/limit"))
    contenders = [ours, _limit(listing), *_peers("1m", setting.folder, listing.lines(), ipset_ip=True)]
    yield from take_turns("1m", contenders, setting)
    yield _memory("1m", ours, 120)


def random_million(setting: Setting) -> Iterator[Row]:
    listing = setting.inputs.random_million()
    ours = _ours(listing, at_most_times(1.35, "1m-random/limit"))
    contenders = [ours, _limit(listing), *_peers("1m-random", setting.folder, listing.lines())]
    yield from take_turns("1m-random", contenders, setting)
    yield _memory("1m-random", ours, 120)


def three_million(setting: Setting) -> Iterator[Row]:
    listing = setting.inputs.three_million()
    ours = _ours(listing, at_most_times(1.6, "3m2/limit"))
    peers = [peer for peer in _peers("3m2", setting.folder, listing.lines(), most=1) if peer.name != "nft-interval"]
    most = setting.peace.most_elements()
    if most is not None and most < listing.entries:
        raise MemoryError(f"others listen to nf_tables: no more than {most:,} elements may be loaded (bench.listeners)")
    yield from take_turns("3m2", [ours, _limit(listing), *peers], setting)
    yield _memory("3m2", ours, 260)


def networks(setting: Setting) -> Iterator[Row]:
    listing = setting.inputs.networks()
    peers = _peers("networks", setting.folder, listing.lines(), hashed=False)
    yield from take_turns("networks", [_ours(listing, at_most_times(1.5, "networks/limit")), _limit(listing), *peers], setting)


def bogons6(setting: Setting) -> Iterator[Row]:
    listing = setting.inputs.bogons6()
    script = nft_script(setting.folder, listing.lines(), interval=True, family="ipv6_addr")
    theirs = partial(run_apart, "nft", "-f", script)
    what = f"nft -f, interval set, auto-merge; {_WHOLE}"
    interval = Contender("nft-interval", what, theirs, beside("bogons6/banlistd"), loads=True, fills=True)
    contenders = [_ours(listing, at_most(1000), _BOGONS), _limit(listing), interval]
    yield from take_turns("bogons6", contenders, setting)


def _ours(listing: Listing, target: Target, keys: str = "") -> Contender:
    return Contender("banlistd", _IMPORT, partial(_import, listing, keys), target, loads=True, fills=True)


def _limit(listing: Listing) -> Contender:
    return Contender("limit", _LIMIT, partial(measure_limit, listing.path), loads=True, fills=True)


def _peers(
    case: str, folder: Path, lines: Sequence[str], *, most: int = 3, hashed: bool = True, ipset_ip: bool = False
) -> Iterator[Contender]:
    ours = f"{case}/banlistd"
    interval = nft_script(folder, lines, interval=True)
    yield Contender(
        "nft-interval",
        f"nft -f, interval set, auto-merge; {_WHOLE}",
        partial(run_apart, "nft", "-f", interval),
        at_least_times(10, ours) if hashed else beside(ours),
        most,
        loads=True,
        fills=True,
    )
    if hashed:
        script = nft_script(folder, lines, interval=False)
        theirs = partial(run_apart, "nft", "-f", script)
        yield Contender("nft-hash", f"nft -f, hash set; {_WHOLE}", theirs, beside(ours), most, loads=True, fills=True)
    for kind in ("hash:net", "hash:ip") if ipset_ip else ("hash:net",):
        script = ipset_script(folder, lines, kind=kind)
        yield Contender(
            f"ipset-{kind[5:]}",
            f"ipset restore, {kind}; {_WHOLE}",
            partial(run_apart, *IPSET_RESTORE, script),
            at_least_times(3, ours) if hashed else beside(ours),
            most,
            program="ipset",
        )


def _memory(case: str, contender: Contender, most: float) -> Row:
    peaks = [sample.peak_rss / MIB for sample in contender.samples]
    what = "peak RSS (VmHWM) of the daemon from its start to the end of the import"
    return Row(f"{case}/banlistd-memory", what, "MB", peaks, contender.peak_rss, at_most(most))


def _import(listing: Listing, keys: str) -> Sample:
    """A fresh daemon imports a list: what its event says that it took, and the peak of its memory."""
    with application(f'id: bench, path: "{listing.path}"{keys}') as home, home.start() as daemon:
        event = daemon.wait_for("blocklist_import_completed")
        sample = Sample(float(event["duration_ms"]), peak_rss(daemon))
        daemon.terminate()
        return sample
