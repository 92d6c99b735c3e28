"""A connection to one mirror, kept from file to file: plain GET of HTTP/1.1 (RFC 9112), and no more.

A client for all that HTTP has takes as much processor as all signatures of a pull. The time-out of each wait is what is left
until the moment that the caller names, so a mirror that sends an octet now and then gains nothing by it.
"""

import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from urllib.parse import quote, urlsplit

from banlistd.trust.alarm import LateError, alarm

_CONNECT, _READ = 10.0, 20.0
"""Seconds: for a connection or its handshake, and for one wait of it."""

_PIECE = 1 << 16
_LARGEST_HEAD = 1 << 15
"""Octets of a header."""

_MOST_INTERIM, _MOST_TRAILERS = 8, 64
"""Answers that only say that an answer comes, and fields after the last chunk."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})( .*)?")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;.*)?")
_PORTS = {"http": 80, "https": 443}
_SAFE = "/%:@!$&'()*+,;=~"
_FINAL, _WITHOUT_BODY = 200, (204, 304)
_COUNTING = (b"content-length", b"transfer-encoding", b"connection")


class BrokenAnswerError(Exception):
    """The mirror does not speak HTTP, or ends before it has said all."""


class _NothingError(BrokenAnswerError):
    """It ends before it has said anything."""


class Authorities:
    """Whose certificates count. `ca`: a file with them; None: the system's. It is read once, for the first mirror with TLS."""

    def __init__(self, ca: str | None) -> None:
        self._ca = ca

    @cached_property
    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_TICKET  # the program ends before it could be used
        context.hostname_checks_common_name = False
        return context


