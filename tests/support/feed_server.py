"""A real HTTP server on loopback for tests: lists by path, and every way in which an answer goes wrong.

    with FeedServer() as server:
        server.serve("/drop.txt", b"192.0.2.0/24", etag='"1"')
        server.behave("/cut", cut_length(b"192.0.2.0/24"))
        server.behave("/flaky", in_turn(status(503), body(b"192.0.2.1")))
        ... server.url("/drop.txt") ... server.hits("/drop.txt") ... server.requests[-1].headers["user-agent"]

It runs in a thread of its own, so that tests may use it with any event loop or none. It writes raw bytes: no library
between a test and the fault that it wants.
"""

import asyncio
import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self
from weakref import WeakSet

PHRASES = {int(each): each.phrase for each in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Request:
    """What the client sent; names of headers in small letters."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


Handler = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


class FeedServer:
    """`requests`: every request so far, in order."""

    def __init__(self, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self._address = address
        self.port = port
        self.requests: list[Request] = []
        self._tls = tls
        self._handlers: dict[str, Handler] = {}
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="feed server")
        self._connections: set[asyncio.Task[None]] = set()
        self._writers: WeakSet[asyncio.StreamWriter] = WeakSet()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def hits(self, path: str) -> int:
        """How many requests came for a path."""
        return sum(request.path == path for request in self.requests)

    def serve(
        self,
        path: str,
        content: bytes = b"",
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        etag: str = "",
        last_modified: str = "",
        gzipped: bool = False,
    ) -> None:
        """Answer a path properly, from now on: conditions are honoured, `gzipped` where the client takes it."""
        fixed = dict(headers or {})
        fixed |= {"ETag": etag} if etag else {}
        fixed |= {"Last-Modified": last_modified} if last_modified else {}

        async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
            unchanged = (etag and request.headers.get("if-none-match") == etag) or (
                last_modified
                and "if-none-match" not in request.headers
                and request.headers.get("if-modified-since") == last_modified
            )
            if unchanged:
                writer.write(head(304, fixed))
            elif gzipped and "gzip" in request.headers.get("accept-encoding", ""):
                packed = gzip.compress(content)
                writer.write(head(status, fixed | _length(packed) | {"Content-Encoding": "gzip"}) + packed)
            else:
                writer.write(head(status, fixed | _length(content)) + content)
            await writer.drain()

        self.behave(path, answer)

    def behave(self, path: str, handler: Handler) -> None:
        """Let `handler` write the answers for a path from now on; the connection is closed when it returns."""
        self._handlers[path] = handler

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connected, self._address, self.port, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()  # a client may never answer the end of TLS; the loop is over soon
        await asyncio.sleep(0)
        await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._writers.add(writer)
        try:
            request = await _read_request(reader)
            self.requests.append(request)
            await self._handlers.get(request.path, status(404))(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            writer.close()
            self._connections.discard(task)


async def _read_request(reader: asyncio.StreamReader) -> Request:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    pairs = (line.split(":", 1) for line in lines[1:] if line)
    headers = {name.lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


def head(code: int, headers: Mapping[str, str]) -> bytes:
    """The beginning of an answer, up to the empty line."""
    lines = [f"HTTP/1.1 {code} {PHRASES.get(code, 'Odd')}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _length(content: bytes) -> dict[str, str]:
    return {"Content-Length": str(len(content))}


def raw(data: bytes) -> Handler:
    """These bytes, then the end of the connection."""

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return answer


def body(content: bytes, headers: Mapping[str, str] | None = None) -> Handler:
    return raw(head(200, dict(headers or {}) | _length(content)) + content)


def status(code: int, headers: Mapping[str, str] | None = None, content: bytes = b"") -> Handler:
    return raw(head(code, dict(headers or {}) | _length(content)) + content)


def redirect(location: str, code: int = 302) -> Handler:
    return status(code, {"Location": location})


def linked(content: bytes, target: str) -> Handler:
    """A body that has a next page."""
    return body(content, {"Link": f'<{target}>; rel="next"', "ETag": '"1"'})


def in_answer(answer: Callable[[bytes], tuple[bytes, Mapping[str, str]]]) -> Handler:
    """A body, and headers, that depend on what the client sent."""

    async def write(request: Request, writer: asyncio.StreamWriter) -> None:
        content, headers = answer(request.body)
        await body(content, headers)(request, writer)

    return write


def in_turn(*handlers: Handler) -> Handler:
    """The first request gets the first handler, the next the next; the last one stays."""
    left = list(handlers)

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(request, writer)

    return answer


def cut_length(content: bytes) -> Handler:
    """Half of a body whose whole length was announced."""
    return raw(head(200, _length(content)) + content[: len(content) // 2])


def cut_chunked(content: bytes) -> Handler:
    """One chunk, and no end of chunks."""
    return raw(head(200, {"Transfer-Encoding": "chunked"}) + b"%x\r\n%s\r\n" % (len(content), content))


def without_length(content: bytes, headers: Mapping[str, str] | None = None) -> Handler:
    """A body that ends where the connection ends: whether it is whole, nobody can tell."""
    return raw(head(200, headers or {}) + content)


def two_lengths(content: bytes) -> Handler:
    lengths = f"Content-Length: {len(content)}\r\nContent-Length: {len(content) - 1}\r\n\r\n".encode()
    return raw(head(200, {}).removesuffix(b"\r\n") + lengths + content)


def reset(content: bytes) -> Handler:
    """Half of the body, then RST."""

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, _length(content)) + content[: len(content) // 2])
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return answer


def hang() -> Handler:
    """No answer at all, for as long as the client waits."""
    return slow(b"", b"")


def slow_headers() -> Handler:
    """One more header, again and again."""
    return slow(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n")


def slow_body() -> Handler:
    """One more byte, again and again."""
    return slow(head(200, {"Content-Length": "1000000"}), b"1")


def interim_answers() -> Handler:
    """`100 Continue`, again and again, as fast as the client takes it."""
    return slow(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, pause=0.0)


def endless_chunk_size() -> Handler:
    """The first chunk never begins: its size line has an extension without an end."""
    return slow(head(200, {"Transfer-Encoding": "chunked"}) + b"3;", b"a" * 10_000, pause=0.0)


def slow(beginning: bytes, drop: bytes, pause: float = 0.02) -> Handler:
    """A beginning, then drop after drop, without an end."""

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        while not writer.is_closing():
            await writer.drain()
            await asyncio.sleep(pause)
            writer.write(drop)

    return answer


def endless(piece: bytes = b"192.0.2.1\n" * 1000) -> Handler:
    """A body without an end, as fast as the client takes it."""

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, {"Transfer-Encoding": "chunked"}))
        while not writer.is_closing():
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()

    return answer
