"""What people use today, run for real: each is given the list in its own language, written beforehand and not counted."""

from collections.abc import Sequence
from pathlib import Path

SET = "bench"
# What is there already is no fault: a list may say a thing twice.
IPSET_RESTORE = ("ipset", "-exist", "restore", "-file")


def nft_script(folder: Path, addresses: Sequence[str], *, interval: bool, family: str = "ipv4_addr") -> Path:
    """A table with one set, for `nft -f`; `interval` with auto-merge, as nearly every script does."""
    path = folder / f"{'interval' if interval else 'hash'}.nft"
    flags = "flags interval; auto-merge; " if interval else ""
    elements = ", ".join(addresses)
    path.write_text(f"table inet bench {{\n set {SET} {{ type {family}; {flags}elements = {{ {elements} }} }}\n}}\n")
    return path


def ipset_script(folder: Path, addresses: Sequence[str], *, kind: str, family: str = "inet") -> Path:
    """For `ipset restore`; `kind` is hash:net, which takes any list, or hash:ip."""
    path = folder / f"{kind.replace(':', '-')}.ipset"
    head = f"create {SET} {kind} family {family} maxelem {len(addresses) + 1}\n"
    path.write_text(head + "".join(f"add {SET} {address}\n" for address in addresses))
    return path


def nft_flush_script(path: Path, addresses: Sequence[str]) -> Path:
    """For a set that stands: its whole content anew, in one transaction."""
    path.write_text(f"flush set inet bench {SET}\nadd element inet bench {SET} {{ {', '.join(addresses)} }}\n")
    return path


def ipset_swap_script(path: Path, addresses: Sequence[str], *, kind: str = "hash:net") -> Path:
    """For a set that stands: another one, and then the two change places."""
    head = f"create {SET}-new {kind} family inet maxelem {len(addresses) + 1}\n"
    tail = f"swap {SET}-new {SET}\ndestroy {SET}-new\n"
    path.write_text(f"{head}{''.join(f'add {SET}-new {address}' + chr(10) for address in addresses)}{tail}")
    return path


def nft_layout(path: Path, lists: Sequence[Path], *, interval: bool) -> Path:
    """A set and a rule for each list, looked up where banlistd does."""
    flags = "flags interval; auto-merge; " if interval else ""
    sets, rules = [], []
    for number, listed in enumerate(lists):
        elements = ", ".join(listed.read_text().split())
        sets.append(f" set s{number} {{ type ipv4_addr; {flags}elements = {{ {elements} }} }}\n")
        rules.append(f"  ip saddr @s{number} counter drop\n")
    chain = f" chain in {{ type filter hook prerouting priority raw;\n{''.join(rules)} }}\n"
    path.write_text(f"table inet bench {{\n{''.join(sets)}{chain}}}\n")
    return path
