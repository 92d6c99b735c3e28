"""What a parser process is asked to do, as one argument of its command line: no secret, nothing from outside."""

import json
from dataclasses import asdict, dataclass

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
    return json.dumps(asdict(job))


def decoded_job(text: str) -> Job:
    document = json.loads(text)
    form = document["form"]
    return Job(
        Format(FormatType(form["type"]), tuple(form["columns"]), form["separator"], tuple(form["paths"]), form["field"]),
        document["max_bytes"],
        document["encoding"],
        Limits(**document["limits"]),
    )
