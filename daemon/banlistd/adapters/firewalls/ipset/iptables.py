"""The host's iptables, legacy or nft: reads our chains, and writes the script that brings them to the desired state.

Our chains begin with `banlistd-`. In other chains we read and write only the jumps to ours. A table of a family changes in one
transaction, and a script that ends early, because its writer was killed, changes no table: it has no COMMIT.
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
from banlistd.errors import FirewallError, RefusedRuleError
from banlistd.model import Counter, Family, Mark, SourceSlot

TABLES = ("raw", "filter")

# Seconds. A program that writes ten thousand rules may have the lock of iptables for as long.
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
    "holding the xtables lock": "another program keeps writing rules: find and stop it",
}
_LINE = re.compile(r"(?:\[(\d+):(\d+)\] )?-A (\S+) ?(.*)")


@dataclass(frozen=True, slots=True)
class Rule:
    """`text`: what follows `-A CHAIN`."""

    text: str
    counter: Counter


@dataclass(frozen=True, slots=True)
class SavedTable:
    """`chains`: ours. `jumps`: by foreign chain, its rules that jump to our chains: rule number, from 1, and target."""

    chains: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    jumps: Mapping[str, Sequence[tuple[int, str]]] = field(default_factory=dict)


SavedTables = Mapping[str, SavedTable]
"""Our chains and jumps in one family, by table."""


def parse_saved(saved: str) -> SavedTables:
    """Parse the output of `iptables-save -c`. A conditional jump to a chain of ours is not our rule, and is left out."""
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
            packets, octets, chain, text = found.groups()
            if is_ours(chain):
                chains.setdefault(chain, []).append(Rule(text, Counter(int(packets or 0), int(octets or 0))))
                continue
            places[chain] = places.get(chain, 0) + 1
            target = text.removeprefix("-j ")
            if text.startswith("-j ") and is_ours(target):
                jumps.setdefault(chain, []).append((places[chain], target))
    return {name: table for name, table in tables.items() if table.chains or table.jumps}


def rule_lines(ruleset: SavedTables) -> list[str]:
    """The present rules as lines without counters: equal if the rules are equal."""
    lines = []
    for name, table in sorted(ruleset.items()):
        for chain, jumps in sorted(table.jumps.items()):
            lines += [f"{name} {chain} {place} {target}" for place, target in jumps]
        for chain, rules in sorted(table.chains.items()):
            lines += [f"{name} {chain}", *(f"{name} {chain} {rule.text}" for rule in rules)]
    return lines


def expected_lines(sources: Sequence[SourceSlot], family: Family) -> list[str]:
    """The desired rules as lines. They do not depend on the variant of iptables, and differ from those of `rule_lines`."""
    lines = [f"{table} {chain} {targets}" for table, jumps in jumps_of(sources).items() for chain, targets in jumps.items()]
    for table, chains in chains_of(sources, family).items():
        lines += [f"{table} {chain} {rule}" for chain, rules in chains.items() for rule in (*rules, "")]
    return lines


def counters_of(ruleset: SavedTables) -> Mapping[Mark, Counter]:
    """The counter of each source: the sum over the last rules of its chains."""
    found: dict[Mark, Counter] = {}
    for table in ruleset.values():
        for chain, rules in table.chains.items():
            mark = mark_of(chain)
            if mark is not None and rules:
                before, now = found.get(mark, Counter(0, 0)), rules[-1].counter
                found[mark] = Counter(before.packets + now.packets, before.octets + now.octets)
    return found


def script(sources: Sequence[SourceSlot] | None, family: Family, present: SavedTables, *, deletes: bool = True) -> str:
    """The script that turns the `present` rules into those of the sources; None: into no rules. It keeps their counters.

    It empties the surplus chains, and `deletes` them.
    """
    wanted = chains_of(sources, family) if sources is not None else {}
    jumps = jumps_of(sources) if sources is not None else {}
    order = order_of(sources) if sources is not None else TABLES
    return "".join(
        _table(name, wanted.get(name, {}), jumps.get(name, {}), present.get(name, SavedTable()), deletes=deletes)
        for name in order
    )


def _table(name: str, chains: Chains, jumps: Mapping[str, tuple[str, ...]], present: SavedTable, *, deletes: bool) -> str:
    lines = []
    for chain in sorted({*present.jumps, *jumps}):
        before = present.jumps.get(chain, ())
        targets = jumps.get(chain, ())
        if list(before) != [*enumerate(targets, 1)]:
            lines += [f"-D {chain} -j {target}" for _, target in before]
            lines += [f"-I {chain} {place} -j {target}" for place, target in enumerate(targets, 1)]
    surplus = sorted(present.chains.keys() - chains.keys())
    # A declaration creates a chain or empties an existing one, before any rule is added.
    declared = [f":{chain} - [0:0]" for chain in (*chains, *surplus)]
    for chain, rules in chains.items():
        rules_before = present.chains.get(chain, ())
        counted = rules_before[-1].counter if mark_of(chain) is not None and rules_before else Counter(0, 0)
        counts = [Counter(0, 0)] * (len(rules) - 1) + [counted]
        lines += [f"[{count.packets}:{count.octets}] -A {chain} {rule}" for count, rule in zip(counts, rules, strict=True)]
    lines += [f"-X {chain}" for chain in surplus] if deletes else []
    if not declared and not lines:
        return ""
    return "".join(f"{line}\n" for line in (f"*{name}", *declared, *lines, "COMMIT"))


class Iptables:
    """Runs the programs. `variant`: `legacy` or `nft`, or empty for the one that the host calls iptables."""

    def __init__(self, variant: str = "") -> None:
        self._infix = f"-{variant}" if variant else ""

    def look(self) -> Mapping[Family, SavedTables]:
        """Our present rules, in the families that this kernel supports. Creates no table. Raises FirewallError."""
        return {family: parse_saved(self._run(family, "save", "--counters")) for family in self.families()}

    def write(self, sources: Sequence[SourceSlot] | None, before: Mapping[Family, SavedTables]) -> None:
        """Write the rules of the sources; `before`: the present ones, None for `sources`: remove all. Raises FirewallError,
        or RefusedRuleError, after which one family may have the new rules.
        """
        for family in self.families():
            present = before.get(family, {})
            written = script(sources, family, present)
            kept = script(sources, family, present, deletes=False)
            try:
                self._restore(family, written)
            except RefusedRuleError:
                if kept == written:
                    raise
                # A rule of another program may jump to a surplus chain: that one stays, without rules.
                self._restore(family, kept)

    def _restore(self, family: Family, written: str) -> None:
        if written:
            self._run(family, "restore", "--noflush", "--counters", "--wait", _WAIT, given=written)

    def is_installed(self) -> bool:
        return all(shutil.which(self._program(family, "restore")) for family in Family)

    @staticmethod
    def families() -> Sequence[Family]:
        """A kernel may have IPv6 disabled; then it receives no IPv6 packet, and ip6tables fails."""
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
            done = subprocess.run(  # noqa: S603 - one of eight fixed names; the variable part is the standard input
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
            hint = next((hint for message, hint in _HINTS.items() if message in done.stderr), "")
            refusal = FirewallError if hint or does != "restore" else RefusedRuleError
            raise refusal(f"{program} refused the rules: {said[:200]!r}", hint or f"{program} --version")
        return done.stdout
