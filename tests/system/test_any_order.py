"""Imports, reloads, crashes, flushes, foreign hands, a lost database, in any order: what is settled is in the kernel, exactly.

The model is worked out with `ipaddress` (kernel_view). `pytest --hypothesis-profile=thorough` lives twenty times as many lives.
"""

import ipaddress
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from banlistd.core.addresses.canonical import hash_of
from banlistd.core.config.model import Config, Source
from banlistd.core.config.reading.scoping import ConnectionChoice
from banlistd.core.config.sections.allow import AllowEntry
from banlistd.core.feeds.parsers import parse
from banlistd.errors import FetchError, FirewallError
from banlistd.model import MANUAL, Action, OutcomeKind, SourceId
from support.fakes import FakeFetcher
from support.network_namespace import in_network_namespace, nft, run_nft
from system.kernel_view import RESERVED, contents, expected, generation, look
from system.mortal_process import Fuse, Killed, MortalDaemon

FEEDS = ("a", "b", "c", "d")

# Addresses and networks that end with an IPv4 address: Teredo, and ISATAP.
EMBEDDED_LAST = (
    "2001:0:102:304:0:1:3fff:fdfe",
    "2001:0:102:304:0:1:3fff:0/112",
    "2a00:7::5efe:192.0.2.1",
    "2a00:7::200:5efe:192.0.2.0/120",
)

# Near to each other, within each other, at both ends of the space, reserved, and one within the other family.
ENTRIES = (
    "192.0.2.1",
    "192.0.2.2",
    "192.0.2.3",
    "192.0.2.0/30",
    "192.0.2.0/24",
    "192.0.2.128/25",
    "192.0.2.3-192.0.2.130",
    "192.0.3.0",
    "192.0.2.255-192.0.3.0",
    "198.51.100.0/24",
    "198.51.100.255",
    "198.51.101.0",
    "198.51.100.0/23",
    "203.0.113.5",
    "203.0.112.0/20",
    "10.0.0.1",
    "10.0.0.0/8",
    "9.255.255.255-11.0.0.0",
    "223.255.255.255",
    "1.0.0.0",
    "2001:db8::/32",
    "2001:db8::1",
    "2001:db8::2",
    "2001:db8::/126",
    "2001:db8:ffff::/48",
    "2001:db8::ff-2001:db8::1:ff",
    "2001:db9::",
    "2002:c000:200::/40",
    "2002:c000:201::7",
    "2002:a00::/24",
    "64:ff9b::c000:202",
    *EMBEDDED_LAST,
    "2001:0:102:400::/56",
    "fe80::1",
    "2000::",
    "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
)
ALLOWED = ("192.0.2.1", "192.0.2.0/25", "198.51.100.255", "203.0.113.0/24", "0.0.0.0/0", "2001:db8::1", "2001:db8::/33", "::/0")

STRUCTURE = (
    "flush ruleset",
    "delete table inet banlistd",
    "flush table inet banlistd",
    "insert rule inet banlistd inbound accept",
    "flush chain inet banlistd banned",
    "flush chain inet banlistd lookup-in",
    "add chain inet banlistd foreign",
    "add table inet foreign",
    "flush map inet banlistd applied",
    "delete element inet banlistd applied { 1 }",
    *(f"flush map inet banlistd {kind}{version}" for kind in ("hosts", "nets") for version in (4, 6)),
    *(f"flush map inet banlistd scope{number}_in_{kind}4" for number in (1, 2) for kind in ("hosts", "nets")),
    "flush chain inet banlistd scoped-1-in",
    "flush chain inet banlistd tracked-in",
)
ELEMENTS = (
    *(
        f"delete element inet banlistd {kind}{6 if ':' in entry else 4} {{ {entry} }}"
        for entry in ENTRIES
        for kind in ("hosts", "nets")
    ),
    *(f"delete element inet banlistd scope1_in_hosts4 {{ {one} }}" for one in ("192.0.2.1", "203.0.113.5")),
    *(f"add element inet banlistd hosts4 {{ {one} : {mark} }}" for one in ("192.0.2.1", "203.0.113.9") for mark in (1, 2)),
    *(f"add element inet banlistd nets6 {{ {net} : 1 }}" for net in ("2001:db8::/64", "2001:dead::/32")),
)
hands = st.sampled_from(STRUCTURE) | st.sampled_from(ELEMENTS)

entries = st.lists(st.sampled_from(ENTRIES), min_size=1, max_size=6, unique=True)
PACKETS = ("", "22", "80", "22 new")
"""Which packets a list blocks: all, or those to a port, and ` new` behind it where answers pass."""

