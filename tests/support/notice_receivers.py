"""Receivers of notices on loopback: a webhook and an SMTP server."""

import email
import json
import queue
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, TypeVar, cast

Served = TypeVar("Served", bound=socketserver.BaseServer)

PATIENCE = 60.0
"""No test measures it: it ends one that would wait for ever."""


class Webhook(HTTPServer):
    """`bodies`: what was accepted. `refused`: an item for each request that was refused, while `status` is not 200.

    `tls`: how it encrypts; None: not at all.
    """

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", port), _Poster)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.bodies: queue.Queue[dict[str, Any]] = queue.Queue()
        self.refused: queue.Queue[int] = queue.Queue()
        self.status = 200

    @property
    def url(self) -> str:
        """As Apprise has it."""
        return f"json://127.0.0.1:{self.server_port}/a-secret-path"

    def next_text(self) -> str:
        return str(self.bodies.get(timeout=PATIENCE)["message"])


class _Poster(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hook = cast("Webhook", self.server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if hook.status == 200:
            hook.bodies.put(json.loads(body))
        else:
            hook.refused.put(hook.status)
        self.send_response(hook.status)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


class MailServer(socketserver.TCPServer):
    """Takes mail with any password, or none. `mails`: what was accepted."""

    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _MailSession)
        self.mails: queue.Queue[Message] = queue.Queue()

    @property
    def url(self) -> str:
        """As Apprise has it."""
        return f"mailto://127.0.0.1:{self.server_address[1]}?from=banlistd@host.example&to=admin@host.example&mode=insecure"


_ANSWERS = {b"EHLO": "250-sink.example\r\n250 AUTH PLAIN", b"AUTH": "235 ok", b"QUIT": "221 bye"}


class _MailSession(socketserver.StreamRequestHandler):
    """The commands of RFC 5321 that a client needs."""

    def handle(self) -> None:
        self._say("220 sink.example")
        while line := self.rfile.readline():
            word = line.split(None, 1)[0].upper() if line.strip() else b""
            if word == b"DATA":
                self._say("354 go on")
                lines = []
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(part.removeprefix(b"."))
                parsed = email.message_from_bytes(b"".join(lines), policy=default)
                cast("MailServer", self.server).mails.put(cast("Message", parsed))
            self._say(_ANSWERS.get(word, "250 ok"))

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def serving(server: Served) -> Iterator[Served]:
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
