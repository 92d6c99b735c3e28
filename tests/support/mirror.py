"""A mirror of a fleet: a static HTTPS server on a folder, some of whose files may be replaced, or never end."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ENDLESS = b"endless"


class Mirror:
    """`files`: in place of those of the folder, by path without the first slash; None: 404; ENDLESS: octets for ever. `asked`:
    paths. `on_request`: called with each path before it is answered.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.files: dict[str, bytes | None] = {}
        self.asked: list[str] = []
        self.on_request: Callable[[str], object] = lambda _: None

    def content(self, path: str) -> bytes | None:
        self.asked.append(path)
        self.on_request(path)
        if path in self.files:
            return self.files[path]
        try:
            return (self.folder / path).read_bytes()
        except OSError:
            return None


class _Handler(BaseHTTPRequestHandler):
    # An answer leaves in two parts, and the second would wait 40 ms for the client to say that the first has come.
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"
    mirror: Mirror

    def do_GET(self) -> None:
        content = self.mirror.content(self.path.removeprefix("/"))
        self.send_response(404 if content is None else 200)
        if content == ENDLESS:
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(bytes(65536))
            except OSError:
                return
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the library
        """Nothing is written."""


@contextmanager
def mirror_of(folder: Path, certificate: Path | None = None, address: str = "127.0.0.1") -> Iterator[Mirror]:
    """`certificate`: with its key, in one file (`certificates.self_signed`); None: HTTP."""

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    scheme = "https" if certificate else "http"
    Handler.mirror = Mirror(folder, f"{scheme}://{address}:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="mirror")
    thread.start()
    try:
        yield Handler.mirror
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
