"""What a parser process is asked to do survives its command line."""

import pytest

from banlistd.adapters.parser_process.confinement import Limits
from banlistd.adapters.parser_process.job import Job, decoded_job, encoded_job
from banlistd.formats import Condition, Format, FormatType, Operator

FORMS = [
    *map(Format, FormatType),
    Format(FormatType.CSV, columns=("1", "ip"), separator="\t", each=True),
    Format(FormatType.CSV, columns=("1",), prefix="2"),
    Format(FormatType.CSV, columns=("1",), netmask="2"),
    Format(FormatType.CSV, columns=("1",), count="n"),
    Format(FormatType.JSON, paths=("a[]", "b{}"), ends=("c", "d"), lengths=(), members="*.txt", now=7),
    Format(FormatType.JSONL, field="a.b", lengths=("n",)),
    Format(FormatType.JSONL, where=(Condition("a", Operator.FUTURE), Condition("b", Operator.IS, ("x", "y")))),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_job_is_the_same_on_the_other_side(form: Format) -> None:
    job = Job(form, 1 << 20, "gzip", Limits(1, 2, 3))
    decoded = decoded_job(encoded_job(job))
    assert (decoded, decoded.form.now) == (job, form.now)


def test_a_format_without_anything_new_is_written_as_ever() -> None:
    # What was polled is known by this text: a change would ask every server for the whole list again.
    text = "Format(type=<FormatType.AUTO: 'auto'>, columns=(), separator='', paths=(), field='')"
    assert repr(Format()) == repr(Format(now=7)) == text
    assert repr(Format(members="a")) == f"{text[:-1]}, members='a')"
