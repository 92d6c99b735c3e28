"""The nftables firewall: table `inet banlistd`. `nft` writes the structure, our netlink messages the elements (measured)."""

import asyncio
import errno
import functools
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

from banlistd.adapters.firewalls.nftables.changing.applying import apply_change, remove_sets
from banlistd.adapters.firewalls.nftables.drift import irrelevant, rewritten, with_suspicions
from banlistd.adapters.firewalls.nftables.dump import dump_maps
from banlistd.adapters.firewalls.nftables.inspection import (
    CLOSE_SAMPLE,
    SAMPLE,
    faults_of,
    look_at,
    markers_of,
    read_counters,
    table_state,
)
from banlistd.adapters.firewalls.nftables.lookups.chains import chains_in
from banlistd.adapters.firewalls.nftables.lookups.kept_look import KeptLook, markers_after
from banlistd.adapters.firewalls.nftables.lookups.other_socket import OtherSocket
from banlistd.adapters.firewalls.nftables.lookups.scopes import conditions_in
from banlistd.adapters.firewalls.nftables.lookups.trying import accepted_form, tried
from banlistd.adapters.firewalls.nftables.nft import NEEDED_RIGHTS
from banlistd.adapters.firewalls.nftables.ownership import (
    adopt,
    gaps_in,
    needs_adoption,
    nft_knows_the_flags,
    refuse_foreign_owner,
    remarks_on,
)
from banlistd.adapters.firewalls.nftables.rules import PROBES
from banlistd.adapters.firewalls.nftables.samples import Sampling
from banlistd.adapters.firewalls.nftables.sets import table_body
from banlistd.adapters.firewalls.nftables.structure import REFUSED_RULES, TABLE, RuleForm
from banlistd.adapters.firewalls.threaded import ThreadedFirewall
from banlistd.adapters.netlink.messages import NFT_MSG_DELTABLE, NFT_MSG_NEWTABLE, NLM_F_ACK, Batch
from banlistd.adapters.netlink.nft_monitor import RECEIVE_BUFFER, Absence, Certainty, Monitor
from banlistd.adapters.netlink.probing import refused
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.adapters.netlink.wire import NetlinkError
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.kernel_parts import KernelPart, remarks_on_lacking
from banlistd.core.ruleset.state import FirewallState, Verification, contents_of
from banlistd.errors import FirewallError, LostStructureError, RefusedRuleError
from banlistd.model import Counter, ExternalChange, Mark, Marker, Ownership, Remark, SourceSlot

_HINTS: Mapping[int, str] = {
    errno.EPERM: NEEDED_RIGHTS,
    errno.EMSGSIZE: "the change does not fit into a socket buffer: raise net.core.wmem_max, or grant CAP_NET_ADMIN",
    errno.EPROTONOSUPPORT: "this kernel has no nf_tables; load the module nf_tables",
    # nfnetlink's own answer where the module cannot be loaded (seen on 6.1 of Debian).
    errno.EINVAL: "if nft list tables says so too, this kernel has no nf_tables: modprobe nf_tables names the reason",
    errno.ENOMEM: "the kernel has no memory left for so many elements",
    errno.EOPNOTSUPP: "this kernel lacks a part of nf_tables (maps, counters, fib, reject, log, limit)",
    errno.ENOENT: "the table is not as banlistd left it: verify it and write it anew",
}


