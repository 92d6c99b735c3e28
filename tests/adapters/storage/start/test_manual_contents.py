"""What a boot reads of the bans by hand is what the bans say."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.manual_bans import ManualBanTable
from banlistd.adapters.storage.start.manual_contents import ManualContents, manual_contents
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.manual.manual_bans import addresses_of
from banlistd.core.ruleset.scoping.by_hand import scoped_contents
from banlistd.model import Family, ManualBan
from banlistd.scopes.scope import Scope

NOW = 1_790_000_000.0
SCOPES = (None, Scope(ports=((22, 22),), protocols=("tcp",)), Scope(interfaces=("eth0",), only_new=True))


def read(disk: Path, bans: Sequence[ManualBan], *changes: str) -> tuple[Sequence[ManualBan], ManualContents]:
    """The rows, in both ways."""

    async def run() -> tuple[Sequence[ManualBan], ManualContents]:
        async with open_database(disk / "db") as database:
            table = ManualBanTable(database)
            await table.begin(bans, NOW)
            for change in changes:
                await database.run(change)
            _, rows = await table.load()
            return rows, await manual_contents(database, NOW)

    return asyncio.run(run())


def of(bans: Sequence[ManualBan]) -> Mapping[Scope | None, AddressSet]:
    """What bans ban, by way of each of them."""
    found: dict[Scope | None, AddressSet] = {None: addresses_of(bans)}
    found.update(scoped_contents(bans).items())
    return {scope: content for scope, content in found.items() if len(content)}


def some_ban(chance: random.Random) -> ManualBan:
    family = chance.choice([Family.IPV4, Family.IPV6])
    width = 32 if family is Family.IPV4 else 128
    # Near to each other, so that they overlap and touch, and at both ends of the family.
    first = chance.choice([0, 1 << 24, 1 << width - 1, (1 << width) - 512]) + chance.randrange(256)
    last = first + chance.choice([0, 0, 1, 2, 255])
    created, expires, confirm = NOW - 10, *(chance.choice([None, None, NOW - 1, NOW, NOW + 1]) for _ in range(2))
    origin = chance.choice(["operator", "fail2ban/sshd"])
    return ManualBan(family, first, last, origin, "", created, expires, None, confirm, chance.choice(SCOPES))


@pytest.mark.parametrize("count", [0, 1, 2, 5, 50, 400])
@pytest.mark.parametrize("seed", range(4))
def test_the_columns_say_what_the_bans_say(tmp_path: Path, count: int, seed: int) -> None:
    chance = random.Random(f"{count} {seed}")
    bans = list({ban.key: ban for ban in (some_ban(chance) for _ in range(count))}.values())
    rows, found = read(tmp_path, bans)
    assert len(rows) == len(bans)
    assert found.begun
    assert found.rows == of(bans)
    assert found.in_force == of([ban for ban in bans if ban.in_force(NOW)])


def test_an_empty_scope_is_none(tmp_path: Path) -> None:
    bans = [ManualBan(Family.IPV4, 7, 7, "operator", "", NOW, None), ManualBan(Family.IPV4, 9, 9, "operator", "", NOW, None)]
    rows, found = read(tmp_path, bans, "UPDATE manual_bans SET scope = '' WHERE first = x'00000009'")
    assert found.in_force == of(rows) == of(bans)


def test_two_texts_of_one_scope_are_one_scope(tmp_path: Path) -> None:
    bans = [ManualBan(Family.IPV4, number, number, "operator", "", NOW, None, scope=SCOPES[1]) for number in (7, 9)]
    rows, found = read(tmp_path, bans, "UPDATE manual_bans SET scope = scope || ' ' WHERE first = x'00000009'")
    assert found.in_force == of(rows) == of(bans)


def test_a_scope_that_cannot_be_read_is_an_error_of_both_ways(tmp_path: Path) -> None:
    bans = [ManualBan(Family.IPV4, 7, 7, "operator", "", NOW, None)]

    async def run() -> None:
        async with open_database(tmp_path / "db") as database:
            table = ManualBanTable(database)
            await table.begin(bans, NOW)
            await database.run("UPDATE manual_bans SET scope = '{'")
            with pytest.raises(ValueError, match="line 1"):
                await table.load()
            with pytest.raises(ValueError, match="line 1"):
                await manual_contents(database, NOW)

    asyncio.run(run())


def test_a_table_that_has_not_begun_does_not_count(tmp_path: Path) -> None:
    async def run() -> ManualContents:
        async with open_database(tmp_path / "db") as database:
            return await manual_contents(database, NOW)

    found = asyncio.run(run())
    assert (found.begun, found.rows, found.in_force) == (False, {}, {})
