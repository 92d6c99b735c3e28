"""banlistctl prove, declared; `proof` does it, and is imported only then."""

import argparse

from banlistd.control.declaration import LocalCommand


def _run(arguments: argparse.Namespace) -> int:
    from banlistd.ctl.proving.proof import run_proof  # noqa: PLC0415 - threads, sockets and subprocesses: other commands need none

    return run_proof(arguments)


PROVE = LocalCommand(
    name="prove",
    help="prove with packets that a ban takes effect on this host",
    run=_run,
    details="Sends packets of a test address (documentation networks, RFC 5737 and RFC 3849) from a network namespace of its"
    " own through the rules of this host: to this host and, where it forwards, to another namespace, also through a"
    " published (DNAT) address; first without a ban, then with one. An address without a ban is sent beside it and must"
    " arrive. Where other rules of this host stop every packet, the counter of the manual bans must take those of the banned"
    " address. PROTECTED: every path stops banned packets. DEGRADED: a path is not proven, or some traffic passes no rule;"
    " the answer names it. OPEN: a banned packet arrived. Only root may do that, in the network namespace of the daemon."
    " Whatever the backend is, the ban takes its usual way: with fail2ban, it is proven what the action of the jail stops:"
    " an action for TCP alone lets the datagrams (UDP) of a proof pass."
    " Namespaces, links and routes end with the command, even if it is killed; the ban of one that was killed ends after a"
    " minute, and the next proof, or the next start of the daemon, removes the rest.",
    exits={1: "DEGRADED: not all is proven or covered", 2: "OPEN: a banned packet arrived"},
)
