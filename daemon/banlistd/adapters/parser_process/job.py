"""What a parser process is asked to do, as one argument of its command line: no secret, nothing from outside."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from banlistd.adapters.parser_process.confinement import Limits
from banlistd.formats import Format, FormatType


@dataclass(frozen=True, slots=True)
class Job:
    """`max_bytes`: before and after decompression. `encoding`: the Content-Encoding of an HTTP answer, which is from outside.

    It is one of the names that `core.download.decompression` knows, or the download was refused before.
    """

    form: Format
    max_bytes: int
    encoding: str
    limits: Limits


def encoded_job(job: Job) -> str:
    # Not `asdict`, which copies every value.
    return json.dumps({**_values(job), "form": _values(job.form), "limits": _values(job.limits)})


def _values(one: Job | Format | Limits) -> Mapping[str, Any]:
    return {field.name: getattr(one, field.name) for field in fields(one)}


def decoded_job(text: str) -> Job:
    document = json.loads(text)
    form = document["form"]
    return Job(
        Format(FormatType(form["type"]), tuple(form["columns"]), form["separator"], tuple(form["paths"]), form["field"]),
        document["max_bytes"],
        document["encoding"],
        Limits(**document["limits"]),
    )
