"""Runs the program `nft`, which writes the structure: chains, their rules, counters."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from banlistd.adapters.firewalls.nftables.ownership import adopt, owns
from banlistd.adapters.firewalls.nftables.structure import TABLE
from banlistd.adapters.netlink.nft_monitor import Absence
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.errors import FirewallError, RefusedRuleError, TooLargeError
from banlistd.model import Remark

NEEDED_RIGHTS = "it needs CAP_NET_ADMIN, and a table that belongs to no other process"

# Seconds. nft reads the ruleset before it writes; a minute is far beyond any measured time.
_NFT_DEADLINE = 60.0

_FORBIDDEN, _TOO_LONG = "not permitted", "Message too long"
_INSTALL = "install the nftables package"
_LOOK = f"nft --version; nft list table inet {TABLE}"
_TOO_SLOW, _SEE_WHAT_WRITES = f"nft did not end within {_NFT_DEADLINE:.0f} s", "see what else writes to nftables"


def run_nft(script: str, wire: NetlinkSocket, absence: Absence) -> None:
    """Run a script by nft; it is one transaction. Raises FirewallError, RefusedRuleError or TooLargeError, with its first line.

    A table that we own is an orphan while nft runs.
    """
    if not script:
        return
    orphaned = owns(wire)
    if orphaned:
        wire.reopen()
    before = wire.generation()
    try:
        done = _run(script)
    except FileNotFoundError as exc:
        raise FirewallError("there is no command nft", _INSTALL) from exc
    except subprocess.TimeoutExpired as exc:
        raise FirewallError(_TOO_SLOW, _SEE_WHAT_WRITES) from exc
    if done.returncode:
        said = _said_by(done)
        if _FORBIDDEN in said:
            raise FirewallError(f"nft refused the structure: {said!r}", NEEDED_RIGHTS)
        if _TOO_LONG in said:
            raise TooLargeError(f"nft cannot send the structure: {said!r}", "raise net.core.wmem_max on the host")
        raise RefusedRuleError(f"nft refused the structure: {said!r}", _LOOK)
    absence.commits += min(1, wire.generation() - before)
    if orphaned:
        absence.commits += adopt(wire)


def accepts(script: str) -> bool:
    """Whether nft and the kernel would carry the script out; the kernel checks it and then forgets it."""
    return refusal_of(script) is None


def refusal_of(script: str) -> Remark | None:
    """Why they would not; without a message, where this process may not know."""
    try:
        done = _run(script, "--check")
    except FileNotFoundError:
        return Remark("there is no command nft", _INSTALL)
    except subprocess.TimeoutExpired:
        return Remark(_TOO_SLOW, _SEE_WHAT_WRITES)
    if not done.returncode:
        return None
    said = _said_by(done)
    return Remark("" if _FORBIDDEN in said or _TOO_LONG in said else f"nft refuses the rules: {said!r}", _LOOK)


def _said_by(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.splitlines() or ["nothing"])[0][:200]


def _run(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    with _whole(script) as file:
        # Distributions disagree on the folder of nft; systemd gives a PATH of system folders. The options are ours.
        return subprocess.run(  # noqa: S603
            ["nft", *options, "-f", "-"],  # noqa: S607
            stdin=file,
            capture_output=True,
            text=True,
            check=False,
            timeout=_NFT_DEADLINE,
            env={**os.environ, "LC_ALL": "C"},
        )


@contextmanager
def _whole(script: str) -> Iterator[IO[str]]:
    """A file in memory with the whole script, complete before nft reads it.

    A pipe whose writer is killed ends like one whose writer is done, and nft would then carry out the part that it
    received: chains flushed, and their rules not yet written (seen).
    """
    with os.fdopen(os.memfd_create("nft"), "w+", encoding="ascii") as file:
        file.write(script)
        file.seek(0)
        yield file
