"""The nouns. Nothing here does anything, and nothing here is an array (see core/addresses/sets)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, NewType

from banlistd.scopes.scope import Scope

SourceId = NewType("SourceId", str)
"""The id of a source in the configuration: `[a-z0-9][a-z0-9-]*`, at most 40 characters."""

MANUAL = SourceId("manual")
"""The source of manual bans, which comes before all others; the configuration may not give its id to another source."""

ContentHash = NewType("ContentHash", str)
"""SHA-256, 64 hexadecimal digits, of a list's canonical form (`AddressSet.encode`)."""

PolicyHash = NewType("PolicyHash", str)
"""SHA-256, cut to 16 hexadecimal digits, of everything besides content that decides what is banned."""

Mark = NewType("Mark", int)
"""The number (1 to 65,535) of a source in the kernel; a list keeps it for ever, manual bans of a scope while there are any."""


class Family(StrEnum):
    IPV4 = "ipv4"
    IPV6 = "ipv6"


Span = tuple[Family, int, int]
BanKey = tuple[Family, int, int, str]  # family, first and last address, origin: there is one ban of each
"""A family and two addresses as integers, both inclusive."""


class Action(StrEnum):
    """What happens to a packet of a listed address. NONE and ALLOW: nothing of the list is in the firewall."""

    DROP = "drop"
    REJECT = "reject"
    LOG = "log"
    COUNT = "count"
    NONE = "none"
    ALLOW = "allow"

    @property
    def blocks(self) -> bool:
        """Whether the packet ends here; a source that does not block owns only addresses that no blocking source has."""
        return self in (Action.DROP, Action.REJECT)


class Direction(StrEnum):
    """Which packets a source looks at: by their source address, by their destination, or both."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


class Ownership(StrEnum):
    """Whether the table belongs to the daemon alone, so that `nft flush ruleset` does not affect it. `auto`: if possible."""

    NO = "no"
    YES = "yes"
    AUTO = "auto"


class RunState(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


class Decision(StrEnum):
    """What a restart does with the newest content of a source (`core.recovery`)."""

    SKIP = "skip"
    REAPPLY = "reapply"
    FINISH = "finish"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class SourceSlot:
    """A source in the firewall. `shadow`: before others. `log`: to an NFLOG group, 0: kernel. `scope_number` 0: all packets."""

    mark: Mark
    source_id: SourceId
    action: Action
    direction: Direction
    shadow: bool = False
    log: int | None = None
    hits: bool = False
    scope: Scope | None = None
    scope_number: int = 0


@dataclass(frozen=True, slots=True)
class Marker:
    """What the firewall says is applied of one source; written in the transaction that wrote the set elements."""

    mark: Mark
    source_id: SourceId
    content_hash: ContentHash
    policy_hash: PolicyHash


@dataclass(frozen=True, slots=True)
class Validators:
    """What is sent back to a server to learn that nothing changed; empty: not known. `body_hash`: of the bytes as they arrived.
    `fetch_key`: a hash of the place they came from and the format they were read in; under another one validators are ignored.
    """

    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""
    fetch_key: str = ""


@dataclass(frozen=True, slots=True)
class NotModified:
    """Nothing has changed since the validators were taken. `validators`: the new ones, where they alone have changed."""

    validators: Validators | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line without a usable address: its number (from 1), its printable beginning, and the reason."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Content that a guard refused: the name of the guard, and the reason as text."""

    guard: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One row of `import_runs`; times as in Poll. `content_hash` None: the poll failed before there was any content."""

    id: int
    source_id: SourceId
    content_hash: ContentHash | None
    state: RunState
    generation: int
    attempts: int
    entries: int
    added: int
    removed: int
    rejected: int
    error: str
    policy_hash: PolicyHash
    started_at: float
    completed_at: float | None


@dataclass(frozen=True, slots=True)
class Poll:
    """The stored state of polling one source. Times in seconds since the epoch; `due_at` 0: at once."""

    source_id: SourceId
    validators: Validators = Validators()
    content_hash: ContentHash | None = None
    due_at: float = 0.0
    polled_at: float | None = None
    failures: int = 0
    error: str = ""
    failing_since: float | None = None


@dataclass(frozen=True, slots=True)
class ExternalChange:
    """Another process changed the firewall. `culprit`: the kernel's `nft[4711]`, or empty. `ours`: our table, or unknown."""

    culprit: str = ""
    ours: bool = True


