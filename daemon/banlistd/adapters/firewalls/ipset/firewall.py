"""The firewall of hosts that use ipset and iptables: sets by our own netlink messages, rules by the host's iptables.

We do not use `ipset restore`, though the sets are the same, and `ipset list` and `ipset save` show them. *Measured*: it fills
1,000,000 hosts in 2.4 s, of which 0.9 s are its own, and leaves half of a set if it is killed. Netlink fills them in 0.5 s, and
no signal can interrupt what one call sends: additions, deletions, swaps, and the record of the applied state. So a change of
1,000 elements among a million writes 1,000 elements, and does not swap a million.

A change of sources has three steps: missing sets, rules, then elements and the record in one call. Rules for new sources come
first: a banned packet whose mark no rule knows is dropped.
"""

import asyncio
import errno
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import replace

from banlistd.adapters.firewalls.ipset.changing import Plan, compose, plan_of, record_of
from banlistd.adapters.firewalls.ipset.entries import Entries, element_messages, map_entries_of
from banlistd.adapters.firewalls.ipset.inspection import Digests, Look, faults_of, look_at, markers_of, rules_digests
from banlistd.adapters.firewalls.ipset.iptables import Iptables, counters_of
from banlistd.adapters.firewalls.ipset.record import Rules
from banlistd.adapters.firewalls.ipset.rules import REFUSED_RULES, chains_of
from banlistd.adapters.firewalls.ipset.services import ServiceEntries, service_messages
from banlistd.adapters.firewalls.ipset.sets import APPLIED, EVERY_MAP, create_body, fresh, set_of, shape_of, wanted_sets
from banlistd.adapters.firewalls.ipset.signs import RULES_MISSING, SIGNS_EVERY, elements_are_gone, rules_are_gone
from banlistd.adapters.firewalls.ipset.wire import (
    IPSET_CMD_ADD,
    IPSET_CMD_CREATE,
    IPSET_ERR_BUSY,
    IPSET_ERR_EXIST,
    IPSET_ERR_HASH_FULL,
    Commands,
    IpsetSocket,
)
from banlistd.adapters.firewalls.threaded import ThreadedFirewall
from banlistd.adapters.netlink.wire import NetlinkError
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.kernel_parts import KernelPart, possible_slots, remarks_on_lacking, suspects
from banlistd.core.ruleset.state import FirewallState, MapEntries, MapId, Verification, contents_of, maps_of
from banlistd.errors import FirewallError, LostStructureError, RefusedRuleError
from banlistd.model import Counter, ExternalChange, Family, Mark, Marker, Remark, SourceSlot

# Errors for a set whose content differs from what the change expects, and for a change too large for one call.
_SURPRISES = frozenset({IPSET_ERR_EXIST, IPSET_ERR_HASH_FULL, errno.EMSGSIZE})
# nf_tables releases a set a moment after the rule that referred to it is deleted (measured: some 20 ms). The pause: seconds.
_TRIES = 100
_PAUSE = 0.02

_LOAD = "load the modules ip_set, ip_set_hash_ip, ip_set_hash_ipport and ip_set_hash_net"
_HINTS: Mapping[int, str] = {
    errno.EPERM: "it needs CAP_NET_ADMIN, and CAP_NET_RAW for iptables",
    errno.EINVAL: f"this kernel lacks ip_set, or a part of it; {_LOAD}",
    4098: _LOAD,
    errno.EPROTONOSUPPORT: "this kernel has no netfilter netlink; load the module nfnetlink",
    errno.ENOMEM: "the kernel has no memory left for so many elements",
    IPSET_ERR_BUSY: "rules of another program refer to it: iptables-save shows them",
    errno.ENOENT: "the sets are not as banlistd left them: verify them and write them anew",
}


