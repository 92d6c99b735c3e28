"""packaging/generate: writes every generated file, or says with --check which are out of date."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from papers import (
    backends,
    catalogue,
    commands,
    completions,
    control_api,
    dashboard,
    events,
    formats,
    keys,
    metrics,
    page_strings,
    schema,
)
from papers.paper import Paper

PAPERS: Sequence[Paper] = tuple(
    chain(
        backends.PAPERS,
        catalogue.PAPERS,
        commands.PAPERS,
        completions.PAPERS,
        control_api.PAPERS,
        dashboard.PAPERS,
        events.PAPERS,
        formats.PAPERS,
        keys.PAPERS,
        metrics.PAPERS,
        page_strings.PAPERS,
        schema.PAPERS,
    )
)

TOP = Path(__file__).resolve().parents[3]


def generated(top: Path) -> Mapping[Path, tuple[str, str]]:
    """Each file with its present text and the text that it should have."""
    texts: dict[Path, tuple[str, str]] = {}
    for paper in PAPERS:
        path = top / paper.path
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        before, after = texts.get(path, (present, present))
        texts[path] = (before, paper.text(after))
    return texts


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="packaging/generate", description="Writes what is generated from the declarations.")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where a file is out of date")
    check = parser.parse_args(argv).check
    stale = {path: after for path, (before, after) in generated(TOP).items() if before != after}
    for path, text in stale.items():
        print(f"{path.relative_to(TOP)}: {'out of date: run packaging/generate' if check else 'written'}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
