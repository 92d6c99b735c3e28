"""The program that takes lists from mirrors, in few processes that stay.

A node starts it anew for each pull, on a machine of its own. To start Python for each of 1,000 nodes would take minutes here.
What a pull does is the same, in the main thread as there; only the confinement is not made.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from banlistd.adapters.system.child_program import ChildEnd
from banlistd.trust.taking import Pull

_LENGTH = 8
_MOST_LISTS = 16
_PIECE = 1 << 16


class PullPrograms:
    """`count`: processes, each of which does one pull at a time."""

    def __init__(self, count: int) -> None:
        self._free: asyncio.Queue[socket.socket] = asyncio.Queue()
        for _ in range(count):
            here, there = socket.socketpair()
            command = [sys.executable, "-m", "support.many_nodes.pull_programs", str(there.fileno())]
            subprocess.Popen(command, pass_fds=[there.fileno()])  # it ends once this process has
            there.close()
            here.setblocking(False)
            self._free.put_nowait(here)

    async def ended(self, given: bytes, descriptors: Sequence[int], seconds: float) -> ChildEnd:
        """In place of a program of its own, for which a node waits as here, in its loop. The time until a process is free does
        not count.
        """
        return await asyncio.shield(self._ended(await self._free.get(), given, descriptors))

    async def _ended(self, channel: socket.socket, given: bytes, descriptors: Sequence[int]) -> ChildEnd:
        loop = asyncio.get_running_loop()
        socket.send_fds(channel, [len(given).to_bytes(_LENGTH)], descriptors)
        await loop.sock_sendall(channel, given)
        said = bytearray()
        while len(said) < _LENGTH or len(said) < _LENGTH + int.from_bytes(said[:_LENGTH]):
            piece = await loop.sock_recv(channel, _PIECE)
            if not piece:
                raise EOFError
            said += piece
        self._free.put_nowait(channel)
        return ChildEnd(0, bytes(said[_LENGTH:]))


def _read(channel: socket.socket, length: int) -> bytes:
    octets = bytearray()
    while len(octets) < length:
        piece = channel.recv(length - len(octets))
        if not piece:
            raise EOFError
        octets += piece
    return bytes(octets)


def serve(channel: socket.socket) -> None:
    """Pull after pull, until the other end is closed."""
    while True:
        head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH, 2 * _MOST_LISTS)
        if not head:
            return
        order = json.loads(_read(channel, int.from_bytes(head)))
        for number, wanted in enumerate(order["lists"]):
            wanted["base"], wanted["result"] = descriptors[2 * number : 2 * number + 2]
        tempfile.tempdir = order["folder"]
        pull = Pull(order)
        pull.run()
        for descriptor in descriptors:
            os.close(descriptor)
        octets = json.dumps(pull.answer).encode()
        channel.sendall(len(octets).to_bytes(_LENGTH) + octets)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
