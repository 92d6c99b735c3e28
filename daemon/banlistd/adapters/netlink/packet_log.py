"""Samples of packets, over NFLOG (nfnetlink_log): the kernel sends the first octets of each, and the prefix of the rule.

Names are those of linux/netfilter/nfnetlink_log.h. The kernel writes the messages and their attributes; only what is within
NFULA_PAYLOAD comes from outside, and `core.ruleset.evidence.packets` reads fixed fields of it.
"""

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from banlistd.adapters.netlink.messages import (
    NFGENMSG,
    NLM_F_ACK,
    NLMSG_ERROR,
    attribute,
    attributes,
    decode_number,
    decode_text,
    each_message,
    framed,
    number_attribute,
)
from banlistd.adapters.netlink.wire import NETLINK_NETFILTER, SO_RCVBUFFORCE, error_code, widen
from banlistd.core.ruleset.evidence.packets import HIT_GROUP, HIT_OCTETS, LOG_PREFIX, SampledPacket, flow_of
from banlistd.errors import FirewallError
from banlistd.model import Direction, SourceId

NFNL_SUBSYS_ULOG = 4
NFULNL_MSG_PACKET = 0
NFULNL_MSG_CONFIG = 1
NFULA_PACKET_HDR = 1
NFULA_PAYLOAD = 9
NFULA_PREFIX = 10
NFULA_SEQ = 12
NFULA_CFG_CMD = 1
NFULA_CFG_MODE = 2
NFULA_CFG_TIMEOUT = 4
NFULA_CFG_FLAGS = 6
NFULNL_CFG_CMD_BIND = 1
NFULNL_COPY_PACKET = 2
NFULNL_CFG_F_SEQ = 1
NF_INET_PRE_ROUTING = 0

SAMPLE_BUFFER = 1 << 20
"""Octets: room for some 1,000 samples of which the daemon has read none; what comes then is lost, and counted."""

# The kernel sends a page of messages at most, or what it has after this time, in hundredths of a second.
_DATAGRAM, _LUMP = 1 << 16, 10
# Datagrams in one go, some 20 samples each: a few milliseconds.
_MAX_AT_ONCE = 32
_HEADER = struct.Struct("!HBx")  # struct nfulnl_msg_packet_hdr: protocol and hook
_MODE = struct.Struct("!IBx")  # struct nfulnl_msg_config_mode
_REASONS: Mapping[int, str] = {
    errno.EPERM: f"another program reads the NFLOG group {HIT_GROUP}, or the right CAP_NET_ADMIN is missing",
    errno.EINVAL: "this kernel has no nfnetlink_log",
    errno.EPROTONOSUPPORT: "this kernel has no nfnetlink_log",
}


class NflogPackets:
    """The PacketLog of `ports`, of the network namespace of the thread that first asks. One coroutine asks at a time."""

    def __init__(self, group: int = HIT_GROUP) -> None:
        self.lost = 0
        self._group = group
        self._socket: socket.socket | None = None
        self._next: int | None = None  # the number that the kernel gives the next sample

    async def packets(self) -> Sequence[SampledPacket]:
        loop = asyncio.get_running_loop()
        try:
            wire = self._socket = self._socket or _opened(self._group)
            while True:
                if found := self._read(wire):
                    return found
                arrived = asyncio.Event()
                loop.add_reader(wire, arrived.set)
                try:
                    await arrived.wait()
                finally:
                    loop.remove_reader(wire)
        except OSError as exc:
            self.close()
            reason = _REASONS.get(exc.errno or 0, exc.strerror or str(exc))
            raise FirewallError(f"packets cannot be sampled: {reason}", "banlistd bans without it") from exc

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = self._next = None

    def _read(self, wire: socket.socket) -> list[SampledPacket]:
        found: list[SampledPacket] = []
        for _ in range(_MAX_AT_ONCE):
            try:
                data, (sender, _) = wire.recvfrom(_DATAGRAM)
            except BlockingIOError:
                break
            except OSError as exc:
                if exc.errno != errno.ENOBUFS:  # the numbers of samples say how many are lost
                    raise
                continue
            if sender == 0:  # the kernel
                found += self._samples(data)
        return found

    def _samples(self, data: bytes) -> Iterator[SampledPacket]:
        for kind, _, _, payload in each_message(data):
            if kind != NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET:
                continue
            fields = attributes(payload[NFGENMSG.size :])
            self._account(decode_number(fields.get(NFULA_SEQ, b"")))
            sample = sample_of(fields)
            if sample is not None:
                yield sample

    def _account(self, number: int) -> None:
        if self._next is not None:
            self.lost += (number - self._next) & 0xFFFFFFFF
        self._next = (number + 1) & 0xFFFFFFFF


def sample_of(fields: Mapping[int, bytes]) -> SampledPacket | None:
    """The sample that one message of the kernel is; None for one that is not of our rules, or no flow."""
    prefix, header = decode_text(fields.get(NFULA_PREFIX, b"")), fields.get(NFULA_PACKET_HDR, b"")
    if not prefix.startswith(LOG_PREFIX) or len(header) < _HEADER.size:
        return None
    flow = flow_of(fields.get(NFULA_PAYLOAD, b"")[:HIT_OCTETS])
    if flow is None:
        return None
    _, hook = _HEADER.unpack_from(header)
    direction = Direction.IN if hook == NF_INET_PRE_ROUTING else Direction.OUT
    return SampledPacket(SourceId(prefix.removeprefix(LOG_PREFIX).strip()), direction, flow)


def _opened(group: int) -> socket.socket:
    """A socket that gets the packets of a group. Raises OSError."""
    wire = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    try:
        wire.bind((0, 0))
        widen(wire, SO_RCVBUFFORCE, socket.SO_RCVBUF, SAMPLE_BUFFER)
        command = attribute(NFULA_CFG_CMD, bytes((NFULNL_CFG_CMD_BIND,)))
        _order(wire, group, command)
        settings = attribute(NFULA_CFG_MODE, _MODE.pack(HIT_OCTETS, NFULNL_COPY_PACKET))
        settings += number_attribute(NFULA_CFG_TIMEOUT, _LUMP)
        settings += attribute(NFULA_CFG_FLAGS, struct.pack("!H", NFULNL_CFG_F_SEQ))
        _order(wire, group, settings)
        wire.setblocking(False)
    except OSError:
        with suppress(OSError):
            wire.close()
        raise
    return wire


def _order(wire: socket.socket, group: int, body: bytes) -> None:
    """Ask for something, and wait for the kernel's answer, which is there when `send` returns."""
    wire.send(framed(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, NLM_F_ACK, 1, NFGENMSG.pack(0, 0, group) + body))
    while True:
        for kind, _, _, payload in each_message(wire.recv(_DATAGRAM)):
            if kind == NLMSG_ERROR:
                if code := error_code(payload):
                    raise OSError(code, os.strerror(code))
                return
