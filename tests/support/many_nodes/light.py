"""Very many light nodes: each has a connection to the broker, hears the bell, and asks a mirror for what a node asks for then,
without proving it. They show what the broker and the mirror have to bear.

Argument: JSON with `first`, `size`, `port` (of the broker), `url`, `ca`, `spread`, `list`, and for a broker with certificates
`certificate` (with its key).
"""

import asyncio
import json
import random
import ssl
import sys
from collections import Counter
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from banlistd.core.mqtt.bell import rung_version
from banlistd.core.mqtt.reconnecting import longest_pause
from support.many_nodes.crowd import say

_LOOK_EVERY = 0.2
_KEEPALIVE = 30
_AT_ONCE = 100
"""Connections that are made at the same time at the start."""

_MOST_REQUESTS = 500
"""Nodes that ask the mirror at the same time."""

_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _SUBSCRIBE, _SUBACK, _PING = 0x10, 2, 3, 0x40, 0x82, 9, b"\xc0\0"
"""Types of packets (MQTT 5.0, 2.1.2); of those that are sent with their flags."""


def _text(words: str) -> bytes:
    return len(words).to_bytes(2) + words.encode()


def _length(number: int) -> bytes:
    """MQTT 5.0, 1.5.5."""
    found = bytearray()
    while True:
        number, digit = divmod(number, 128)
        found.append(digit | (128 if number else 0))
        if not number:
            return bytes(found)


