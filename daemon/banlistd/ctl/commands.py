"""The commands as a table: what each asks the daemon, how the answer reads, and which exit code it stands for."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from banlistd.ctl import wording
from banlistd.ctl.client import Question

NOT_BANNED = 1  # as grep: asked and answered, but not found
UNAVAILABLE = 69  # EX_UNAVAILABLE

# A refresh fetches lists, each with a deadline of its own, and a reload writes the whole firewall at worst.
_REFRESH_SECONDS = 1800.0
_RELOAD_SECONDS = 300.0
# It waits for the transaction that is under way, which may be one of a million elements.
_ORDER_SECONDS = 60.0
_TOP_SECONDS = 60.0  # a large database is read whole

_MOST_RUNS = 1000  # the daemon gives no more at once


class Answer(NamedTuple):
    """What a page is made from: the document, the time (seconds since the epoch), and a way to ask more."""

    document: Any
    now: float
    ask: Callable[[Question], Any]


class Argument(NamedTuple):
    """An argument of a command, in argparse's words."""

    name: str
    settings: Mapping[str, Any]


class Command(NamedTuple):
    """`read` makes the page for a person; `judge` gives the exit code of a document."""

    name: str
    help: str
    arguments: tuple[Argument, ...]
    question: Callable[[argparse.Namespace], Question]
    read: Callable[[Answer], wording.Page]
    judge: Callable[[Any], int] = lambda _: 0


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= _MOST_RUNS:
        raise argparse.ArgumentTypeError(f"a number from 1 to {_MOST_RUNS} is wanted")
    return int(text)


def _status(answer: Answer) -> wording.Page:
    troubled = answer.document["failing"] or answer.document["stale"]
    sources = answer.ask(Question("GET", "/v1/sources")) if troubled else ()
    return wording.status(answer.document, sources, answer.now)


def _history(arguments: argparse.Namespace) -> Question:
    query = {"limit": str(arguments.limit)}
    return Question("GET", "/v1/history", query if arguments.id is None else {"source": arguments.id, **query})


def _failed(document: Any) -> int:
    return UNAVAILABLE if any(row["outcome"] in ("failed", "refused") for row in document) else 0


def _order(arguments: argparse.Namespace) -> Mapping[str, str]:
    """What was given of an order; what was not is the daemon's to fill in."""
    given = {key: getattr(arguments, key, None) for key in ("address", "for", "origin", "comment")}
    return {key: value for key, value in given.items() if value is not None}


_ADDRESS = Argument("address", {"metavar": "ADDRESS", "help": "an address, a network, or a range a-b"})

COMMANDS: tuple[Command, ...] = (
    Command(
        "status",
        "the daemon as a whole, and what fails",
        (),
        lambda _: Question("GET", "/v1/status"),
        _status,
    ),
    Command(
        "sources",
        "each list: state, entries, what it owns, last and next poll",
        (),
        lambda _: Question("GET", "/v1/sources"),
        lambda answer: wording.sources(answer.document, answer.now),
    ),
    Command(
        "check",
        "whether an address is banned, by which list, since when (exit code 0: banned, 1: not banned)",
        (Argument("address", {"metavar": "ADDRESS", "help": "IPv4 or IPv6 address"}),),
        lambda arguments: Question("GET", "/v1/check", {"address": arguments.address}),
        lambda answer: wording.check(answer.document),
        lambda document: 0 if document["banned"] else NOT_BANNED,
    ),
    Command(
        "top",
        "who has most bans: countries, network operators or lists",
        (
            Argument("--by", {"choices": ("country", "asn", "source"), "required": True, "help": "what to count by"}),
            Argument("--limit", {"metavar": "N", "type": _limit, "default": 20, "help": "1 to 1000, else 20"}),
        ),
        lambda arguments: Question("GET", "/v1/top", {"by": arguments.by, "limit": str(arguments.limit)}, timeout=_TOP_SECONDS),
        lambda answer: wording.top(answer.document),
    ),
    Command(
        "history",
        "the newest imports",
        (
            Argument("id", {"metavar": "ID", "nargs": "?", "help": "of this source only"}),
            Argument("--limit", {"metavar": "N", "type": _limit, "default": 20, "help": "1 to 1000, else 20"}),
        ),
        _history,
        lambda answer: wording.history(answer.document),
    ),
    Command(
        "timers",
        "when each list is polled next",
        (),
        lambda _: Question("GET", "/v1/timers"),
        lambda answer: wording.timers(answer.document, answer.now),
    ),
    Command(
        "protected",
        "what is never banned for this host's own sake, why, and which lists hold it all the same",
        (),
        lambda _: Question("GET", "/v1/protected"),
        lambda answer: wording.protected(answer.document),
    ),
    Command(
        "ban",
        "ban by hand, at once (exit code 65: it may never be banned, 71: the firewall did not take it)",
        (
            _ADDRESS,
            Argument("--for", {"metavar": "TIME", "help": "90s, 15m, 1h, 1d; else for ever"}),
            Argument("--origin", {"metavar": "NAME", "help": "who wants it; each origin bans for itself; else operator"}),
            Argument("--comment", {"metavar": "TEXT", "help": "why, for people"}),
        ),
        lambda arguments: Question("POST", "/v1/ban", body=_order(arguments), timeout=_ORDER_SECONDS),
        lambda answer: wording.ban(answer.document, answer.now),
    ),
    Command(
        "unban",
        "lift a ban by hand, or all of an origin (exit code 1: there was none)",
        (
            Argument("address", {**_ADDRESS.settings, "nargs": "?"}),
            Argument("--origin", {"metavar": "NAME", "help": "of this origin only; without an address: all of it"}),
        ),
        lambda arguments: Question("POST", "/v1/unban", body=_order(arguments), timeout=_ORDER_SECONDS),
        lambda answer: wording.unban(answer.document),
        lambda document: 0 if document["removed"] else NOT_BANNED,
    ),
    Command(
        "bans",
        "what is banned by hand: by whom, why, until when",
        (),
        lambda _: Question("GET", "/v1/bans"),
        lambda answer: wording.bans(answer.document, answer.now),
    ),
    Command(
        "quarantine",
        "lists that a guard refused: why, since when, and what differs from the last good one",
        (Argument("id", {"metavar": "ID", "nargs": "?", "help": "this source only"}),),
        lambda arguments: Question("GET", "/v1/quarantine", {} if arguments.id is None else {"source": arguments.id}),
        lambda answer: wording.quarantine(answer.document, answer.now),
    ),
    Command(
        "approve",
        "take a refused list in spite of the guards, at once (exit code 69: it could not be applied)",
        (Argument("ids", {"metavar": "ID", "nargs": "+", "help": "as banlistctl quarantine names them"}),),
        lambda arguments: Question("POST", "/v1/approve", body={"sources": arguments.ids}, timeout=_REFRESH_SECONDS),
        lambda answer: wording.refresh(answer.document),
        _failed,
    ),
    Command(
        "refresh",
        "poll lists now and wait for the outcome (exit code 69: some failed or were refused)",
        (Argument("ids", {"metavar": "ID", "nargs": "*", "help": "these sources; none named: all"}),),
        lambda arguments: Question("POST", "/v1/refresh", body={"sources": arguments.ids}, timeout=_REFRESH_SECONDS),
        lambda answer: wording.refresh(answer.document),
        _failed,
    ),
    Command(
        "reload",
        "read the configuration again; where it is wrong, the old one goes on",
        (),
        lambda _: Question("POST", "/v1/reload", body={}, timeout=_RELOAD_SECONDS),
        lambda answer: wording.reload(answer.document),
    ),
)