class Connection:
    """`url`: of the mirror. `agent`: what this program calls itself. Only for the main thread: it takes the alarm signal."""

    def __init__(self, url: str, agent: str, authorities: Authorities) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        self._place = (host, parts.port or _PORTS[parts.scheme])
        self._name = (host if host.isascii() else host.encode("idna").decode()).partition("%")[0]
        self._authorities = authorities if parts.scheme == "https" else None
        self._path = parts.path
        shown = f"[{self._name}]" if ":" in self._name else self._name
        shown += f":{parts.port}" if parts.port else ""
        self._fields = f"HTTP/1.1\r\nHost: {shown}\r\nUser-Agent: {agent}\r\nAccept-Encoding: identity\r\n\r\n"
        self._socket: socket.socket | None = None
        self._until = 0.0
        self._rest = bytearray()
        # Of the answer, where its body was not read to its end.
        self._body: Iterator[bytes] | None = None
        self._length: int | None = None
        self._is_kept = False

    def ask(self, path: str, until: float) -> int:
        """The status of the answer; `pieces` has its body. `until`: of `time.monotonic`, for both.

        Raises BrokenAnswerError, and OSError, of which TimeoutError. The connection is closed then.
        """
        self._until = until
        try:
            return self._asked(path)
        except (OSError, BrokenAnswerError):
            self.close()
            raise

    def _asked(self, path: str) -> int:
        request = f"GET {quote(f'{self._path}/{path}', safe=_SAFE)} {self._fields}".encode()
        if self._body is not None:
            self.close()
        if self._socket is not None:
            # A mirror may end a connection that waits at any time, and nothing is lost by asking once more.
            with suppress(ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError, _NothingError):
                return self._answer(self._socket, request)
            self.close()
        return self._answer(self._connected(), request)

    def pieces(self) -> Iterator[bytes]:
        """The body. Raises as `ask`."""
        body = self._body
        if body is None:
            return
        try:
            yield from body
            if self._is_kept:
                self._body = None
        finally:
            if self._body is body:  # no other request was made meanwhile
                self.close()

    def skip(self, most: int) -> None:
        """Read what is left of the answer, so that the connection is kept, or end it if that is more than so many octets."""
        if self._length is None or self._length > most:
            self.close()
        for _ in self.pieces():
            pass

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = self._body = None
        self._rest.clear()

    def _connected(self) -> socket.socket:
        try:
            with alarm(self._until):  # names end later: the resolver of the system gives up after 10 s (`QUICK_NAMES`)
                self._socket = connected = socket.create_connection(self._place, min(self._left(), _CONNECT))
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._authorities is None:
                    return connected
                context = self._authorities.context
                self._socket = encrypted = context.wrap_socket(
                    connected, server_hostname=self._name, do_handshake_on_connect=False
                )
                encrypted.do_handshake()
                return encrypted
        except LateError as error:
            raise TimeoutError("there is no connection in time") from error

    def _answer(self, connected: socket.socket, request: bytes) -> int:
        connected.settimeout(min(self._left(), _READ))
        connected.sendall(request)
        for _ in range(_MOST_INTERIM):
            status, *fields = self._up_to(b"\r\n\r\n").split(b"\r\n")
            found = _STATUS.fullmatch(status)
            if found is None:
                raise BrokenAnswerError("the mirror does not speak HTTP/1.1")
            if (code := int(found[2])) >= _FINAL:
                self._begin_body(code, found[1] == b"1", _counting(fields))
                return code
        raise BrokenAnswerError("the mirror says again and again that its answer comes")

    def _begin_body(self, code: int, is_newest: bool, fields: dict[bytes, set[bytes]]) -> None:
        lengths, codings = fields[b"content-length"], fields[b"transfer-encoding"]
        self._is_kept, self._length = is_newest and b"close" not in fields[b"connection"], None
        if code in _WITHOUT_BODY:
            self._length, self._body = 0, iter(())
        elif codings == {b"chunked"} and not lengths:
            self._body = self._chunks()
        elif codings or len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
            raise BrokenAnswerError("the mirror does not say how long its answer is")
        elif lengths:
            self._length = int(*lengths)
            self._body = self._octets(self._length)
        else:
            self._is_kept, self._body = False, iter(self._read, b"")

    def _octets(self, length: int) -> Iterator[bytes]:
        while length:
            piece = self._read(length)
            if not piece:
                raise BrokenAnswerError("the mirror ends before its answer does")
            length -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while length := self._length_of_chunk():
            yield from self._octets(length)
            if self._up_to(b"\r\n"):
                raise BrokenAnswerError("a part of the mirror's answer is longer than it says")
        for _ in range(_MOST_TRAILERS):
            if not self._up_to(b"\r\n"):
                return
        raise BrokenAnswerError("the answer of the mirror has too many fields")

    def _length_of_chunk(self) -> int:
        found = _CHUNK.fullmatch(self._up_to(b"\r\n"))
        if found is None:
            raise BrokenAnswerError("a part of the mirror's answer has no length")
        return int(found[1], 16)

    def _up_to(self, end: bytes) -> bytes:
        """What comes before it, which is taken as well."""
        searched = 0
        while (place := self._rest.find(end, searched)) < 0:
            searched = max(len(self._rest) - len(end) + 1, 0)
            if len(self._rest) > _LARGEST_HEAD:
                raise BrokenAnswerError("the header of the mirror's answer is too long")
            piece = self._received(_PIECE)
            if not piece:
                raise BrokenAnswerError("the mirror ends before its answer does") if self._rest else _NothingError("no answer")
            self._rest += piece
        taken = bytes(self._rest[:place])
        del self._rest[: place + len(end)]
        return taken

    def _read(self, most: int = _PIECE) -> bytes:
        """Empty: nothing comes any more."""
        if not self._rest:
            return self._received(min(most, _PIECE))
        piece = bytes(self._rest[:most])
        del self._rest[:most]
        return piece

    def _received(self, most: int) -> bytes:
        if self._socket is None:
            return b""
        self._socket.settimeout(min(self._left(), _READ))
        return self._socket.recv(most)

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time of the mirror is over")
        return left


def _counting(fields: list[bytes]) -> dict[bytes, set[bytes]]:
    """The values of the fields that say where the answer ends; of one that is there twice, both."""
    found: dict[bytes, set[bytes]] = {name: set() for name in _COUNTING}
    for field in fields:
        name, _, value = field.partition(b":")
        if (name := name.lower()) in found:
            found[name] |= {one.strip() for one in value.lower().split(b",")}
    return found