def _packet(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + _length(len(body)) + body


def _take_number(octets: bytes, start: int) -> tuple[int, int]:
    """The number, whose last octet has no eighth bit, and where it ends. Raises IndexError where it is not whole."""
    number = shift = 0
    for place in count(start):
        number |= (octets[place] & 127) << shift
        shift += 7
        if octets[place] < 128:
            return number, place + 1
    raise AssertionError


class LightNode(asyncio.Protocol):
    def __init__(self, crowd: "LightCrowd", number: int) -> None:
        self._crowd = crowd
        self._name = f"node-{number}"
        self._octets = b""
        self._attempt = 0
        self._known = 0
        self.transport: asyncio.Transport | None = None
        self.has: int = 0
        self.is_connected = False

    async def connect(self) -> None:
        loop, crowd = asyncio.get_running_loop(), self._crowd
        while True:
            try:
                await loop.create_connection(lambda: self, "127.0.0.1", crowd.port, ssl=crowd.certificate)
            except OSError:
                await self.pause()
            else:
                return

    async def pause(self) -> None:
        """As a node waits."""
        self._attempt += 1
        await asyncio.sleep(random.uniform(1.0, longest_pause(self._attempt)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self._octets = transport, b""
        topic = f"banlistd/v1/main/node/{self._name}/status"
        will = b"\0" + _text(topic) + _text("offline")
        properties = b"\x11" + (10).to_bytes(4)  # the session ends after 10 s
        head = _text("MQTT") + b"\x05" + bytes([0x02 | 0x04 | 0x08 | 0x20]) + _KEEPALIVE.to_bytes(2)
        transport.write(_packet(_CONNECT, head + _length(len(properties)) + properties + _text(self._name) + will))

    def data_received(self, data: bytes) -> None:
        self._octets += data
        while len(self._octets) > 1:
            try:
                length, start = _take_number(self._octets, 1)
            except IndexError:
                return
            if len(self._octets) < start + length:
                return
            head, body = self._octets[0], self._octets[start : start + length]
            self._octets = self._octets[start + length :]
            self._take(head, body)

    def _take(self, head: int, body: bytes) -> None:
        assert self.transport is not None
        if head >> 4 == _CONNACK:
            self.transport.write(_packet(_SUBSCRIBE, b"\0\1\0" + _text("banlistd/v1/main/bell") + b"\1"))
        elif head >> 4 == _SUBACK:
            self.is_connected, self._attempt = True, 0
        elif head >> 4 == _PUBLISH:
            start = 2 + int.from_bytes(body[:2])
            if head & 6:
                self.transport.write(_packet(_PUBACK, body[start : start + 2]))
                start += 2
            length, start = _take_number(body, start)
            version = rung_version(body[start + length :])
            if version is not None and version != self._known:
                self._known = version
                self._crowd.start(self._pull())

    def connection_lost(self, _: Exception | None) -> None:
        self.is_connected = False
        self._crowd.start(self._again())

    async def _again(self) -> None:
        await self.pause()
        await self.connect()

    async def _pull(self) -> None:
        await asyncio.sleep(random.uniform(0, self._crowd.spread))
        while True:
            try:
                async with self._crowd.turn:
                    self.has = await self._crowd.pull()
            except (OSError, asyncio.IncompleteReadError) as error:
                self._crowd.fault = f"{error!r}"
                await asyncio.sleep(random.uniform(0.5, 2))
            else:
                return


class LightCrowd:
    def __init__(self, order: dict[str, Any]) -> None:
        self.port, self.spread, self._list = int(order["port"]), float(order["spread"]), order["list"]
        parts = urlsplit(order["url"])
        self._host, self._mirror_port, self._path = parts.hostname, parts.port, parts.path
        self._tls = ssl.create_default_context(cafile=order["ca"])
        self.certificate: ssl.SSLContext | None = None
        if "certificate" in order:
            self.certificate = ssl.create_default_context(cafile=order["ca"])
            self.certificate.load_cert_chain(order["certificate"])
        self.turn = asyncio.Semaphore(_MOST_REQUESTS)
        first = order["first"]
        self.nodes = [LightNode(self, number) for number in range(first, first + order["size"])]
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = self._pulls = self._requests = self._octets = 0
        self.fault = ""

    def start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def pull(self) -> int:
        """The version of the timestamp, after all that a node with an older list asks for."""
        reader, writer = await asyncio.open_connection(self._host, self._mirror_port, ssl=self._tls)

        async def get(path: str) -> bytes:
            writer.write(f"GET {self._path}/{path} HTTP/1.1\r\nHost: mirror\r\nUser-Agent: banlistd/0\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            body = await reader.readexactly(int(length.partition(b":")[2]))
            self._requests += 1
            self._octets += len(body)
            return body

        try:
            await get("metadata/2.root.json")
            timestamp = json.loads(await get("metadata/timestamp.json"))["signed"]
            named = timestamp["meta"]["snapshot.json"]["version"]
            named = json.loads(await get(f"metadata/{named}.snapshot.json"))["signed"]["meta"][f"{self._list}.json"]["version"]
            files = json.loads(await get(f"metadata/{named}.{self._list}.json"))["signed"]["targets"]
            path = next((path for path in files if path.endswith(".bld")), f"{self._list}/full.blz")
            folder, _, name = path.partition("/")
            await get(f"targets/{folder}/{files[path]['hashes']['sha256']}.{name}")
        finally:
            writer.close()
        self._pulls += 1
        return int(timestamp["version"])

    async def run(self) -> None:
        self.start(self._say())
        self.start(self._keep_alive())
        for start in range(0, len(self.nodes), _AT_ONCE):
            await asyncio.gather(*(node.connect() for node in self.nodes[start : start + _AT_ONCE]))
            self._opened += len(self.nodes[start : start + _AT_ONCE])
        await asyncio.Event().wait()

    async def _keep_alive(self) -> None:
        """A ping of each node in each period, some at a time."""
        while True:
            for part in range(_KEEPALIVE):
                await asyncio.sleep(0.9)
                for node in self.nodes[part::_KEEPALIVE]:
                    if node.is_connected and node.transport is not None:
                        node.transport.write(_PING)

    async def _say(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            say(
                {
                    "open": self._opened,
                    "connected": sum(node.is_connected for node in self.nodes),
                    "have": Counter(str(node.has) for node in self.nodes),
                    "pulls": self._pulls,
                    "requests": self._requests,
                    "octets": self._octets,
                    "fault": self.fault,
                }
            )


async def _main() -> None:
    await LightCrowd(json.loads(sys.argv[1])).run()


if __name__ == "__main__":
    asyncio.run(_main())