rosters = st.lists(
    st.tuples(st.sampled_from(FEEDS), st.sampled_from(Action), st.sampled_from(PACKETS)),
    max_size=4,
    unique_by=lambda listed: listed[0],
)
moments = st.integers(0, 60)
some_feeds = st.lists(st.sampled_from(FEEDS), min_size=1, max_size=4, unique=True)


def body_of(listed: Sequence[str]) -> bytes:
    return "".join(f"{entry}\n" for entry in listed).encode()


Listed = tuple[str, Action, str]


def scope_by(packets: str) -> Mapping[str, Any]:
    port, _, new = packets.partition(" ")
    ports = {"ports": ((int(port), int(port)),)} if port else {}
    return {**ports, **({"connections": ConnectionChoice.NEW} if new else {})}


def config_of(lists: Sequence[Listed], allow: Sequence[str]) -> Config:
    sources = tuple(
        # A list whose entries are all reserved or allowed is taken too.
        Source(
            id=SourceId(name),
            url=f"http://192.0.2.9/{name}",
            action=action,
            allow_empty=True,
            **scope_by(packets),
        )
        for name, action, packets in lists
    )
    networks = map(ipaddress.ip_network, allow)
    return Config(sources=sources, allow=tuple(AllowEntry(first=network[0], last=network[-1]) for network in networks))


def networks_of(entries: Sequence[str]) -> list[str]:
    """Of addresses, networks and ranges."""
    found = []
    for first, _, last in (entry.partition("-") for entry in entries):
        if last:
            ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
            found += [str(network) for network in ipaddress.summarize_address_range(*ends)]
        else:
            found.append(str(ipaddress.ip_network(first)))
    return found


def in_every_form(texts: Sequence[str]) -> list[str]:
    """IPv4 networks also where IPv6 addresses embed them: compatible, mapped, NAT64, 6to4."""
    found = list(texts)
    for network in map(ipaddress.ip_network, texts):
        if network.version == 4:
            first, length = int(network[0]), network.prefixlen
            low = (int(ipaddress.IPv6Address(above)) | first for above in ("::", "::ffff:0:0", "64:ff9b::"))
            found += [f"{ipaddress.IPv6Address(number)}/{96 + length}" for number in low]
            found.append(f"{ipaddress.IPv6Address(0x2002 << 112 | first << 80)}/{16 + length}")
    return found


def at_the_end_of_listed(texts: Sequence[str]) -> list[str]:
    """Allowed IPv4 networks also where an entry of these tests, of /96 or longer, embeds them last: Teredo, ISATAP."""
    networks = [ipaddress.IPv4Network(text) for text in texts if "." in text]
    prefixes = {ipaddress.IPv6Network(f"{entry.partition('/')[0]}/96", strict=False) for entry in EMBEDDED_LAST}
    teredo = ipaddress.IPv6Network("2001::/32")
    found = []
    for network in networks:
        for prefix in prefixes:
            first = int(network[-1]) ^ 0xFFFF_FFFF if prefix.subnet_of(teredo) else int(network[0])
            found.append(f"{prefix[first]}/{96 + network.prefixlen}")
    return found


def content_hash_of(listed: Sequence[str]) -> str:
    return hash_of(parse(body_of(listed)).addresses.encode())


