"""What a parser process is asked to do, as one argument of its command line: no secret, nothing from outside."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from banlistd.adapters.parser_process.confinement import Limits
from banlistd.formats import Condition, Format, FormatType, Operator


@dataclass(frozen=True, slots=True)
class Job:
    """`max_bytes`: before and after decompression. `encoding`: the Content-Encoding of an HTTP answer, which is from outside.

    It is one of the names that `core.download.codings` knows, or the download was refused before.
    `next_path`: as for `next_page`.
    """

    form: Format
    max_bytes: int
    encoding: str
    limits: Limits
    next_path: str = ""


def encoded_job(job: Job) -> str:
    # Not `asdict`, which copies every value, nor `fields`, which looks at every field.
    return json.dumps(job, default=_values)


def _values(one: Job | Format | Limits | Condition) -> Mapping[str, Any]:
    return {name: getattr(one, name) for name in one.__slots__}


# The jobs of a second are mostly alike: each source has the same format.
@lru_cache(maxsize=8)
def decoded_job(text: str) -> Job:
    document = json.loads(text)
    written: dict[str, Any] = document["form"]
    form: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in written.items()}
    where = (Condition(one["field"], Operator(one["operator"]), tuple(one["values"])) for one in written["where"])
    return Job(
        Format(**{**form, "type": FormatType(written["type"]), "where": tuple(where)}),
        document["max_bytes"],
        document["encoding"],
        Limits(**document["limits"]),
        document["next_path"],
    )
