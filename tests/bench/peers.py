"""What people use today, run for real: each is given the list in its own language, written beforehand and not counted."""

from collections.abc import Sequence
from pathlib import Path

SET = "bench"


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