class AnswerPort(NamedTuple):
    """A service: its packets have this protocol (`udp`, `tcp`) and come from this port. Of `icmpv6` the type and the code."""

    protocol: str
    port: int


class ServiceEndpoint(NamedTuple):
    """What this host gets from a service at a banned address, without asking; of `tcp` no packet that opens a connection."""

    family: Family
    address: int
    service: AnswerPort


@dataclass(frozen=True, slots=True)
class Login:
    """A remote address that authenticated: when its session was first and last seen (seconds since the epoch)."""

    family: Family
    address: int
    since: float
    last_seen: float

    @property
    def remote(self) -> tuple[Family, int]:
        return self.family, self.address


@dataclass(frozen=True, slots=True)
class Protected:
    """Addresses (integers, both ends inclusive) that no source bans, and the reason as text.
    `learned`: from a login or a service that the host uses; a manual ban overrides it, but not the host's own addresses,
    gateways and networks. `answers`: all that the host needs of it, and all that passes where a source bans it; empty:
    everything. `since`, `until`: seconds since the epoch, where they are known; `until` None: as long as the reason lasts.
    """

    family: Family
    first: int
    last: int
    reason: str
    learned: bool = False
    answers: tuple[AnswerPort, ...] = ()
    since: float | None = None
    until: float | None = None

    @property
    def scope(self) -> str:
        """`everything`, or `answers from udp 53, tcp 53`."""
        ports = ", ".join(f"{answer.protocol} {answer.port}" for answer in self.answers)
        return f"answers from {ports}" if ports else "everything"

    @property
    def span(self) -> Span:
        return self.family, self.first, self.last


@dataclass(frozen=True, slots=True)
class ManualBan:
    """A manual ban: addresses (integers, both ends inclusive), its origin, end (seconds since the epoch) and scope (None: all).

    Origins are independent: an address is banned while a ban of any origin is in force. `expires_at` None: it does not expire.
    `uid`: the user who ordered it; None where that is not known. `confirm_by`: its end while it is not confirmed.
    """

    family: Family
    first: int
    last: int
    origin: str
    comment: str
    created_at: float
    expires_at: float | None
    uid: int | None = None
    confirm_by: float | None = None
    scope: Scope | None = None

    @property
    def span(self) -> Span:
        return self.family, self.first, self.last

    @property
    def key(self) -> BanKey:
        return self.family, self.first, self.last, self.origin

    @property
    def ends_at(self) -> float | None:
        """The end in force."""
        if self.confirm_by is None or self.expires_at is None:  # quicker than min(): it is asked of 100,000 bans at once
            return self.expires_at if self.confirm_by is None else self.confirm_by
        return min(self.expires_at, self.confirm_by)

    def in_force(self, now: float) -> bool:
        return self.ends_at is None or now < self.ends_at


class OutcomeKind(StrEnum):
    """How one poll of one source ended."""

    COMPLETED = "completed"
    SKIPPED = "skipped"
    REFUSED = "refused"
    FAILED = "failed"
    LOST_RACE = "lost_race"
    DEFERRED = "deferred"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one poll. `delay`: seconds to the next, `ttl`: those for which it counts. `deferred`: why none was made."""

    source_id: SourceId
    kind: OutcomeKind
    added: int = 0
    removed: int = 0
    error: str = ""
    exit_code: int = 0
    delay: float = 0.0
    deferred: str = ""
    ttl: float | None = None


@dataclass(frozen=True, slots=True)
class Counter:
    """What the firewall counted for one source since its chain was created."""

    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Remark:
    """What an administrator should know about the firewall of this host. `hint`: what to do about it."""

    message: str
    hint: str