class NftablesFirewall(ThreadedFirewall):
    """The Firewall of `ports`. Opens its sockets at first use; blocking work runs in threads, one at a time.

    `ownership`: whether this process alone owns a new table. `receive_buffer`: octets for the notices of foreign
    changes. `translated`: banned IPv4 addresses are banned in sources of 64:ff9b::/96 and 2002::/16 too.
    `probes`: a rule for each part that the kernel may lack; the first call finds out which.
    """

    def __init__(
        self,
        ownership: Ownership = Ownership.NO,
        receive_buffer: int = RECEIVE_BUFFER,
        *,
        translated: bool = True,
        probes: Mapping[KernelPart, Sequence[bytes]] = PROBES,
    ) -> None:
        self._ownership = ownership
        self._form = RuleForm(translated)
        self._probes = probes
        self._probed = False
        self._tidied = False
        self._sources: Sequence[SourceSlot] | None = None  # those that were last written or verified
        self._nft_knows = functools.cache(nft_knows_the_flags)
        self._receive_buffer = receive_buffer
        self._socket: NetlinkSocket | None = None
        self._questions, self._counting = OtherSocket(), OtherSocket()
        self._monitor: Monitor | None = None
        self._last_listen_error: OSError | None = None
        self._markers_at: tuple[int, tuple[Marker, ...]] | None = None  # a generation and its markers
        self._sound: tuple[int, FirewallState] | None = None  # the generation and the state that `verify` last found sound
        # A lock of threads, not of coroutines: a cancelled coroutine leaves its thread running.
        self._lock = threading.Lock()
        self._kept = KeptLook()

    async def wait_for_external_change(self) -> ExternalChange:
        """As in `ports`. Changes of other tables are not reported. Raises FirewallError where it receives no notices."""
        monitor = await asyncio.to_thread(self._listening)
        try:
            return ExternalChange(culprit=await monitor.wait())
        except OSError as exc:
            raise FirewallError(f"the firewall no longer reports changes: {exc.strerror}") from exc

    def _markers(self) -> tuple[Marker, ...]:
        """After the first time, on a socket of its own: the watchdog asks, and a change may take longer than its patience."""
        if self._monitor is None:
            with self._at_work("cannot read the firewall") as wire:
                return self._markers_by(wire)
        try:
            with self._counting.opened() as wire:
                return self._markers_by(wire)
        except OSError as exc:
            raise _fault("cannot read the firewall", exc) from exc

    def _markers_by(self, wire: NetlinkSocket) -> tuple[Marker, ...]:
        """Those of a generation are read once: those of thousands of sources take as long as their counters."""
        generation = wire.generation()  # before the markers: a commit in between makes the next call read them again
        if self._markers_at is None or self._markers_at[0] != generation:
            self._markers_at = generation, markers_of(wire)
        return self._markers_at[1]

    def _verify(self, state: FirewallState) -> Verification:
        with self._at_work("cannot read the firewall") as wire, self._certainty() as certainty:
            self._sources = state.sources
            look = self._kept.at(wire, look_at)
            generation = look.generation
            settled = self._sound is not None and self._sound[0] == generation and self._sound[1] is state
            sample = CLOSE_SAMPLE if certainty.close else SAMPLE
            sampling = Sampling(random.SystemRandom(), sample)
            verdict = faults_of(wire, state, sampling, self._kept, look, form=self._form, settled=settled)
            certainty.sound = verdict.sound
            if self._monitor is not None:
                self._monitor.forget(irrelevant(self._monitor.touched))
                verdict = with_suspicions(verdict, self._monitor.touched, state)
            self._sound = (generation, state) if verdict.sound else None
            return verdict

    def _listening(self) -> Monitor:
        """Also adopt a table that the process before us owned, and delete the sets that it filled and did not use."""
        with self._at_work("cannot listen for changes") as wire:
            if self._monitor is None:
                raise self._last_listen_error or OSError(errno.EBADF, "closed")
            if self._ownership is not Ownership.NO and needs_adoption(wire):
                with self._monitor.away(wire) as absence:
                    absence.commits += adopt(wire)
            if not self._tidied and self._sources is not None:
                self._tidied = True
                look = self._kept.at(wire, look_at)
                if look.used and (surplus := look.surplus(self._sources)):
                    with self._monitor.away(wire) as absence:
                        remove_sets(look, surplus, wire, absence)
            return self._monitor

    def _contents(self) -> Mapping[Mark, AddressSet]:
        with self._at_work("cannot read the firewall") as wire:
            return contents_of(dump_maps(wire, self._kept.at(wire, look_at).names))

    def _scope_numbers(self) -> Mapping[str, int]:
        with self._at_work("cannot read the firewall") as wire:
            return conditions_in(chains_in(wire))

    def _counters(self) -> Mapping[Mark, Counter]:
        """On a socket of its own: it waits for no change, and no remark waits for the counters of thousands of sources."""
        try:
            with self._counting.opened() as wire:
                return read_counters(wire, self._markers_by(wire))
        except OSError as exc:
            raise _fault("cannot read the counters", exc) from exc

    def _apply(self, change: Change) -> int:
        with self._at_work("the firewall refused the change") as wire, self._away(wire) as absence:
            self._sound = None
            touched = self._monitor.touched if self._monitor else frozenset()
            self._sources = change.sources
            before, known = wire.generation(), self._markers_at
            elements = self._apply_possible(change, wire, absence)
            after = self._kept.own_since(before)
            if known is not None and known[0] == before and after is not None:
                self._markers_at = after, markers_after(known[1], change)
            if self._monitor:
                self._monitor.settle(rewritten(change, touched))
            return elements

    def _apply_possible(self, change: Change, wire: NetlinkSocket, absence: Absence) -> int:
        """Without the rules that are refused, if there are any: that costs a source its action, and no source its bans.

        Rules that would be accepted in another table were refused because another process changes ours meanwhile. Nothing
        is lacking then, and the caller tries again.
        """

        def apply(form: RuleForm) -> int:
            return apply_change(change, wire, absence, self._ownership, self._nft_knows, self._kept, form=form)

        try:
            return apply(self._form)
        except RefusedRuleError:
            form = accepted_form(change.sources, self._form)
            if form is None:
                raise
        try:
            elements = apply(form)
        except RefusedRuleError as error:
            raise LostStructureError(error.message, error.hint) from error
        self._form = form
        return elements

    def _remarks(self, sources: Sequence[SourceSlot] | None) -> Sequence[Remark]:
        try:
            with self._questions.opened() as wire:
                remarks = [*remarks_on(table_state(wire), self._ownership)]
                lacking = self._form.lacking if self._probed else refused(wire, self._probes)
        except OSError:
            return ()
        if sources is not None:
            lacking, refusal = tried(sources, replace(self._form, lacking=lacking))
            remarks += refusal
        return [*remarks, *remarks_on_lacking(self._sources if sources is None else sources, lacking, REFUSED_RULES)]

    def _gaps(self) -> Sequence[Remark]:
        try:
            with self._questions.opened() as wire:
                return gaps_in(wire) if self._sources is not None else ()
        except OSError:
            return ()

    def _teardown(self) -> None:
        with self._at_work("cannot remove the table") as wire, self._away(wire) as absence:
            refuse_foreign_owner(table_state(wire), wire)
            # Adding a table that exists changes nothing; with it the deletion never fails because the table is absent.
            batch = Batch(generation=None)
            batch.add(NFT_MSG_NEWTABLE, NLM_F_ACK, table_body(None))
            batch.add(NFT_MSG_DELTABLE, 0, table_body(None))
            batch.end()
            before = wire.generation()
            wire.commit(batch)
            absence.commits += min(1, wire.generation() - before)

    def _close(self) -> None:
        with self._lock:
            for opened in (self._socket, self._monitor):
                if opened is not None:
                    opened.close()
            self._socket = self._monitor = None
        for other in (self._questions, self._counting):
            other.close()

    def _away(self, wire: NetlinkSocket) -> AbstractContextManager[Absence]:
        return self._monitor.away(wire) if self._monitor else nullcontext(Absence())

    def _certainty(self) -> AbstractContextManager[Certainty]:
        return self._monitor.certainty() if self._monitor else nullcontext(Certainty())

    def _listen(self, wire: NetlinkSocket) -> None:
        """Listen from the first inspection on, so that no change is missed. Without notices the daemon can still ban."""
        if self._monitor is None:
            try:
                self._monitor = Monitor(TABLE, wire, self._receive_buffer)
            except OSError as exc:
                self._last_listen_error = exc

    @contextmanager
    def _at_work(self, failing: str) -> Iterator[NetlinkSocket]:
        """Give one thread the socket; an error of the kernel becomes a FirewallError."""
        with self._lock:
            try:
                if self._socket is None:
                    self._socket = NetlinkSocket()
                self._listen(self._socket)
                if not self._probed:
                    self._form = replace(self._form, lacking=refused(self._socket, self._probes))
                    self._probed = True
                yield self._socket
            except OSError as exc:
                if self._socket is not None and not isinstance(exc, NetlinkError):
                    self._socket.close()  # it may still contain answers that were not read
                    self._socket = None
                raise _fault(failing, exc) from exc


def _fault(failing: str, exc: OSError) -> FirewallError:
    kind = LostStructureError if exc.errno == errno.ENOENT else FirewallError
    return kind(f"{failing}: {exc.strerror or exc}", _HINTS.get(exc.errno or 0, ""))
