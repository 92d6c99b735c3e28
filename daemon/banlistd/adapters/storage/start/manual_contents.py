"""What the rows of bans by hand ban, read in columns: a restore at boot needs no single ban, and boot waits for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import aiosqlite
import numpy as np

from banlistd.adapters.storage.database import Database
from banlistd.core.addresses.sets import Addresses, AddressSet, no_addresses
from banlistd.model import Family
from banlistd.scopes.scope import Scope, scope_from

# SQLite joins the columns, in hexadecimal because it joins text alone: that takes an eighth of the time of a `ManualBan` for
# each row and columns made of those. Groups, so that it takes no longer where there are many scopes.
_ENDS = """
    SELECT ifnull(scope, '') AS written, ifnull(expires_at <= :now, 0) OR ifnull(confirm_by <= :now, 0) AS is_over,
        length(first) AS octets, group_concat(hex(first), ''), group_concat(hex(last), '')
    FROM manual_bans GROUP BY written, is_over, octets
"""

_FAMILIES = {4: Family.IPV4, 16: Family.IPV6}

_Row = tuple[str, bool, int, str, str]


@dataclass(frozen=True, slots=True, eq=False)
class ManualContents:
    """What is banned of each scope; of the scope None: what is banned for all packets.

    `begun`: whether the table counts (`ManualBans.load`). `rows`: of all, also those that have run out, which the firewall may
    have. `in_force`: of the others. A scope of which there is none is left out.
    """

    begun: bool
    rows: Mapping[Scope | None, AddressSet]
    in_force: Mapping[Scope | None, AddressSet]


async def manual_contents(database: Database, now: float) -> ManualContents:
    """Those in force at a moment (seconds since the epoch), and all. Raises LedgerError."""

    async def work(connection: aiosqlite.Connection) -> tuple[bool, list[_Row]]:
        begun = list(await connection.execute_fetchall("SELECT 1 FROM manual_beginnings LIMIT 1"))
        return bool(begun), cast("list[_Row]", await connection.execute_fetchall(_ENDS, {"now": now}))

    begun, rows = await database.read(work)
    in_force = [row for row in rows if not row[1]]
    by_now = _contents(in_force)
    # Mostly all are in force.
    return ManualContents(begun, by_now if len(in_force) == len(rows) else _contents(rows), by_now)


def _contents(rows: Sequence[_Row]) -> Mapping[Scope | None, AddressSet]:
    found: dict[Scope | None, dict[Family, list[tuple[Addresses, Addresses]]]] = {}
    for written, _, octets, first, last in rows:
        family = _FAMILIES[octets]
        ends = found.setdefault(scope_from(written) if written else None, {}).setdefault(family, [])
        ends.append((_column(family, first), _column(family, last)))
    return {scope: AddressSet.of(*_joined(ends, Family.IPV4), *_joined(ends, Family.IPV6)) for scope, ends in found.items()}


def _joined(ends: Mapping[Family, Sequence[tuple[Addresses, Addresses]]], family: Family) -> tuple[Addresses, Addresses]:
    first, last = zip(*ends.get(family, [(no_addresses(family), no_addresses(family))]), strict=True)
    return np.concatenate(first), np.concatenate(last)


def _column(family: Family, digits: str) -> Addresses:
    octets = bytes.fromhex(digits)
    return np.frombuffer(octets, ">u4").astype(np.uint32) if family is Family.IPV4 else np.frombuffer(octets, "S16")
