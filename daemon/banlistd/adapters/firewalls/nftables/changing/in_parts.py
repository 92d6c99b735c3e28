"""Has nft write the structure, in several transactions where one does not fit into nft's socket buffer: that of a process
without rights on the machine, as in a container, takes the rules of some hundred sources.
"""

from collections.abc import Sequence

from banlistd.adapters.firewalls.nftables.nft import run_nft
from banlistd.adapters.netlink.nft_monitor import Absence
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.errors import TooLargeError

_FLUSH, _DELETE, _ADD, _RULE = ("flush", "chain"), ("delete", "chain"), ("add", "chain"), ("add", "rule")
_OF_MAPS = ("map", "element")


def write_structure(script: str, wire: NetlinkSocket, absence: Absence) -> None:
    """`run_nft`; raises what that raises, and TooLargeError where no part can be smaller."""
    _write([script], wire, absence)


def _write(units: Sequence[str], wire: NetlinkSocket, absence: Absence) -> None:
    try:
        run_nft("".join(units), wire, absence)
    except TooLargeError:
        smaller = units_of(units[0]) if len(units) == 1 else units
        if len(smaller) == 1:
            raise
        half = len(smaller) // 2
        _write(smaller[:half], wire, absence)
        _write(smaller[half:], wire, absence)


def units_of(script: str) -> Sequence[str]:
    """Parts of a script of `structure`, each for a transaction of its own; after none of them a ban is missing that was there.

    A chain is emptied and gets its rules in one of them; chains and maps are there before the rules that name them, and chains
    go after all rules are written.
    """
    lines = script.splitlines(keepends=True)
    words = [line.split() for line in lines]
    added = {line[4] for line in words if tuple(line[:2]) == _ADD}
    deleted = {line[4] for line in words if tuple(line[:2]) == _DELETE}
    rules: dict[str, list[str]] = {line[4]: [] for line in words if tuple(line[:2]) == _RULE}
    first: list[str] = []
    last: list[str] = []
    maps: list[str] = []
    for line, (verb, thing, _, _, *name) in zip(lines, words, strict=True):
        chain = "".join(name[:1])
        if (verb, thing) == _RULE or ((verb, thing) == _FLUSH and chain in rules and chain not in deleted):
            rules[chain].append(line)
        elif thing in _OF_MAPS:
            maps.append(line)
        elif chain not in added and (verb != "add" or chain in deleted):
            last.append(line)
        else:
            first.append(line)
    return [one for one in (*first, "".join(maps), *map("".join, rules.values()), *last) if one]
