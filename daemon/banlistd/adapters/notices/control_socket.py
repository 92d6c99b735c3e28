"""The events of the daemon, read over its control socket."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from banlistd.core.notices.notice import Happening
from banlistd.core.printing import quoted
from banlistd.errors import NotRunningError
from banlistd.ports.notices import EventsAfter

_LARGEST = 8 * 2**20  # octets of an answer: 200 events with fields of any length that was seen
_EVENTS = 200
_PATIENCE = 15.0  # seconds beyond those that the daemon was asked to wait
_OK = b"200"


class ControlSocketEvents:
    """An EventReader."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def read(self, place: str, seconds: int) -> EventsAfter:
        # Without a place, only that of now is wanted; the daemon gives at least one event with it.
        query = f"after={place}&wait={seconds}&limit={_EVENTS}" if place else "limit=1"
        try:
            async with asyncio.timeout(seconds + _PATIENCE):
                answer = _document(await self._exchange(f"/v1/events?{query}"))
                happenings = [_happening(each) for each in answer["events"]] if place else []
                return EventsAfter(str(answer["after"]), int(answer["lost"]) if place else 0, happenings)
        except TimeoutError as exc:
            raise NotRunningError(f"banlistd does not answer on {self._socket}") from exc
        except OSError as exc:
            raise NotRunningError(f"banlistd does not answer on {self._socket}: {exc.strerror or 'it hung up'}") from exc
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            raise NotRunningError(f"banlistd gave an answer on {self._socket} that cannot be understood") from exc

    async def _exchange(self, target: str) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        try:
            # HTTP/1.0: the answer comes in one piece, and the daemon hangs up behind it (RFC 1945 7.2.2).
            writer.write(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode("ascii"))
            await writer.drain()
            pieces, size = [], 0
            while piece := await reader.read(2**16):
                pieces.append(piece)
                size += len(piece)
                if size > _LARGEST:
                    raise ValueError("too large")
            return b"".join(pieces)
        finally:
            writer.close()


def _document(data: bytes) -> Mapping[str, Any]:
    """Raises NotRunningError, ValueError."""
    head, _, body = data.partition(b"\r\n\r\n")
    if not head:
        raise ConnectionError  # it hung up
    document: Mapping[str, Any] = json.loads(body)
    if head.split(b" ", 2)[1] != _OK:
        raise NotRunningError(f"banlistd refused: {quoted(str(document['error']['message']))}")
    return document


def _happening(event: Mapping[str, Any]) -> Happening:
    fields = {str(key): value if isinstance(value, int | float) else str(value) for key, value in event["fields"].items()}
    return Happening(float(event["at"]), str(event["level"]), str(event["name"]), str(event["message"]), fields)
