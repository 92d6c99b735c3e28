"""A netlink socket for nf_tables: questions, dumps and commits. No policy: the caller decides what is sent."""

import errno
from collections.abc import Mapping

from banlistd.adapters.netlink.messages import (
    NFGENMSG,
    NFPROTO_INET,
    NFT_MSG_GETGEN,
    NFTA_GEN_ID,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLMSG_ERROR,
    Batch,
    attributes,
    decode_number,
    message,
)
from banlistd.adapters.netlink.wire import NetfilterWire, NetlinkError, error_code

TRIES_OF_A_DUMP = 10


class NetlinkSocket(NetfilterWire):
    """The wire of nf_tables."""

    def reopen(self) -> None:
        """Replace the socket by a new one: a table that the old one owns has no owner any more."""
        self._socket.close()
        self._open()

    @property
    def port(self) -> int:
        """The kernel's number of this socket; it names the owner of a table."""
        return int(self._socket.getsockname()[0])

    def generation(self) -> int:
        """The number of the ruleset's present state; every commit, by any process, makes another."""
        (reply,) = self.get(NFT_MSG_GETGEN, b"", family=0)
        return decode_number(reply[NFTA_GEN_ID])

    def get(self, kind: int, body: bytes, family: int = NFPROTO_INET) -> list[Mapping[int, bytes]]:
        """Ask for one thing, or for several elements of a set: the attributes of each answer."""
        self._sequence += 1
        # An acknowledgement marks the end: an answer about several elements has no other.
        self._socket.send(message(kind, NLM_F_ACK, self._sequence, body, family))
        return [attributes(payload[NFGENMSG.size :]) for _, payload in self._replies()]

    def dump(
        self, kind: int, body: bytes, family: int = NFPROTO_INET, having: bytes = b"", tries: int = TRIES_OF_A_DUMP
    ) -> list[Mapping[int, bytes]]:
        """Ask for all things of a kind. Begins anew where the ruleset changed meanwhile, and raises NetlinkError (EINTR) where
        it did so at each of the `tries`.

        `having`: octets that every wanted thing has somewhere; the others are not taken apart, and some of them left out.
        """
        for _ in range(tries):
            self._sequence += 1
            self._socket.send(message(kind, NLM_F_DUMP, self._sequence, body, family))
            found, interrupted = [], False
            for flags, payload in self._replies():
                interrupted |= bool(flags & NLM_F_DUMP_INTR)
                if having in payload:
                    found.append(attributes(payload[NFGENMSG.size :]))
            if not interrupted:
                return found
        raise NetlinkError(errno.EINTR, "the ruleset changes faster than it can be read", self._sequence)

    def commit(self, batch: Batch) -> None:
        """Send a batch, ended and with at least one acknowledged message; returns when the kernel has carried it out.

        Raises NetlinkError with the number of the first refused message; then nothing of the batch has happened.
        """
        self._make_room(batch.octets)
        self._drain()  # what is left of an answer that was not read to its end
        self._socket.sendmsg(batch.parts)
        # The kernel works while we are in sendmsg: all of its answers are there.
        acknowledged = False
        for kind, flags, sequence, payload in self._arrived():
            if kind != NLMSG_ERROR:
                continue
            if error_code(payload):
                self._drain()
                raise self._refusal(flags, sequence, payload)
            acknowledged = True
        if not acknowledged:
            raise NetlinkError(errno.EPROTO, "the kernel did not answer a batch", 0)

    def rehearse(self, batch: Batch) -> Mapping[int, int]:
        """Send a batch that has no end: the kernel checks it and forgets it. The error codes, by the number of the message."""
        self._make_room(batch.octets)
        self._drain()
        self._socket.sendmsg(batch.parts)
        answers = [(sequence, error_code(payload)) for kind, _, sequence, payload in self._arrived() if kind == NLMSG_ERROR]
        return {sequence: code for sequence, code in answers if code}
