"""The program that asks name servers, and reads what they answer. It has no rights but to read the system's files and to open
sockets of IP; only here is dnspython imported.

Arguments: `first`, and the pid of the parent. Its standard input is a socket (SOCK_SEQPACKET) for questions and answers
(`messages`); at the end of that it ends.
"""

import asyncio
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

import dns.exception
import dns.resolver
from dns.asyncresolver import Resolver

from banlistd.adapters.names import host_files
from banlistd.adapters.names.messages import ServerQuestion, decoded_question, packed_answer
from banlistd.adapters.parser_process.confinement import ConfinementError
from banlistd.adapters.parser_process.network_program import ProgramBounds, become_unprivileged, confine

_MEMORY = 128 * 2**20
"""After the start it has 33 MiB of it; two answers of 64 KiB at a time take 5 MiB more (measured)."""

_PROCESSOR_SECONDS = 300
"""A question takes 1.4 ms (measured, with 1,000 names). At the end of them the daemon starts another program."""

_LARGEST_QUESTION = 512
_NOT_CONFINED = 78

_Found = tuple[int, list[str]]
"""TTL in seconds, addresses."""

_FAULTS = (dns.exception.DNSException, OSError, ValueError, EOFError, RuntimeError)
"""No answer in time, none that is an answer, no server, none that is configured, or one whose kind
of address dnspython does not know (RuntimeError).
"""


class _NameServers:
    """The name servers of the host, as its files have them at the moment of each question."""

    def __init__(self) -> None:
        self._stamps: tuple[object, ...] | None = None
        self._rules = host_files.read_rules()
        self._resolver = Resolver(configure=False)

    async def ask(self, question: ServerQuestion) -> _Found | None:
        """The addresses of a name and the least TTL on the way to them; None where the host itself is to be asked.

        Also where one family has no answer: it would be lost while that of the other is new.
        """
        self._read_files()
        if not self._rules.is_for_name_servers(question.name):
            return None
        kinds = [self._records(question, kind) for kind in ("A", "AAAA")]
        found = [one for one in await asyncio.gather(*kinds) if one is not None]
        if not found:
            return None
        return min(ttl for ttl, _ in found), [address for _, addresses in found for address in addresses]

    async def _records(self, question: ServerQuestion, kind: str) -> _Found | None:
        """None: it has none of this kind. The least TTL of the chain of aliases counts, and 2^31 and more is 0 (RFC 2181)."""
        try:
            answer = await self._resolver.resolve(question.name, kind, search=True, lifetime=question.seconds)
        except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
            return None
        return answer.chaining_result.minimum_ttl, [record.address for record in answer]

    def _read_files(self) -> None:
        """Again where any of them is another one than before. Raises as `_FAULTS` has it."""
        stamps = tuple(map(_stamp, (host_files.SWITCH, host_files.HOSTS, host_files.SERVERS, host_files.RESOLVED)))
        if stamps == self._stamps:
            return
        self._stamps = None
        self._rules = host_files.read_rules()
        self._resolver = Resolver(configure=False)
        self._resolver.read_resolv_conf(self._rules.servers)
        self._stamps = stamps


def _stamp(path: str) -> object:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class _Service:
    """Answers questions until the socket ends. Many at a time: the daemon bounds how many."""

    def __init__(self, channel: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._channel = channel
        self._loop = loop
        self._servers = _NameServers()
        self._under_way: set[asyncio.Task[None]] = set()

    def run(self) -> None:
        self._channel.setblocking(False)
        self._loop.add_reader(self._channel, self._heard)
        self._loop.run_forever()

    def _heard(self) -> None:
        with suppress(BlockingIOError):
            octets = self._channel.recv(_LARGEST_QUESTION)
            if not octets:
                self._loop.stop()
                return
            task = self._loop.create_task(self._answer(decoded_question(octets)))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _answer(self, question: ServerQuestion) -> None:
        found = None
        with suppress(TimeoutError, *_FAULTS):
            async with asyncio.timeout(question.seconds):
                found = await self._servers.ask(question)
        with suppress(OSError):  # the daemon is gone, or reads nothing: it waits no longer than it said
            self._channel.send(packed_answer(question.number, found))


def answer_questions(arguments: list[str]) -> int:
    stage, parent = arguments
    try:
        become_unprivileged(int(parent), is_first=stage == "first")
        # Sockets that are not of IP are forbidden after this.
        loop, channel = asyncio.new_event_loop(), socket.socket(fileno=0)
        reads = tuple(os.path.realpath(path) for path in (host_files.SWITCH, host_files.HOSTS, host_files.SERVERS))
        confine(ProgramBounds(None, 0, _PROCESSOR_SECONDS, reads, _MEMORY))
    except (ConfinementError, OSError):
        return _NOT_CONFINED
    _Service(channel, loop).run()
    return 0


if __name__ == "__main__":
    sys.exit(answer_questions(sys.argv[1:]))
