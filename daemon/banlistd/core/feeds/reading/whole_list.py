"""A body -> one list with all its figures, and what is shown of the files of an archive: in the process that parses."""

from collections.abc import Sequence

from banlistd.core.feeds.completeness import Unit
from banlistd.core.feeds.parsed_list import SAMPLES, ParsedList, sample_text
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.next_page import next_page
from banlistd.core.feeds.reading.announced import announced, data_lines
from banlistd.formats import Format, FormatType
from banlistd.model import Rejected

_MAY_BE_JSON = frozenset({FormatType.AUTO, FormatType.JSON})

_FILES_SHOWN = 2


def with_files_left_out(samples: Sequence[Rejected], count: int, names: Sequence[str]) -> tuple[Rejected, ...]:
    """`count`: of the files of an archive that were left out, `names`: of the first of them, which are foreign text.

    At least two of them, as far as there are any, whatever lines were rejected.
    """
    room = max(_FILES_SHOWN, SAMPLES - len(samples))
    names = [sample_text(name) for name in names[:room]]
    reason = f"not read; files of the archive left out: {count:,}"
    return (*samples[: SAMPLES - len(names)], *(Rejected(0, name, reason) for name in names))


def parsed_list(body: bytes, form: Format, next_path: str = "") -> ParsedList:
    """Parse a decompressed body. `next_path`: as for `next_page`, of a JSON document.

    Raises ParseError as `parse` does. Memory and time are unbounded: not for foreign bytes.
    """
    parsed = parse(body, form)
    said = announced(body)
    lines = data_lines(body) if said is not None and said.unit is Unit.ENTRIES else 0
    is_html = parsed.looks_like == "html"
    further = next_page(body, next_path) if next_path or form.type in _MAY_BE_JSON else ""
    return ParsedList(
        parsed.addresses, parsed.entries, parsed.rejected, parsed.samples, is_html, said, lines, further, parsed.timed
    )
