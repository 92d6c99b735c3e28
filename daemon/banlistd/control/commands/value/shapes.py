"""The shapes of what `report` answers."""

from typing import NotRequired, TypedDict


class CandidateRow(TypedDict):
    """An entry that may be a false positive. `met`: `allowed`, `protected` or `connected`. `address`: what it contains of."""

    entry: str
    met: str
    address: str
    reason: str


class PastRow(TypedDict):
    """What the versions that are kept say, of single IPv4 addresses. `since`: from when on they are known. `first`: addresses
    that it had before any other list that has them too, `days_ahead` by how many days (median). `left`: addresses that came and
    left since, `days_listed`: after how many days (median).
    """

    since: float
    first: int
    days_ahead: float | None
    left: int
    days_listed: float | None


class ValueRow(TypedDict):
    """`unique`: entries of which no other list has an address. `addresses`, `unique_addresses`: of IPv4. `owned`: elements in
    the firewall. `overlap`: by list, how many entries of this list have an address that the other has too. `packets`,
    `hits_per_1000`: null where nothing is counted; hits are packets for each 1,000 entries. `sampled`: addresses of
    which hits are kept (`hits: yes`). `candidates`: how many entries met
    an address that is wanted; `met` has the first. `past`: null unless it is asked for, and known.
    """

    id: str
    action: str
    entries: int
    unique: int
    addresses: int
    unique_addresses: int
    owned: int
    packets: int | None
    hits_per_1000: float | None
    sampled: int
    overlap: dict[str, int]
    candidates: int
    met: list[CandidateRow]
    past: PastRow | None


class PastOfList(TypedDict):
    """`entries`: at the end of each slot, null before anything is known. `hits`: connections whose samples (`hits: yes`)
    began in the slot or before, and ended in it or later. `connections`, `samples`: in all of the time.
    """

    id: str
    entries: list[int | None]
    hits: list[int]
    connections: int
    samples: int


class OverTime(TypedDict):
    """The time from `since` to `until` in equal slots of `slot` seconds. `entries`, `hits`: of every list in force, also of
    those that are not compared; an entry on two lists counts twice. `lists`: those of the report.
    """

    since: float
    until: float
    slot: float
    entries: list[int]
    hits: list[int]
    lists: list[PastOfList]


class PlaceRow(TypedDict):
    """`key`: `NO`, `AS64496`, or empty for unknown. `addresses`: of IPv4."""

    key: str
    name: str
    bans: int
    addresses: int


class Places(TypedDict):
    """Bans of this moment by country or network operator. `bans`: all of them. `total`: how many rows there would be without a
    limit. `unknown`: why there are none, where no database knows; else empty.
    """

    bans: int
    total: int
    rows: list[PlaceRow]
    unknown: str


class ReportAnswer(TypedDict):
    """`left_out`: lists that are not compared one by one; what they have is not unique to another list all the same. With
    `since` only: `over_time`, `countries`, `networks`.
    """

    lists: list[ValueRow]
    left_out: list[str]
    over_time: NotRequired[OverTime]
    countries: NotRequired[Places]
    networks: NotRequired[Places]
