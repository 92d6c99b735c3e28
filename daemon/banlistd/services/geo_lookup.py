"""Several resolvers, asked in turn until an address is known whole."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from banlistd.core.config.geo import DATABASES
from banlistd.core.geo.types import Located, nowhere
from banlistd.errors import BanlistdError, GeoError
from banlistd.model import Family
from banlistd.ports.geo import AskResolver, Resolver

# Addresses that are asked for at once where no resolver sets a limit.
DEFAULT_LIMIT = 1000

# Databases that the configuration names by default may be absent.
_OPTIONAL = frozenset(str(path) for path in DATABASES)

ResolverT = TypeVar("ResolverT", bound=Resolver)
Report = Callable[[BanlistdError], None]


@dataclass(slots=True)
class Lookup:
    """Open sessions with resolvers. `limit`: addresses in one call of `ask`. `whole`: no resolver has failed."""

    sessions: list[AskResolver]
    limit: int
    report: Report
    whole: bool = True

    async def ask(self, family: Family, addresses: Sequence[int]) -> Sequence[Located]:
        """What all resolvers together know of each address. A resolver that fails is not asked again."""
        located = [nowhere(family)] * len(addresses)
        for session in tuple(self.sessions):
            left = [at for at, one in enumerate(located) if not one.origin.is_complete]
            if not left:
                break
            try:
                answers = await session(family, [addresses[at] for at in left])
            except GeoError as error:
                self.sessions.remove(session)
                self.whole = False
                self.report(error)
                continue
            # Neighbours in one network share one answer: a few hundred are joined, not some thousand.
            filled: dict[tuple[int, int], Located] = {}
            for at, answer in zip(left, answers, strict=True):
                both = id(located[at]), id(answer)
                if both not in filled:
                    filled[both] = located[at].filled(answer)
                located[at] = filled[both]
        return located


@asynccontextmanager
async def open_lookup(resolvers: Sequence[Resolver], report: Report) -> AsyncIterator[Lookup]:
    """Sessions with all resolvers that can be opened; the others are reported."""
    async with AsyncExitStack() as stack:
        lookup = Lookup([], min((resolver.limit for resolver in resolvers), default=DEFAULT_LIMIT), report)
        for resolver in resolvers:
            try:
                lookup.sessions.append(await stack.enter_async_context(resolver.session()))
            except GeoError as error:
                lookup.whole = False
                report(error)
        yield lookup


async def available(resolvers: Sequence[ResolverT], report: Report) -> Sequence[ResolverT]:
    """Those that can be asked; a missing one is reported unless it is optional."""
    if not resolvers:
        return []
    there = await asyncio.to_thread(lambda: [resolver.is_there() for resolver in resolvers])
    for resolver, is_there in zip(resolvers, there, strict=True):
        if not is_there and resolver.name not in _OPTIONAL:
            report(GeoError(f"{resolver.name} is not there", "see geo: databases:"))
    return [resolver for resolver, is_there in zip(resolvers, there, strict=True) if is_there]