class IpsetFirewall(ThreadedFirewall):
    """The Firewall of `ports`. Opens its socket at first use; blocking work runs in threads, one at a time.

    `variant`: `legacy` or `nft` for a host with both iptables; empty: the one that the host calls iptables.
    """

    def __init__(self, variant: str = "") -> None:
        self._iptables = Iptables(variant)
        self._socket: IpsetSocket | None = None
        self._digests: Digests | None = None
        self._verified: FirewallState | None = None  # what `_digests` are of, with the actions that it asks for
        self._sources: tuple[SourceSlot, ...] = ()  # those that were last written or verified
        self._known: Mapping[MapId, MapEntries] = {}  # what the sets had when they were last written or verified
        self._lacking: AbstractSet[KernelPart] = frozenset()
        # A lock of threads, not of coroutines: a cancelled coroutine leaves its thread running.
        self._lock = threading.Lock()

    async def wait_for_external_change(self) -> ExternalChange:
        """Nothing notifies us: signs of a change are looked at each second. Others are found by the next `verify`."""
        while True:
            await asyncio.sleep(SIGNS_EVERY)
            if await asyncio.to_thread(self._is_seen, self._lacks_anything):
                return ExternalChange()

    def _lacks_anything(self, wire: IpsetSocket) -> bool:
        return self._lacks_rules(wire) or elements_are_gone(wire, self._known, random.SystemRandom())

    def _lacks_rules(self, wire: IpsetSocket) -> bool:
        return rules_are_gone(wire, self._sources, self._lacking)

    def _gaps(self) -> Sequence[Remark]:
        return (RULES_MISSING,) if self._is_seen(self._lacks_rules) else ()

    def _markers(self) -> tuple[Marker, ...]:
        """Beside a change, on a socket of its own: the watchdog asks, and iptables may wait for longer than its patience."""
        if not self._lock.locked():
            with self._at_work("cannot read the firewall") as wire:
                return markers_of(look_at(wire))
        try:
            with IpsetSocket() as wire:
                return markers_of(look_at(wire))
        except OSError as exc:
            raise _fault("cannot read the firewall", exc) from exc

    def _verify(self, state: FirewallState) -> Verification:
        with self._at_work("cannot read the firewall") as wire:
            self._sources = state.sources
            if self._digests is None or self._verified is not state:
                self._digests = Digests.of(replace(state, sources=possible_slots(state.sources, self._lacking)))
                self._verified = state
            look = look_at(wire)
            ruleset = self._iptables.look() if look.record.rules else None
            verdict = faults_of(wire, look, self._digests, ruleset, random.SystemRandom())
            self._known = {map_id: entries for map_id, entries in state.map_entries.items() if map_id not in verdict.maps}
            return verdict

    def _contents(self) -> Mapping[Mark, AddressSet]:
        with self._at_work("cannot read the firewall") as wire:
            return contents_of({map_id: map_entries_of(map_id, wire.dump(set_of(map_id))) for map_id in EVERY_MAP})

    def _counters(self) -> Mapping[Mark, Counter]:
        with self._at_work("cannot read the counters") as wire:
            marks = {marker.mark for marker in markers_of(look_at(wire))}
            if not marks:
                return {}
            found: dict[Mark, Counter] = {}
            for ruleset in self._iptables.look().values():
                for mark, counter in counters_of(ruleset).items():
                    before = found.get(mark, Counter(0, 0))
                    found[mark] = Counter(before.packets + counter.packets, before.octets + counter.octets)
            return {mark: counter for mark, counter in found.items() if mark in marks}

    def _apply(self, change: Change) -> int:
        with self._at_work("the firewall refused the change") as wire:
            known = dict(self._known) | {item.map: item.whole for item in change.maps}
            self._sources, self._known = change.sources, {}
            elements = self._apply_possible(change, wire)
            self._known = {map_id: known[map_id] for map_id in maps_of(change.sources) if map_id in known}
            return elements

    def _apply_possible(self, change: Change, wire: IpsetSocket) -> int:
        """Without the actions whose rules are refused, if there are any.

        Rules can also be refused because another program deletes what they refer to: what is accepted at last was not lacking.
        """

        def apply(lacking: AbstractSet[KernelPart]) -> int:
            return _carry_out(replace(change, sources=possible_slots(change.sources, lacking)), wire, self._iptables)

        try:
            return apply(self._lacking)
        except RefusedRuleError:
            for lacking in suspects(change.sources, self._lacking, tuple(REFUSED_RULES)):
                with suppress(RefusedRuleError):
                    elements = apply(lacking)
                    if lacking != self._lacking:
                        with suppress(RefusedRuleError):
                            apply(self._lacking)
                            return elements
                        apply(lacking)  # a refusal may have come between the families
                    self._lacking, self._verified = lacking, None
                    return elements
            raise

    def _remarks(self, sources: Sequence[SourceSlot] | None) -> Sequence[Remark]:
        """Rules are not tried: they could only be with the sets that they look into."""
        return remarks_on_lacking(self._sources if sources is None else sources, self._lacking, REFUSED_RULES)

    def _teardown(self) -> None:
        """Rules first: the kernel refuses to destroy a set that rules refer to."""
        with self._at_work("cannot remove sets and rules") as wire:
            look = look_at(wire)
            if self._iptables.is_installed() or look.names:
                self._iptables.write(None, self._iptables.look())
            _destroy(wire, look.names | look.gathering)

    def _close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = None

    def _is_seen(self, sign: Callable[[IpsetSocket], bool]) -> bool:
        """Not while a change is being applied, and not where the kernel cannot be asked. Does not wait."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._socket is not None and sign(self._socket)
        except OSError:
            return False
        finally:
            self._lock.release()

    @contextmanager
    def _at_work(self, failing: str) -> Iterator[IpsetSocket]:
        """Give one thread the socket; an error of the kernel becomes a FirewallError."""
        with self._lock:
            try:
                if self._socket is None:
                    self._socket = IpsetSocket()
                yield self._socket
            except OSError as exc:
                if self._socket is not None and not isinstance(exc, NetlinkError):
                    self._socket.close()
                    self._socket = None
                raise _fault(failing, exc) from exc


def _fault(failing: str, exc: OSError) -> FirewallError:
    return FirewallError(f"{failing}: {exc.strerror or exc}", _HINTS.get(exc.errno or 0, ""))


def _carry_out(change: Change, wire: IpsetSocket, iptables: Iptables) -> int:
    for family in Family:
        chains_of(change.sources, family)  # raises, before anything happens, for an id or mark that must not get into a rule
    look = look_at(wire)
    _destroy(wire, look.gathering)  # sets that a killed process left behind
    if not change.reshape:
        _refuse_without_sets(change, look)
    plan = plan_of(change, look.record, look.names)
    _make(wire, {name: name for name in plan.made}, plan.gathered)
    rules = look.record.rules
    if change.reshape:
        iptables.write(change.sources, iptables.look())
        rules = rules_digests(change.sources, iptables.look())
    try:
        plan = _commit(change, look, plan, rules, wire)
    except OSError:
        _destroy(wire, look_at(wire).gathering)
        raise
    if change.reshape:
        _destroy(wire, plan.surplus, tolerant=True)
    return plan.elements


def _refuse_without_sets(change: Change, look: Look) -> None:
    missing = wanted_sets(change.sources) - look.names
    if missing:
        raise LostStructureError(f"there is no set {', '.join(sorted(missing))}", "verify it and write it anew")


def _commit(change: Change, look: Look, plan: Plan, rules: Rules | None, wire: IpsetSocket) -> Plan:
    """Fill the new sets, then the one call. If a set has unexpected content, all sets are written whole."""
    try:
        _commit_once(change, look, plan, rules, wire)
    except OSError as exc:
        if exc.errno not in _SURPRISES:
            raise
        plan = plan_of(change, look.record, look.names | plan.made, apart=True)
        _commit_once(change, look, plan, rules, wire)
    return plan


def _commit_once(change: Change, look: Look, plan: Plan, rules: Rules | None, wire: IpsetSocket) -> None:
    _gather(wire, plan.gathered)
    try:
        wire.carry_out(compose(plan, record_of(change, look.record, plan, rules)))
    except OSError as exc:
        if exc.errno != errno.EMSGSIZE:
            # A part was carried out, with the record: so the record is void until everything is written.
            _forget(wire)
        raise


def _forget(wire: IpsetSocket) -> None:
    commands = Commands()
    commands.flush(APPLIED)
    with suppress(NetlinkError):
        wire.carry_out(commands)


def _gather(wire: IpsetSocket, gathered: Mapping[str, Entries | ServiceEntries]) -> None:
    _destroy(wire, {fresh(name) for name in gathered} & wire.names())
    _make(wire, {name: fresh(name) for name in gathered}, gathered)
    for name, entries in gathered.items():
        # No rule uses the set yet: one message at a time lets other programs use ip_set in between, and fits any send buffer.
        for message in _additions(fresh(name), entries):
            commands = Commands()
            commands.add_block([message])
            wire.carry_out(commands)


def _additions(name: str, entries: Entries | ServiceEntries) -> list[bytes]:
    if isinstance(entries, ServiceEntries):
        return service_messages(IPSET_CMD_ADD, 1, name, entries)
    return element_messages(IPSET_CMD_ADD, 1, name, entries, strict=True)


def _make(wire: IpsetSocket, names: Mapping[str, str], gathered: Mapping[str, Entries | ServiceEntries]) -> None:
    """Create sets. `names`: the name of each wanted set, and the name to create it by; its shape fits its elements."""
    if not names:
        return
    commands = Commands()
    for name, new_name in names.items():
        commands.add(IPSET_CMD_CREATE, create_body(new_name, shape_of(name, len(gathered.get(name, ())))))
    wire.carry_out(commands)


def _destroy(wire: IpsetSocket, names: AbstractSet[str], *, tolerant: bool = False) -> None:
    """Destroy sets. `tolerant`: a set that a foreign rule refers to is emptied and stays."""
    for name in sorted(names):
        for tries_left in reversed(range(_TRIES)):
            commands = Commands()
            commands.flush(name)
            commands.destroy(name)
            try:
                wire.carry_out(commands)
            except NetlinkError as exc:
                if exc.errno != IPSET_ERR_BUSY or not (tries_left or tolerant):
                    raise
            else:
                break
            time.sleep(_PAUSE)
