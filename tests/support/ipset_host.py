"""A host with ipset and iptables, seen from outside: its own programs, run where the caller is. Nothing of banlistd's own."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

PROGRAMS = ("iptables", "ip6tables")
BUILT_IN = (":PREROUTING", ":INPUT", ":FORWARD", ":OUTPUT", ":POSTROUTING")


def command(*words: str, given: str | None = None) -> str:
    """What a program prints; it must succeed."""
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


def ipset(*words: str, given: str | None = None) -> str:
    return command("ipset", *words, given=given)


@dataclass(frozen=True)
class Iptables:
    """`variant`: `nft` or `legacy`, or empty for what the host calls iptables."""

    variant: str

    def __call__(self, *words: str, program: str = "iptables") -> str:
        return command(self._name(program), *words)

    @property
    def restore(self) -> Sequence[str]:
        return [self._name("iptables", "restore"), "--noflush", "--counters"]

    def skip_if_missing(self) -> None:
        """Skip where a program is missing, or cannot do what it is for: no such table in this kernel, no permission."""
        nothing = "*raw\nCOMMIT\n*filter\nCOMMIT\n"
        probes = [("ipset", "list", "-n"), *((self._name(program, "restore"), "--noflush") for program in PROGRAMS)]
        for words in probes:
            if not shutil.which(words[0]):
                pytest.skip(f"no command {words[0]}")
            done = subprocess.run(words, input=nothing, capture_output=True, text=True, check=False, timeout=120)
            if done.returncode:
                pytest.skip(f"{words[0]}: {done.stderr.strip().splitlines()[0]}")

    def saved(self, *, counters: bool = False) -> Sequence[str]:
        """All chains and rules of both families, without comments; built-in chains only where they have rules."""
        lines: list[str] = []
        for program in PROGRAMS:
            words = command(self._name(program, "save"), *(["--counters"] if counters else [])).splitlines()
            table = ""
            for line in words:
                table = line if line.startswith("*") else table
                if not line.startswith(("#", "*", "COMMIT", *BUILT_IN)) and line:
                    lines.append(f"{program} {table} {line}")
        return lines

    def _name(self, program: str, does: str = "") -> str:
        return "-".join(part for part in (program, self.variant, does) if part)


def set_names() -> Sequence[str]:
    return sorted(ipset("list", "-n").split())


def members(name: str) -> Sequence[str]:
    """The elements of a set as ipset prints them, without the number of octets, which says nothing."""
    listing = ipset("list", name, "-s").splitlines()
    return [line.removesuffix(" bytes 0") for line in listing[listing.index("Members:") + 1 :]]
