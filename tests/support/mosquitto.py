"""A real broker on loopback, and a client that a test holds."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import pytest

from support.ports import await_listener, reserved_port

PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@dataclass
class Mosquitto:
    """`lines`: of its configuration, beside the listener."""

    folder: Path
    port: int
    lines: Sequence[str] = ("allow_anonymous true",)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if program is None:
            pytest.skip("mosquitto is not installed")
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *self.lines, ""]))
        self.process = subprocess.Popen([program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_listener(self.process, self.port)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextmanager
def broker(folder: Path, *lines: str) -> Iterator[Mosquitto]:
    with reserved_port() as port:
        running = Mosquitto(folder, port, lines or ("allow_anonymous true",))
        running.start()
        try:
            yield running
        finally:
            running.stop()


@dataclass
class Heard:
    """Every message since the beginning, by topic; `waits` for the next ones."""

    client: aiomqtt.Client
    messages: list[tuple[str, bytes]] = field(default_factory=list)

    async def until(self, topic: str, payload: bytes | None = None) -> bytes:
        """The payload of the next message of a topic, or of the next one with that payload."""
        async with asyncio.timeout(PATIENCE):
            async for message in self.client.messages:
                octets = bytes(message.payload)
                self.messages.append((str(message.topic), octets))
                if str(message.topic) == topic and payload in (None, octets):
                    return octets
        raise AssertionError(f"nothing came to {topic}")


@asynccontextmanager
async def listening_to(running: Mosquitto, *topics: str) -> AsyncIterator[Heard]:
    async with aiomqtt.Client("127.0.0.1", running.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        for topic in topics:
            await client.subscribe(topic, qos=1)
        yield Heard(client)
