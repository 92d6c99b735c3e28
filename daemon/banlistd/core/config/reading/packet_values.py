"""How the conditions of a scope are written: each reader takes a text and raises Unfit. Pure."""

import re

from banlistd.core.config.values import Unfit, among, closest
from banlistd.core.printing import shown
from banlistd.scopes.names import SCOPE_PROTOCOLS

# What the kernel takes (15 octets, no slash) and nft reads in quotes; an asterisk at the end would be a pattern there.
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}", re.ASCII)
_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
_LAST_PORT = 65535


def interface(text: str) -> str:
    if not _INTERFACE.fullmatch(text) or text in (".", ".."):
        raise Unfit(f"{shown(text)} is not the name of an interface", "write eth0, as `ip link` shows it; no patterns")
    return text


def ports(text: str) -> tuple[int, int]:
    """First and last, both inclusive."""
    match = _PORT.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 0 < first <= last <= _LAST_PORT:
        raise Unfit(f"{shown(text)} is neither a port nor a range of ports", "write 22, or 6000-6010")
    return first, last


def protocol(text: str) -> str:
    if text not in SCOPE_PROTOCOLS:
        near = closest(text, SCOPE_PROTOCOLS)
        raise Unfit(f"{shown(text)} is not a protocol", f"did you mean {near}?" if near else f"write {among(SCOPE_PROTOCOLS)}")
    return text
