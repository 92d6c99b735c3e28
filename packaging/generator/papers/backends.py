"""The backends in banlistd(8), packaging/docs/backends.md and the example configuration."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum

from banlistd.backends import BackendKind, BackendName, Capabilities
from papers.paper import Paper, section
from papers.roff import roff

_ROWS: Sequence[tuple[str, Callable[[BackendKind], str]]] = (
    ("applies a change", lambda kind: kind.behaviour.change),
    ("atomic: all or nothing", lambda kind: _yes(flag=kind.capabilities.all_or_nothing)),
    ("after a kill in a change", lambda kind: kind.behaviour.killed),
    ("marker: what is applied", lambda kind: kind.behaviour.marker),
    ("drift", lambda kind: kind.behaviour.drift),
    ("knows the source of each address", lambda kind: _yes(flag=kind.capabilities.contents_by_owner)),
    ("counters of each source", lambda kind: "packets and bytes" if kind.capabilities.counters else "none"),
    ("ranges", lambda kind: kind.behaviour.ranges),
    ("`log` besides an action", lambda kind: _yes(flag=kind.capabilities.logs)),
    ("`hits` and `log_group`", lambda kind: _yes(flag=kind.capabilities.samples)),
    ("`action`", lambda kind: _among(kind.capabilities.actions, Capabilities().actions)),
    ("`direction`", lambda kind: _among(kind.capabilities.directions, Capabilities().directions)),
    ("allowed addresses", lambda kind: kind.behaviour.allowlist),
    ("banned IPv4 addresses in IPv6 sources (NAT64, 6to4)", lambda kind: kind.behaviour.translated),
    ("resolvers and other services that the host uses", lambda kind: kind.behaviour.services),
    ("restored at boot before the network", lambda kind: _yes(flag=kind.restores_at_boot)),
    ("its own keys", lambda kind: ", ".join(f"`{key}`" for key in sorted(kind.keys)) or "none"),
    ("needs", lambda kind: kind.behaviour.needs),
)


def _yes(*, flag: bool) -> str:
    return "yes" if flag else "no"


def _among(possible: AbstractSet[StrEnum], every: AbstractSet[StrEnum]) -> str:
    return "all" if possible == every else ", ".join(f"`{value}`" for value in sorted(possible))


def _table() -> str:
    head = f"| | {' | '.join(f'`{name}`' for name in BackendName)} |\n|{'---|' * (len(BackendName) + 1)}\n"
    return head + "".join(f"| {title} | {' | '.join(cell(name.kind) for name in BackendName)} |\n" for title, cell in _ROWS)


def _summaries() -> str:
    texts = (f"`{name}`: {' '.join(filter(None, (name.kind.summary, name.kind.details)))}" for name in BackendName)
    return "\n".join(f"* {text}" for text in texts)


def _man() -> str:
    return "".join(
        f".TP\n.B {name}\n" + "".join(f"{roff(text)}\n" for text in (name.kind.summary, name.kind.details) if text)
        for name in BackendName
    )


def _comments() -> str:
    return "".join(f"#   {name}: {name.kind.summary}\n" for name in BackendName)


PAPERS: tuple[Paper, ...] = (
    section("packaging/man/banlistd.8", "backends", _man),
    section("config/banlistd.yaml", "backends", _comments),
    section("packaging/docs/backends.md", "backends", _summaries),
    section("packaging/docs/backends.md", "capabilities", _table),
)
