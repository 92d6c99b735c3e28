"""A static HTTPS server for many clients, in a process of its own.

Arguments: folder, certificate with key. It prints its port.
"""

import asyncio
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ASKED = re.compile(rb"GET /([a-z0-9._/-]+) HTTP/1\.1\r\n")


@contextmanager
def static_server(folder: Path, certificate: Path) -> Iterator[str]:
    """Its address, on loopback."""
    tests = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "support.many_nodes.static_server", str(folder), str(certificate)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tests)
    assert process.stdout is not None
    try:
        yield f"https://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def _serve(folder: Path, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while match := _ASKED.match(await reader.readuntil(b"\r\n\r\n")):
                writer.write(_answer(folder, match[1].decode()))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context, backlog=2048)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def _answer(folder: Path, path: str) -> bytes:
    status, body = "404 Not Found", b""
    if ".." not in path and (file := folder / path).is_file():
        status, body = "200 OK", file.read_bytes()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2])))