class Lives(RuleBasedStateMachine):
    """`good`: what the ledger shall have accepted of each feed; `shown`: what its server has."""

    disks: ClassVar[Path]
    lives: ClassVar[int] = 0
    steps: ClassVar[int] = 0
    _numbers: ClassVar = count()

    def __init__(self) -> None:
        super().__init__()
        nft("flush", "ruleset")
        self.disk = self._new_disk()
        self.disk.mkdir()
        self.sources: list[Listed] = [("a", Action.DROP, ""), ("b", Action.DROP, "22")]
        self.allow: list[str] = []
        self.shown: dict[str, Sequence[str]] = {name: [f"203.0.113.{at}"] for at, name in enumerate(FEEDS)}
        self.good: dict[str, Sequence[str]] = {}
        self.fetcher = FakeFetcher({})
        for name in FEEDS:
            self._show(name, self.shown[name])
        self.process: MortalDaemon | None = None
        self.wait_for_external_change = False

    @initialize()
    def begin(self) -> None:
        self._start()

    @rule(name=st.sampled_from(FEEDS), listed=entries)
    def server_has_another_list(self, name: str, listed: Sequence[str]) -> None:
        self._show(name, listed)

    @rule(names=some_feeds, hand=st.none() | hands)
    def polls(self, names: Sequence[str], hand: str | None = None) -> None:
        if hand is not None:
            self.somebody_else_writes(hand)
        names = self._enabled(names)
        held = contents()
        ends: dict[str, OutcomeKind] = {outcome.source_id: outcome.kind for outcome in self._alive.poll(names)}
        # A list that is allowed may not grow by more than 65,536 networks of /48.
        growing = {name for name, action, _ in self.sources if action is Action.ALLOW and ends.get(name) is OutcomeKind.REFUSED}
        names = [name for name in names if name not in growing]
        assert {ends[name] for name in names} <= {OutcomeKind.COMPLETED, OutcomeKind.SKIPPED}
        for name in names:
            assert ends[name] is OutcomeKind.COMPLETED or held.get(name) == content_hash_of(self.shown[name])
        self.good |= {name: self.shown[name] for name in names}
        # What others broke is the reconcile loop's to mend, where lists and their markers are as they were.
        if not self.wait_for_external_change or OutcomeKind.COMPLETED in ends.values():
            self._check()

    @rule(news=st.dictionaries(st.sampled_from(FEEDS[:2]), entries, min_size=1))
    def polls_what_is_new(self, news: Mapping[str, Sequence[str]]) -> None:
        for name, listed in news.items():
            self._show(name, listed)
        self.polls([*news])

    @rule(names=some_feeds)
    def servers_are_out_of_order(self, names: Sequence[str]) -> None:
        names = self._enabled(names)
        for name in names:
            self.fetcher.bodies[SourceId(name)] = FetchError("503")
        assert {outcome.kind for outcome in self._alive.poll(names)} <= {OutcomeKind.FAILED}
        for name in names:
            self._show(name, self.shown[name])

    @rule(sources=rosters)
    def sources_change(self, sources: list[Listed]) -> None:
        self.sources = sources
        self._reload()

    @rule(allow=st.lists(st.sampled_from(ALLOWED), max_size=3, unique=True))
    def allow_entries_change(self, allow: list[str]) -> None:
        self.allow = allow
        self._reload()

    @rule(command=hands)
    def somebody_else_writes(self, command: str) -> None:
        run_nft(command)  # it may fail: what it names need not be there
        self.wait_for_external_change = True

    @rule()
    def somebody_exchanges_a_rule(self) -> None:
        """As many rules as before: only who is told of it by the kernel finds it out."""
        run_nft("flush chain inet banlistd from-a; add rule inet banlistd from-a accept")
        self.settles()

    @rule()
    def settles(self) -> None:
        self._alive.reconcile()
        self._check()
        before = generation()
        assert self._alive.reconcile().is_empty
        assert generation() == before

    @rule(reboots=st.booleans())
    def crashes(self, reboots: bool) -> None:
        sound = not (reboots or self.wait_for_external_change)
        self._die()
        if reboots:
            nft("flush", "ruleset")
        before = generation()
        self._start()
        assert generation() == before or not sound
        self._check()

    @rule(names=some_feeds, moment=moments)
    def is_killed_in_a_poll(self, names: Sequence[str], moment: int) -> None:
        names = self._enabled(names)
        self._kill(lambda process: process.poll(names), moment)
        held = contents()
        # Each of them was taken or not; `_check` sees to it that it is the one or the other.
        self.good |= {name: self.shown[name] for name in names if held.get(name) == content_hash_of(self.shown[name])}
        self._check()

    @rule(sources=rosters, moment=moments)
    def is_killed_in_a_reload(self, sources: list[Listed], moment: int) -> None:
        self.sources = sources
        self._kill(lambda process: process.reload(self._config), moment)
        self._check()

    @rule(moment=moments, reboots=st.booleans())
    def is_killed_in_a_start(self, moment: int, reboots: bool) -> None:
        self._die()
        if reboots:
            nft("flush", "ruleset")
        with suppress(Killed):
            self._start(moment)
        self._die()
        self._start()
        self._check()

    @rule(names=some_feeds, lost=st.booleans())
    def kernel_refuses_or_its_answer_is_lost_in_a_poll(self, names: Sequence[str], lost: bool) -> None:
        names = self._enabled(names)
        with self._fickle(lost=lost):
            outcomes = self._alive.poll(names)
        for outcome in outcomes:
            if outcome.kind not in (OutcomeKind.FAILED, OutcomeKind.REFUSED):
                self.good[outcome.source_id] = self.shown[outcome.source_id]
        self.settles()

    @rule(sources=rosters, lost=st.booleans())
    def kernel_refuses_or_its_answer_is_lost_in_a_reload(self, sources: list[Listed], lost: bool) -> None:
        before, self.sources = self.sources, sources
        with self._fickle(lost=lost):
            try:
                self._alive.reload(self._config)
            except FirewallError:
                self.sources = before
        self.settles()

    @rule(reboots=st.booleans())
    def database_is_lost(self, reboots: bool) -> None:
        self._alive.reconcile()
        before = look()
        self._die()
        shutil.rmtree(self.disk)
        self.disk.mkdir()
        if reboots:
            nft("flush", "ruleset")
        self._start()
        if not reboots:
            assert look() == before
        self.good = {}
        # A database that knows of no poll has everything polled at once.
        self.polls(FEEDS)
        self._check()

    @contextmanager
    def _fickle(self, *, lost: bool) -> Iterator[None]:
        firewall = self._alive.firewall
        firewall.loses_the_answer, firewall.refuses = lost, not lost
        yield
        firewall.loses_the_answer = firewall.refuses = False

    def teardown(self) -> None:
        type(self).lives += 1
        if self.process is not None:
            try:
                self.settles()
            finally:
                # Also after a failure: a database left open keeps the interpreter alive for ever.
                self._die()

    @property
    def _alive(self) -> MortalDaemon:
        assert self.process is not None
        return self.process

    @property
    def _config(self) -> Config:
        return config_of(self.sources, self.allow)

    def _enabled(self, names: Sequence[str]) -> Sequence[str]:
        return [name for name, *_ in self.sources if name in names]

    def _show(self, name: str, listed: Sequence[str]) -> None:
        self.shown[name] = listed
        self.fetcher.bodies[SourceId(name)] = body_of(listed)

    def _start(self, moment: int | None = None) -> None:
        self._fuse = Fuse(moment)
        self.process = MortalDaemon(self.disk, self._config, self.fetcher, self._fuse)
        self.process.start()
        self._fuse.left = None

    def _reload(self) -> None:
        self._alive.reload(self._config)
        self._check()

    def _kill(self, work: Callable[[MortalDaemon], object], moment: int) -> None:
        """Start again, under the configuration of now, what has died in its work, or soon after it."""
        self._fuse.left = moment
        with suppress(Killed):
            work(self._alive)
        self._die()
        self._start()

    def _die(self) -> None:
        self.disk, old = self._new_disk(), self.disk
        self._alive.die(self.disk)
        shutil.rmtree(old)
        self.process = None

    def _new_disk(self) -> Path:
        return self.disks / str(next(self._numbers))

    def _check(self) -> None:
        """Whatever has just been written is right, and all else."""
        self.wait_for_external_change = False
        type(self).steps += 1
        # Who blocks owns before who only watches.
        sources = sorted((one for one in self.sources if one[0] in self.good), key=lambda one: not one[1].blocks)
        lists = {name: self.good[name] for name, *_ in sources}
        acting = [(name, packets if action.blocks else "") for name, action, packets in sources if action not in SILENT]
        listed = [entry for name, action, _ in sources if action is Action.ALLOW for entry in self.good[name]]
        allowed = [*self.allow, *networks_of(listed)]
        passing = [*in_every_form([*RESERVED, *allowed]), *at_the_end_of_listed(allowed)]
        seen = look()
        assert seen.contents == {name: content_hash_of(listed) for name, listed in lists.items()}
        planned = {
            packets: expected({name: lists[name] for name, its in acting if its == packets}, passing) for packets in PACKETS
        }
        assert seen.ranges == planned.pop("")
        assert seen.scoped == {packets: ranges for packets, ranges in planned.items() if any(ranges.values())}
        with closing(sqlite3.connect(self.disk / "db")) as database:
            assert not list(database.execute("SELECT * FROM import_runs WHERE state = 'pending'"))
        if lists:
            others = {name: VERDICTS[action] for name, action, _ in self.sources if action not in SILENT}
            assert verdicts() == {MANUAL: VERDICTS[Action.DROP], **others}


SILENT = (Action.NONE, Action.ALLOW)
"""Of a list with one of these actions the firewall has a marker, and nothing else."""

VERDICTS: Mapping[Action, str] = {Action.DROP: "drop", Action.REJECT: "reject", Action.LOG: "log", Action.COUNT: ""}


def verdicts() -> Mapping[str, str]:
    """What happens to the packets of each source, by the kernel's own word."""
    chains = re.findall(r"chain from-(\S+) \{(.*?)\}", nft("-s", "list", "table", "inet", "banlistd"), re.DOTALL)
    return {name: (re.findall(r"\b(?:drop|reject|log)\b", rules) or [""])[0] for name, rules in chains}


@in_network_namespace
def test_any_order_of_events_ends_with_the_exact_state_in_the_kernel(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    Lives.disks = tmp_path
    lives = settings().max_examples // 3
    run_state_machine_as_test(
        Lives, settings=settings(max_examples=lives, stateful_step_count=30, suppress_health_check=list(HealthCheck))
    )
    record_property("lives", Lives.lives)
    record_property("steps", Lives.steps)
