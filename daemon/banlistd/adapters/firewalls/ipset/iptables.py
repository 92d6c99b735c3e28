"""The host's iptables, legacy or nft: what it says of our chains, and the script that makes them what they shall be.

Chains of ours begin with `banlistd-`. Of chains of others nothing is read but where they jump to ours, and nothing is written
but those jumps. A table of a family changes in one transaction, and a script that is cut short, because its writer was killed,
changes none: it ends without COMMIT.
"""

import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import environ

from banlistd.adapters.firewalls.ipset.rules import Chains, chains_of, jumps_of, mark_of, order_of
from banlistd.adapters.firewalls.ipset.sets import is_ours
from banlistd.errors import FirewallError
from banlistd.model import Counter, Family, Mark, SourceSlot

TABLES = ("raw", "filter")

# The lock of iptables may be held by a program that writes ten thousand rules.
_WAIT = "10"
_DEADLINE = 60.0
_NO_PERMISSION = (
    "it needs CAP_NET_ADMIN and CAP_NET_RAW, and to read the lock of iptables-legacy;"
    " banlistctl install-units --backend ipset grants them to the service"
)
_HINTS: Mapping[str, str] = {
    "ermission denied": _NO_PERMISSION,
    "not permitted": _NO_PERMISSION,
    "Can't open socket to ipset": _NO_PERMISSION,
    "unable to initialize table": f"{_NO_PERMISSION}; or the kernel lacks the table",
    "match `set'": "the iptables package lacks its match `set`",
    "holding the xtables lock": "see what else writes rules all the time",
}
_LINE = re.compile(r"(?:\[(\d+):(\d+)\] )?-A (\S+) ?(.*)")


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows `-A CHAIN`, and what it has counted."""

    words: str
    counter: Counter


@dataclass(frozen=True, slots=True)
class SavedTable:
    """Our chains, and of each chain of others our chains that it jumps to, with the places of these rules from 1."""

    chains: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    jumps: Mapping[str, Sequence[tuple[int, str]]] = field(default_factory=dict)


SavedTables = Mapping[str, SavedTable]
"""What stands of ours in one family, by table."""


def parse_saved(saved: str) -> SavedTables:
    """What `iptables-save -c` says. A rule that jumps to a chain of ours on some condition is not ours, and not told."""
    tables: dict[str, SavedTable] = {}
    chains: dict[str, list[Rule]] = {}
    jumps: dict[str, list[tuple[int, str]]] = {}
    places: dict[str, int] = {}
    for line in saved.splitlines():
        if line.startswith("*"):
            chains, jumps, places = {}, {}, {}
            tables[line[1:].strip()] = SavedTable(chains, jumps)
        elif line.startswith(":") and is_ours(chain := line[1:].split(maxsplit=1)[0]):
            chains.setdefault(chain, [])
        elif found := _LINE.fullmatch(line):
            packets, octets, chain, words = found.groups()
            if is_ours(chain):
                chains.setdefault(chain, []).append(Rule(words, Counter(int(packets or 0), int(octets or 0))))
                continue
            places[chain] = places.get(chain, 0) + 1
            target = words.removeprefix("-j ")
            if words.startswith("-j ") and is_ours(target):
                jumps.setdefault(chain, []).append((places[chain], target))
    return {name: table for name, table in tables.items() if table.chains or table.jumps}


def rule_lines(standing: SavedTables) -> list[str]:
    """What stands as lines that are equal where the rules are, whatever they have counted."""
    lines = []
    for name, table in sorted(standing.items()):
        for chain, jumps in sorted(table.jumps.items()):
            lines += [f"{name} {chain} {place} {target}" for place, target in jumps]
        for chain, rules in sorted(table.chains.items()):
            lines += [f"{name} {chain}", *(f"{name} {chain} {rule.words}" for rule in rules)]
    return lines


def meant(sources: Sequence[SourceSlot], family: Family) -> list[str]:
    """What shall stand, as lines; they say the same of one iptables or another, and are not what `lines_of` says."""
    lines = [f"{table} {chain} {targets}" for table, jumps in jumps_of(sources).items() for chain, targets in jumps.items()]
    for table, chains in chains_of(sources, family).items():
        lines += [f"{table} {chain} {rule}" for chain, rules in chains.items() for rule in (*rules, "")]
    return lines


def counters_of(standing: SavedTables) -> Mapping[Mark, Counter]:
    """Of each source what its chains have counted: the last rule of each."""
    found: dict[Mark, Counter] = {}
    for table in standing.values():
        for chain, rules in table.chains.items():
            mark = mark_of(chain)
            if mark is not None and rules:
                before, now = found.get(mark, Counter(0, 0)), rules[-1].counter
                found[mark] = Counter(before.packets + now.packets, before.octets + now.octets)
    return found


def script(sources: Sequence[SourceSlot] | None, family: Family, standing: SavedTables) -> str:
    """What makes of what stands what shall stand: for a roster, or for None nothing. Counters of sources are kept."""
    wanted = chains_of(sources, family) if sources is not None else {}
    jumps = jumps_of(sources) if sources is not None else {}
    order = order_of(sources) if sources is not None else TABLES
    parts = [_table(name, wanted.get(name, {}), jumps.get(name, {}), standing.get(name, SavedTable())) for name in order]
    return "".join(parts)


def _table(name: str, chains: Chains, jumps: Mapping[str, tuple[str, ...]], standing: SavedTable) -> str:
    lines = []
    for chain in sorted({*standing.jumps, *jumps}):
        present = standing.jumps.get(chain, ())
        targets = jumps.get(chain, ())
        if list(present) != [*enumerate(targets, 1)]:
            lines += [f"-D {chain} -j {target}" for _, target in present]
            lines += [f"-I {chain} {place} -j {target}" for place, target in enumerate(targets, 1)]
    surplus = sorted(standing.chains.keys() - chains.keys())
    # Declared, a chain is made, or emptied if it stands; all of that is done before any rule is added.
    declared = [f":{chain} - [0:0]" for chain in (*chains, *surplus)]
    for chain, rules in chains.items():
        before = standing.chains.get(chain, ())
        counted = before[-1].counter if mark_of(chain) is not None and before else Counter(0, 0)
        counts = [Counter(0, 0)] * (len(rules) - 1) + [counted]
        lines += [f"[{count.packets}:{count.octets}] -A {chain} {rule}" for count, rule in zip(counts, rules, strict=True)]
    lines += [f"-X {chain}" for chain in surplus]
    if not declared and not lines:
        return ""
    return "".join(f"{line}\n" for line in (f"*{name}", *declared, *lines, "COMMIT"))


class Iptables:
    """The programs. `variant`: `legacy` or `nft`, or empty for what the host calls iptables."""

    def __init__(self, variant: str = "") -> None:
        self._infix = f"-{variant}" if variant else ""

    def look(self) -> Mapping[Family, SavedTables]:
        """What stands of ours, in the families that this kernel speaks. Makes no table. Raises FirewallError."""
        return {family: parse_saved(self._run(family, "save", "--counters")) for family in self.families()}

    def write(self, sources: Sequence[SourceSlot] | None, before: Mapping[Family, SavedTables]) -> None:
        """Make the rules what they shall be, given what stands. Raises FirewallError."""
        for family in self.families():
            written = script(sources, family, before.get(family, {}))
            if written:
                self._run(family, "restore", "--noflush", "--counters", "--wait", _WAIT, given=written)

    def is_installed(self) -> bool:
        return all(shutil.which(self._program(family, "restore")) for family in Family)

    @staticmethod
    def families() -> Sequence[Family]:
        """IPv6 may be switched off in a kernel; then no packet of it comes, and ip6tables fails."""
        try:
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
        except OSError:
            return (Family.IPV4,)
        return (Family.IPV4, Family.IPV6)

    def _program(self, family: Family, does: str) -> str:
        return f"{'iptables' if family is Family.IPV4 else 'ip6tables'}{self._infix}-{does}"

    def _run(self, family: Family, does: str, *options: str, given: str = "") -> str:
        program = self._program(family, does)
        try:
            done = subprocess.run(  # noqa: S603 - one of eight names; all that changes is on the standard input
                [program, *options],
                input=given,
                capture_output=True,
                text=True,
                check=False,
                timeout=_DEADLINE,
                errors="replace",
                env={**environ, "LC_ALL": "C"},
            )
        except FileNotFoundError as exc:
            raise FirewallError(f"there is no command {program}", "install the iptables package") from exc
        except PermissionError as exc:
            raise FirewallError(f"{program} may not be executed", _NO_PERMISSION) from exc
        except subprocess.TimeoutExpired as exc:
            raise FirewallError(f"{program} did not end within {_DEADLINE:.0f} s", "see what else writes rules") from exc
        if done.returncode:
            said = next((line for line in done.stderr.splitlines() if line.strip()), "nothing")
            hint = next((hint for words, hint in _HINTS.items() if words in done.stderr), f"{program} --version")
            raise FirewallError(f"{program} refused the rules: {said[:200]!r}", hint)
        return done.stdout
