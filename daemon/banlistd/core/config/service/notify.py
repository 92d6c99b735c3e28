"""Which events make notices and run hooks, and where the notices go. banlistd-notify reads these keys; the daemon does not."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from banlistd.core.config import kinds, web
from banlistd.core.config.keys import Key, Section, ValueKind, keys_of, list_at, mapping_at, read_section, scalar_at
from banlistd.core.config.problems import Spot
from banlistd.core.config.values import Unfit, closest
from banlistd.core.printing import shown
from banlistd.events import EventName, Priority

_LEVELS = {one.level: one for one in (Priority.ERROR, Priority.WARNING, Priority.NOTICE, Priority.INFO)}
NEVER_NOTICED = frozenset({EventName.NOTICE_FAILED, EventName.NOTICE_DELIVERED})
"""A notice of a notice would never end."""

_EVENTS = (*_LEVELS, *(str(name) for name in EventName if name not in NEVER_NOTICED))
_LONGEST_ARGUMENT = 4096
_MOST_ARGUMENTS = 64
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)
_OURS = "BANLISTD_"


def _event(text: str) -> str:
    """The name of an event, or of a level."""
    if text not in _EVENTS:
        near = closest(text, _EVENTS)
        hint = f"did you mean {near}?" if near else f"write {', '.join(_LEVELS)}, or a name of packaging/docs/events.md"
        raise Unfit(f"{shown(text)} is no event", hint)
    return text


def _argument(text: str) -> str:
    if len(text) > _LONGEST_ARGUMENT or not text.isprintable():
        raise Unfit(
            "is no argument of a program",
            f"printable characters, at most {_LONGEST_ARGUMENT}: put more into a file of your own",
        )
    return text


_EVENT = kinds.scalar(_event, {"enum": [*_EVENTS]}, examples=("warning", str(EventName.SOURCE_STALE)))
_SELECTION = kinds.many(_EVENT, "names of events, and levels: `error`, `warning`, `notice`, `info`")
_CREDENTIALS = kinds.many(web.ONE_CREDENTIAL, "`${credential:NAME}`, one or several")
_ARGUMENT = kinds.scalar(_argument, kinds.TEXT, examples=("/usr/local/bin/on-ban",))
_COMMAND = kinds.many(_ARGUMENT, "an absolute file name, and arguments")


def _read_environment(tree: object, spot: Spot) -> dict[str, str] | None:
    before = len(spot.problems)
    found = {}
    for name, value in mapping_at(tree, spot).items():
        if not _VARIABLE.fullmatch(name) or name.startswith(_OURS):
            spot.at(name).wrong("is no name for a variable", f"letters, digits and _; not one that begins with {_OURS}")
        found[name] = scalar_at(_argument, value, spot.at(name))
    return found if len(spot.problems) == before else None


_ENVIRONMENT = ValueKind(
    _read_environment,
    kinds.or_nothing({"type": "object", "additionalProperties": kinds.TEXT}),
    "a mapping",
    show=lambda _: "",
    examples=({"room": "a"},),
)


def _events_of(words: Iterable[str]) -> frozenset[EventName]:
    """The events that names and levels mean; a level means those above it, too."""
    words = frozenset(words)
    most = max((_LEVELS[word] for word in words if word in _LEVELS), default=None)
    return frozenset(
        name
        for name in EventName
        if name not in NEVER_NOTICED and (name in words or (most is not None and name.kind.priority <= most))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify(Section):
    """Notices by mail, chat or webhook, through Apprise."""

    title = "notify"
    intro = (
        "These keys are set below `notify:`, and banlistd-notify reads them: `systemctl enable --now banlistd-notify`. Several "
        "notices that are due together are one message."
    )

    urls: Annotated[
        tuple[str, ...],
        Key(
            _CREDENTIALS,
            "The receivers: credentials, each of which is an address as Apprise has it: `mailto://`, `ntfy://`, "
            "`json://` for a webhook. The file is /etc/banlistd/notify-credentials/NAME, which the daemon does not get.",
        ),
    ] = ()
    events: Annotated[
        tuple[str, ...],
        Key(
            _SELECTION, "Which events make a notice. A level means the events above it too, and `warning` has those of `error`."
        ),
    ] = ("warning",)
    cool_down: Annotated[
        float,
        Key(
            kinds.time_or_off("1m", "30d"),
            "How long one event of one source makes no other notice. What happened meanwhile is counted, and the newest is "
            "sent afterwards.",
        ),
    ] = 3600.0
    recovered: Annotated[bool, Key(kinds.SWITCH, "Whether a notice follows when what was reported is over.")] = True
    digest: Annotated[
        float,
        Key(
            kinds.time_or_off("1m", "7d"),
            "How long notices are gathered, to be one message. Errors and tests are sent at once, with what waits.",
        ),
    ] = 0.0
    silence: Annotated[
        float,
        Key(kinds.time_or_off("30s", "7d"), "How long the daemon may be unreachable before a notice says so."),
    ] = 300.0

    @property
    def selected(self) -> frozenset[EventName]:
        return _events_of(self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramHook(Section):
    """A program that is run for each event."""

    title = "a hook"
    intro = (
        "`hooks:` is a list. Each hook is a program that banlistd-notify runs for each event, one at a time and without a "
        "shell. The event is JSON on its standard input, and in variables: BANLISTD_EVENT, BANLISTD_LEVEL, BANLISTD_MESSAGE, "
        "BANLISTD_AT, and one for each field, as BANLISTD_SOURCE_ID. Nothing of an event is an argument."
    )

    run: Annotated[tuple[str, ...], Key(_COMMAND, "The program and its arguments. The account banlistd-notify runs it.")]
    events: Annotated[
        tuple[str, ...], Key(_SELECTION, "For which events it is run. A level means the events above it, too.")
    ] = ("warning",)
    # Not in repr: a value may be a secret.
    environment: Annotated[
        Mapping[str, str],
        Key(
            _ENVIRONMENT,
            "Variables beside PATH and those of the event; no other is passed on. `${credential:NAME}` is replaced by the "
            "content of /etc/banlistd/notify-credentials/NAME.",
        ),
    ] = field(default_factory=dict, repr=False)
    timeout: Annotated[
        float, Key(kinds.duration_between("1s", "1h"), "After this time, the program and what it has started are killed.")
    ] = 30.0

    def complaints(self) -> Iterator[tuple[str, str]]:
        if not self.run or not self.run[0].startswith("/"):
            yield "run does not begin with the absolute name of a program", "write run: [/usr/local/bin/name, argument]"
        if len(self.run) > _MOST_ARGUMENTS:
            yield f"run has more than {_MOST_ARGUMENTS} arguments", "put them into a file of your own"

    @property
    def name(self) -> str:
        """Its command as a shell would have it, for people."""
        return shlex.join(self.run)

    @property
    def selected(self) -> frozenset[EventName]:
        return _events_of(self.events)


def _read_hooks(tree: object, spot: Spot) -> tuple[ProgramHook, ...] | None:
    before = len(spot.problems)
    found: dict[tuple[str, ...], ProgramHook] = {}
    for index, item in enumerate(list_at(tree, spot)):
        hook = read_section(ProgramHook, item, spot.at(index))
        if hook is None:
            continue
        if hook.run in found:
            spot.at(index).wrong("runs the same as an earlier hook", "name all events in one of them")
        found[hook.run] = hook
    return tuple(found.values()) if len(spot.problems) == before else None


PROGRAM_HOOKS = ValueKind(
    _read_hooks,
    kinds.or_nothing({"type": "array", "items": {**kinds.section_schema(ProgramHook), "required": ["run"]}}),
    "a list of hooks",
    parts=tuple(key.kind for key in keys_of(ProgramHook).values()),
    show=lambda _: "",
    section=ProgramHook,
)
