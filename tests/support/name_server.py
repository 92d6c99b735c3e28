"""A name server on port 53 of a network namespace, which answers rightly or not, and files of the host that name it."""

import ctypes
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

_CLONE_NEWNS = 0x00020000
_LIBC = ctypes.CDLL(None, use_errno=True)
_PLAIN = 512

Query = dns.message.Message
Answering = Callable[[Query, str], Iterable[bytes]]
"""What is sent for a query over `udp` or `tcp`, one packet each."""


class NameServer:
    """`records`: lines of a zone file, with the whole name first. `answering`: in place of the answers from them.

    `asked`: the name, the kind and the transport of each query.
    """

    def __init__(self, records: Sequence[str] = (), address: str = "127.0.0.1") -> None:
        self.records = [*records]
        self.address = address
        self.answering: Answering | None = None
        self.asked: list[tuple[str, str, str]] = []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._tcp = socket.create_server((address, 53))
        self._udp.bind((address, 53))
        self._threads = [threading.Thread(target=serve, name="name server") for serve in (self._serve_udp, self._serve_tcp)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._udp, self._tcp):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()

    def right_answer(self, query: Query) -> dns.message.Message:
        """From the records, along the aliases."""
        (question,) = query.question
        answer = dns.message.make_response(query)
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        lines = [line.split() for line in self.records]
        for _ in range(len(lines) + 1):
            of_name = [line for line in lines if line[0] == name]
            found = [line for line in of_name if line[2] in (kind, "CNAME")]
            if not of_name:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            if not found:
                break
            ttl, found_kind = found[0][1:3]
            answer.answer.append(dns.rrset.from_text(name, int(ttl), "IN", found_kind, *(line[3] for line in found)))
            if found_kind == kind:
                break
            name = found[0][3]
        return answer

    def _answers(self, octets: bytes, transport: str) -> Iterable[bytes]:
        query = dns.message.from_wire(octets)
        (question,) = query.question
        self.asked.append((question.name.to_text(), dns.rdatatype.to_text(question.rdtype), transport))
        if self.answering is not None:
            return self.answering(query, transport)
        answer = self.right_answer(query)
        wire = answer.to_wire(max_size=65535)
        if transport == "udp" and len(wire) > _PLAIN:
            answer.answer.clear()
            answer.flags |= dns.flags.TC
            wire = answer.to_wire()
        return [wire]

    def _serve_udp(self) -> None:
        with suppress(OSError):
            while True:
                octets, client = self._udp.recvfrom(_PLAIN)
                for answer in self._answers(octets, "udp") if octets else ():
                    self._udp.sendto(answer, client)

    def _serve_tcp(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._tcp.accept()
                with connection, suppress(OSError, struct.error):
                    (size,) = struct.unpack("!H", connection.recv(2))
                    for answer in self._answers(connection.recv(size), "tcp"):
                        connection.sendall(struct.pack("!H", len(answer)) + answer)


class HostFiles:
    """The files that say how this host resolves names, in the mount namespace of the thread that makes this, and of all that it
    starts.
    """

    def __init__(
        self, folder: Path, servers: str, *, hosts: str = "127.0.0.1 localhost\n", switch: str = "hosts: files dns\n"
    ) -> None:
        if _LIBC.unshare(_CLONE_NEWNS):
            pytest.skip(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        self._files = {name: folder / name for name in ("resolv.conf", "hosts", "nsswitch.conf")}
        for name, text in zip(self._files, (servers, hosts, switch), strict=True):
            self._files[name].write_text(text)
            subprocess.run(["mount", "--bind", str(self._files[name]), f"/etc/{name}"], check=True)

    def write(self, name: str, text: str) -> None:
        self._files[name].write_text(text)
