"""A port of loopback that belongs to a test: other tests and other programs run beside it."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 60.0


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port where nobody listens, and which nobody else gets meanwhile; a server that sets SO_REUSEADDR can listen there."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def await_listener(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Until a server that was started listens; it fails where that ends first."""
    end = time.monotonic() + PATIENCE
    while not _answers(process, port):
        assert time.monotonic() < end, f"nobody listens on port {port}"


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            return False
        raise AssertionError(f"the server has ended with {process.returncode}") from None
    return True
