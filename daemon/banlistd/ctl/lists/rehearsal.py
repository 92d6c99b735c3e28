"""One new source is downloaded and read, with the guards and the allowlist of the configuration, and nothing is changed."""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from banlistd.backends import BackendName
from banlistd.compose import open_application
from banlistd.core.addresses.exporting.files import export_of, piece
from banlistd.core.addresses.exporting.formats import ExportFormat
from banlistd.core.addresses.text import span_text
from banlistd.core.config.kept import Loaded
from banlistd.core.feeds.found_list import Findings, skipped_in_words
from banlistd.core.ruleset.ranking import count
from banlistd.model import SourceId
from banlistd.paths import Paths

_SHOWN = 5


def rehearsed(folder: str, loaded: Loaded, source_id: str) -> Mapping[str, Any]:
    """What was read: `entries`, `octets` as they arrived, `bans` (what is left of them), `first` entries, `skipped`,
    `protected`, `error`.

    The list is parsed in the process without rights, as by the daemon. The state of the daemon is not touched.
    """
    [source] = (source for source in loaded.config.sources if source.id == source_id)
    alone = replace(loaded.config, backend=BackendName.MEMORY, sources=(replace(source, enabled=True),))
    with tempfile.TemporaryDirectory(prefix="banlistctl-") as scratch:
        places = Paths(Path(folder).absolute(), Path(scratch, "state"), Path(scratch, "run"))
        return asyncio.run(_read(places, Loaded(alone, loaded.files), source.id))


async def _read(places: Paths, loaded: Loaded, source_id: SourceId) -> Mapping[str, Any]:
    async with open_application(places, loaded, dry_run=lambda _: None) as application:
        await application.restore()
        [outcome] = await application.service.refresh()
        found = (await application.findings.every()).get(source_id, Findings())
        content, state = application.enforcer.content(source_id), application.enforcer.state
        lines = piece(export_of([], [content.addresses]), ExportFormat.PLAIN, 0).splitlines() if content else []
        return {
            "entries": len(content.addresses) if content else 0,
            "octets": found.octets,
            "bans": count(state) if state else 0,
            "first": [line for line in lines if not line.startswith("#")][:_SHOWN],
            "skipped": skipped_in_words(found),
            "protected": [f"{span_text(hit.protected.span)} ({hit.protected.reason})" for hit in application.enforcer.hits],
            "error": outcome.error,
            "exit_code": outcome.exit_code,
        }
