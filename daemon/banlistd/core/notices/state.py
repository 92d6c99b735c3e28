"""What banlistd-notify remembers over a restart, as a document for JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from banlistd.core.notices.deciding import Course, Courses
from banlistd.core.notices.notice import Happening, Notice
from banlistd.core.notices.queues import Queue
from banlistd.errors import ParseError

_VERSION = 1


@dataclass(frozen=True, slots=True)
class NoticeState:
    """`place`: in the events, as the daemon gave it; empty: none yet. `has_ended`: the last event read was the
    daemon's last.
    """

    place: str = ""
    has_ended: bool = False
    courses: Courses = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)


def state_to_text(state: NoticeState) -> str:
    document = {
        "version": _VERSION,
        "place": state.place,
        "has_ended": state.has_ended,
        "courses": [{"key": list(key), **asdict(course)} for key, course in state.courses.items()],
        "queues": {name: asdict(queue) for name, queue in state.queues.items()},
    }
    return json.dumps(document)


def state_from_text(text: str) -> NoticeState:
    """Raises ParseError."""
    try:
        document = json.loads(text)
        if document["version"] != _VERSION:
            raise ParseError("the state is of another version of banlistd-notify")
        courses = {(key[0], key[1]): _course(rest) for key, rest in map(_keyed, document["courses"])}
        queues = {str(name): _queue(one) for name, one in document["queues"].items()}
        return NoticeState(str(document["place"]), bool(document["has_ended"]), courses, queues)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as exc:
        raise ParseError("the state of banlistd-notify cannot be read") from exc


def _keyed(document: Mapping[str, Any]) -> tuple[tuple[str, str], Mapping[str, Any]]:
    name, source = document["key"]
    return (str(name), str(source)), {key: value for key, value in document.items() if key != "key"}


def _course(document: Mapping[str, Any]) -> Course:
    newest = document["newest"]
    return Course(
        float(document["until"]),
        int(document["left_out"]),
        None if newest is None else _happening(newest),
        bool(document["is_reported"]),
    )


def _queue(document: Mapping[str, Any]) -> Queue:
    waiting = tuple(map(_notice, document["waiting"]))
    return Queue(waiting, int(document["lost"]), int(document["failures"]), float(document["retry_at"]))


def _notice(document: Mapping[str, Any]) -> Notice:
    return Notice(
        _happening(document["happening"]),
        float(document["since"]),
        int(document["again"]),
        str(document["ended"]),
        bool(document["is_urgent"]),
    )


def _happening(document: Mapping[str, Any]) -> Happening:
    return Happening(
        float(document["at"]), str(document["level"]), str(document["name"]), str(document["message"]), dict(document["fields"])
    )
