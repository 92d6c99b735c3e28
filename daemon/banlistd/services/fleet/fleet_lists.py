"""Lists of a fleet: taken from its mirrors, signed, and held back for a time where `hold` says so."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from banlistd.core.config.model import Source
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.feeds.content import Content
from banlistd.core.feeds.parsed_list import Download, ParsedList
from banlistd.core.fleet.kept_rows import rows_to_keep
from banlistd.core.fleet.roll_out.stops import DIGITS
from banlistd.core.fleet.trust import FleetState, KnownTrust, MirrorFault, MirrorRefusal, Pulled, SignedList, WantedList
from banlistd.core.printing import quoted
from banlistd.errors import ExpiredTrustError, FetchError, LedgerError, MissingError, TrustError
from banlistd.events import Event, EventName
from banlistd.model import ContentHash, NotModified, SourceId, Validators
from banlistd.ports import Announcer, Clock, Fetcher, OnBody
from banlistd.ports.fleet import SignedLists, TrustLog

ContentInForce = Callable[[SourceId], Content | None]

WaitsSince = Callable[[SourceId, ContentHash], Awaitable[float | None]]
"""Since when this content of a source is known to wait, by the wall clock; None: it does not."""


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """A content that waits for the end of `hold`. `root_version`: under which it was signed. `since`: of the clock that never
    goes back.
    """

    download: Download
    content_hash: str
    seq: int
    root_version: int
    since: float


@dataclass(slots=True, eq=False)
class _Asked:
    """A list that a pull is wanted for, and what becomes of it."""

    wanted: WantedList
    seconds: float
    found: "asyncio.Future[SignedList]"


class FleetLists:
    """A Fetcher for sources with `hub`; the others through `others`. Lists that are due together come with one pull.

    Metadata that was verified is stored at once, also where the list is then refused: it is never gone back to.

    Until the time of a version is over nothing newer is fetched, so that frequent news delay nothing. A version that waited
    when the daemon ended, and is still the newest, goes on with its time. Then the fleet is asked
    first: the version is taken where it is the newest, or has newer ones under the same root, of which the newest waits next.
    It is dropped where the root has changed meanwhile, or where the fleet has withdrawn it, or has gone back to the content in
    force.
    """

    def __init__(
        self,
        fleet: Fleet,
        signed: SignedLists,
        log: TrustLog,
        content_of: ContentInForce,
        announcer: Announcer,
        clock: Clock,
        others: Fetcher,
        waits_since: WaitsSince,
    ) -> None:
        self.fleet = fleet
        self._signed = signed
        self._log = log
        self._content_of = content_of
        self._announcer = announcer
        self._clock = clock
        self._others = others
        self._waits_since = waits_since
        self._turn = asyncio.Lock()
        self._asked: list[_Asked] = []
        self._unsaved = KnownTrust()
        self._written: FleetState | None = None
        self._held: dict[tuple[SourceId, str], _Held] = {}
        self._root_version = 0
        self._names: set[str] = set()
        self._last_refused: dict[tuple[str, str], MirrorRefusal] = {}
        self._is_expired = self._is_refused = False
        self._has_ended = False

    def configure(self, fleet: Fleet) -> None:
        """From the next pull on, these mirrors and this root count. `fleet` has the same name."""
        self.fleet = fleet

    def end(self) -> None:
        """Take nothing any more, also of a pull that is under way."""
        self._has_ended = True

    @property
    def refusals(self) -> Sequence[MirrorRefusal]:
        """Of each mirror that was of no use when it was last asked."""
        return tuple(self._last_refused.values())

    async def known(self) -> KnownTrust:
        """What was verified of the fleet. Raises LedgerError."""
        written = await self._log.load(self.fleet.name)
        self._written = written.state
        return KnownTrust({**written.rows, **self._unsaved.rows}, self._newer(written.state))

    async def state(self) -> FleetState:
        """When and by what the fleet was last verified. Read once: each bell asks. Raises LedgerError."""
        if self._written is None:
            self._written = await self._log.state(self.fleet.name)
        return self._newer(self._written)

    def _newer(self, written: FleetState) -> FleetState:
        """What a failing disk did not take is newer."""
        return max(written, self._unsaved.state, key=lambda one: (one.root_version, one.timestamp_version, one.floor))

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        if not source.hub:
            return await self._others.fetch(source, validators, on_body)
        key, content = (source.id, source.hub), self._content_of(source.id)
        # Approved, or of a list that the source no longer takes.
        is_over = content is not None and key in self._held and content.content_hash == self._held[key].content_hash
        self._held = {one: held for one, held in self._held.items() if one[0] != source.id or (one == key and not is_over)}
        held = self._held.get(key)
        if held is not None and (left := held.since + self._hold(source) - self._clock.monotonic()) > 0:
            return _waiting(held.download, left)
        return await self._newest(source, validators, on_body, content, held)

    async def _newest(
        self, source: Source, validators: Validators, on_body: OnBody, content: Content | None, held: _Held | None
    ) -> Download | NotModified:
        """Ask the mirrors. `held`: a version whose time is over."""
        key = (source.id, source.hub)
        base = content if content is not None and not content.adopted else None
        wanted = WantedList(
            source.hub,
            held.content_hash if held else validators.body_hash or (base.content_hash if base else ""),
            base.addresses if base else None,
            base.content_hash if base else "",
            source.max_bytes,
            compares=held is not None,
        )
        # Also for a version whose time is over: it counts only if the fleet still says so.
        found = await self._pull(wanted, source.timeout)
        self._held.pop(key, None)
        new = Validators(f"{self.fleet.name}/{source.hub}/{found.seq}", "", found.content_hash)
        if held is not None and found.content_hash == held.content_hash:
            return replace(held.download, validators=new)
        if found.addresses is None and found.content_hash == validators.body_hash:
            return NotModified(new)
        addresses = found.addresses
        if addresses is None and base is not None and found.content_hash == base.content_hash:
            addresses = base.addresses
        if addresses is None:
            raise FetchError("hub: the list that is known is not at hand")
        await on_body()
        download = Download(ParsedList(addresses, len(addresses)), new, found.octets)
        hold = self._hold(source)
        if not hold or base is None or found.content_hash == base.content_hash:
            return download
        waited = 0.0 if held else await self._waited(source.id, found.content_hash)
        since = self._clock.monotonic() - waited
        self._held[key] = _Held(download, found.content_hash, found.seq, self._root_version, since)
        if waited >= hold:
            return await self.fetch(source, validators, on_body)  # as for every version whose time is over
        counts = held is not None and held.content_hash[:DIGITS] not in found.withdrawn
        is_behind = held is not None and held.root_version == self._root_version and held.seq < found.seq
        return held.download if held is not None and is_behind and counts else _waiting(download, hold - waited)

    def _hold(self, source: Source) -> float:
        return self.fleet.hold if source.hold is None else source.hold

    async def _waited(self, source_id: SourceId, content_hash: ContentHash) -> float:
        """Seconds for which an earlier process has kept this content waiting, as the wall clock says."""
        with suppress(LedgerError):
            since = await self._waits_since(source_id, content_hash)
            return max(self._clock.now() - since, 0.0) if since is not None else 0.0
        return 0.0

    async def add_root(self, root: bytes) -> Pulled:
        """Take a root that an administrator brings. Raises TrustError and LedgerError."""
        async with self._turn:
            known = await self.known()
            pulled = await self._signed.add_root(self.fleet, root, known)
            await self._keep(known, pulled)
            self._announce_root(known, pulled)
        return pulled

    async def _pull(self, wanted: WantedList, seconds: float) -> SignedList:
        asked = _Asked(wanted, seconds, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        await asyncio.sleep(0)  # what is due at the same moment joins
        try:
            async with self._turn:
                while not asked.found.done():
                    await self._pull_together()
        finally:
            if asked in self._asked:
                self._asked.remove(asked)
            asked.found.cancel()
        return asked.found.result()

    async def _pull_together(self) -> None:
        """Everything that waits, but a list that two sources want with one of them only."""
        together = {one.wanted.name: one for one in reversed(self._asked)}
        self._asked = [one for one in self._asked if together[one.wanted.name] is not one]
        self._names |= together.keys()
        try:
            fleet, known = self.fleet, await self._known_or_nothing()
            seconds = max(one.seconds for one in together.values())
            pulled = await self._signed.pull(fleet, [one.wanted for one in together.values()], known, seconds)
            self._must_count(fleet)
            self._root_version = pulled.state.root_version
            await self._keep(known, pulled)
            self._announce(known, pulled)
        except BaseException as error:
            fault = error if isinstance(error, FetchError) else FetchError("the pull of a fleet's lists was interrupted")
            for one in together.values():
                _fail(one.found, fault)
            if not isinstance(error, FetchError):
                raise
            return
        for name, one in together.items():
            _settle(one.found, name, pulled)

    def _must_count(self, fleet: Fleet) -> None:
        """Raises FetchError for what is proven by a root that a reload has replaced meanwhile."""
        if self._has_ended or fleet.root != self.fleet.root:
            raise FetchError("hub: a reload has changed the fleet meanwhile")

    async def _known_or_nothing(self) -> KnownTrust:
        """Without a ledger, what this process has verified is known at least."""
        try:
            return await self.known()
        except LedgerError:
            return self._unsaved

    async def _keep(self, known: KnownTrust, pulled: Pulled) -> None:
        if not pulled.rows and pulled.state == known.state:
            return
        rows = rows_to_keep({**self._unsaved.rows, **pulled.rows}, self._names)
        self._unsaved = KnownTrust(rows, pulled.state)
        with suppress(LedgerError):
            await self._log.keep(self.fleet.name, rows, self._names, pulled.state)
            self._unsaved = KnownTrust({}, pulled.state)

    def _announce(self, known: KnownTrust, pulled: Pulled) -> None:
        for one in pulled.refused:
            before = self._last_refused.get((one.mirror, one.list))
            self._last_refused[one.mirror, one.list] = one
            if one.fault is MirrorFault.REFUSED and before != one:
                words = f"{one.mirror} is not proven by the root of the fleet {self.fleet.name}: {quoted(one.reason)}"
                self._tell(EventName.HUB_REFUSED, words, MIRROR=one.mirror, REASON=one.reason)
        refused = {(one.mirror, one.list) for one in pulled.refused}
        self._last_refused = {key: one for key, one in self._last_refused.items() if key in refused}
        is_expired = any(one.fault is MirrorFault.EXPIRED for one in pulled.refused) and not pulled.lists
        if is_expired and not self._is_expired:
            reason = next(one.reason for one in pulled.refused if one.fault is MirrorFault.EXPIRED)
            words = f"what the fleet {self.fleet.name} signs is expired on all mirrors that answer: {quoted(reason)}; bans stay"
            self._tell(EventName.HUB_EXPIRED, words, REASON=reason)
        if self._is_expired and pulled.lists:
            self._tell(EventName.HUB_EXPIRED_OVER, f"the fleet {self.fleet.name} signs again")
        self._is_expired = is_expired or (self._is_expired and not pulled.lists)
        is_refused = any(one.fault is MirrorFault.REFUSED for one in pulled.refused)
        if self._is_refused and pulled.lists and not is_refused:
            self._tell(EventName.HUB_REFUSED_OVER, f"what mirrors of the fleet {self.fleet.name} give is proven again")
        self._is_refused = is_refused or (self._is_refused and not pulled.lists)
        self._announce_root(known, pulled)

    def _announce_root(self, known: KnownTrust, pulled: Pulled) -> None:
        if known.state.root_version and pulled.state.root_version != known.state.root_version:
            version = pulled.state.root_version
            words = f"the root of the fleet {self.fleet.name} is version {version} now, in place of {known.state.root_version}"
            self._tell(EventName.HUB_ROOT_CHANGED, words, VERSION=version)

    def _tell(self, name: EventName, message: str, **fields: str | int) -> None:
        self._announcer.announce(Event(name, message, dict(fields)))


def _waiting(download: Download, seconds: float) -> Download:
    """It is refused until then, and asked for again at that moment."""
    left = math.ceil(seconds)
    return replace(download, parsed=replace(download.parsed, held_for=left), ttl=left)


def _fail(future: "asyncio.Future[SignedList]", fault: FetchError) -> None:
    if not future.done():
        future.set_exception(fault)


def _settle(future: "asyncio.Future[SignedList]", name: str, pulled: Pulled) -> None:
    if future.done():
        return
    if name not in pulled.lists:
        future.set_exception(_fault_of([one for one in pulled.refused if one.list in ("", name)]))
    elif (found := pulled.lists[name]) is None:
        future.set_exception(MissingError(f"hub: the fleet has no list {name}", "banlistctl fleet says what there is"))
    else:
        future.set_result(found)


def _fault_of(refused: Sequence[MirrorRefusal]) -> FetchError:
    """Why no mirror gave a list: the worst of it."""
    for fault, kind in ((MirrorFault.REFUSED, TrustError), (MirrorFault.EXPIRED, ExpiredTrustError)):
        for one in refused:
            if one.fault is fault:
                return kind(f"hub: {one.mirror}: {quoted(one.reason)}")
    for one in refused:
        return FetchError(f"hub: {one.mirror}: {quoted(one.reason)}")
    return FetchError("hub: no mirror gave the list")
