"""Hostile bytes through the process without rights: a million with `python tests/fuzz_parser_process.py --count 1000000`.

One confined process reads many inputs, in every format, archive and Content-Encoding. A fault is: the process died, took more
memory than it may, gave no answer or one that the daemon refuses, or found other addresses than the same code in this process.
Input N of a seed is the same each time: `--seed S --first N --count 1` gives it alone.
"""

import argparse
import gzip
import json
import os
import random
import select
import sys
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from banlistd.adapters.parser_process.answer import ANSWER_SIZE, Answer, Status, decoded_answer
from banlistd.adapters.parser_process.confinement import Limits
from banlistd.adapters.parser_process.job import Job, encoded_job
from banlistd.adapters.parser_process.process import ParserProcesses
from banlistd.adapters.parser_process.result import fault_of, result_in
from banlistd.adapters.parser_process.starting import started
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.download.decompression import Unpacking
from banlistd.core.feeds.reading.whole_list import parsed_list
from banlistd.errors import FetchError, ParseError
from banlistd.formats import Format, FormatType
from fuzz_parsers import FORMS, SEEDS, mutated, windows
from support import parser_of_many
from support.data import DATA
from support.hostile_bytes import hostile_archive, hostile_text

MIB = 2**20
MAX_MEMORY = 400 * MIB
"""Resident: 288 MiB of RLIMIT_DATA for lists as short as these, and libraries."""

_INPUTS_PER_START = 5000
_SECONDS_PER_INPUT = 30
_CPU_PER_START = 600
_COMPARED = 16
"""Every so many inputs are read in this process as well."""


@dataclass(frozen=True, slots=True)
class Input:
    """`step`: bytes that the decompression gets at once."""

    body: bytes
    job: Job
    step: int


def input_of(seed: int, number: int, seeds: Sequence[bytes]) -> Input:
    chance = random.Random(f"{seed}/{number}")
    body = hostile_text(chance) if chance.random() < 0.3 else mutated(seeds, chance)
    if chance.random() < 0.4:
        body = hostile_archive(body, chance)
    encoding = chance.choice(("", "", "", "identity", "gzip", "x-gzip", "deflate", " GZip "))
    if "gzip" in encoding.lower() and chance.random() < 0.8:
        body = gzip.compress(body, 1, mtime=0)
    elif encoding == "deflate" and chance.random() < 0.8:
        body = zlib.compress(body, 1)[chance.choice((0, 2)) :]
    # A bomb of 16 MiB now and then: it takes as long as a hundred others.
    max_bytes = 16 * MIB if chance.random() < 0.002 else chance.choice((MIB, MIB, 1 << 16))
    form = chance.choice(_JSON_FORMS if body[:1] in (b"{", b"[") and chance.random() < 0.7 else FORMS)
    return Input(
        body, Job(form, max_bytes, encoding, _LIMITS), chance.choice((1 << 18, 1 << 18, 1000, 7 if len(body) < 9000 else 999))
    )


_JSON_KINDS = {
    *(FormatType.AUTO, FormatType.JSON, FormatType.JSONL, FormatType.STIX2, FormatType.TAXII, FormatType.CROWDSEC),
}
_JSON_FORMS = [form for form in FORMS if form.type in _JSON_KINDS]
_LIMITS = Limits(ParserProcesses().limits_for(Format(), MIB, 1.0).data, 48 * MIB, _CPU_PER_START)


class ConfinedParser:
    """One start of `parser_of_many`. Raises AssertionError for each fault."""

    def __init__(self) -> None:
        self._result = os.memfd_create("banlistd-result", os.MFD_CLOEXEC)
        body, self._body = os.pipe2(os.O_CLOEXEC)
        self._answer, answer = os.pipe2(os.O_CLOEXEC)
        # What this format needs is loaded only where the first job has it.
        job = Job(Format(FormatType.PATTERN), MIB, "", _LIMITS)
        self._process = started(str(parser_of_many.__file__), job, (body, self._result, answer))
        os.close(body)
        os.close(answer)
        assert self._read(1) == b"r", "the process is not confined"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        for number in (self._body, self._answer, self._result):
            os.close(number)

    def read(self, one: Input) -> tuple[Answer, AddressSet | None]:
        job = encoded_job(one.job).encode()
        frame = memoryview(parser_of_many.FRAME.pack(len(job), len(one.body), one.step) + job + one.body)
        while frame:
            frame = frame[os.write(self._body, frame) :]
        answer = decoded_answer(self._read(ANSWER_SIZE))
        addresses = result_in(self._result, answer)[0] if answer.status is Status.PARSED else None
        return answer, addresses

    def forget_result(self) -> None:
        """The next list begins with an empty file. No array that shares its memory may be looked at any more."""
        os.ftruncate(self._result, 0)

    def peak(self) -> int:
        """Bytes that were resident at most."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii", errors="replace")
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))

    def _read(self, size: int) -> bytes:
        octets = b""
        while len(octets) < size:
            assert select.select([self._answer], [], [], _SECONDS_PER_INPUT)[0], "no answer in time"
            block = os.read(self._answer, size - len(octets))
            assert block, f"the process ended: {self._process.wait()}"
            octets += block
        return octets


@dataclass
class ProcessFuzzer:
    """`peak`: bytes, of all starts. `slowest`: seconds from an input to its answer, and its number."""

    seed: int
    seeds: Sequence[bytes]
    outcomes: Counter[Status] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    peak: int = 0
    slowest: tuple[float, int] = (0.0, 0)
    compared: int = 0

    def run(self, first: int, count: int) -> None:
        for begin in range(first, first + count, _INPUTS_PER_START):
            with ConfinedParser() as parser:
                for number in range(begin, min(begin + _INPUTS_PER_START, first + count)):
                    one = input_of(self.seed, number, self.seeds)
                    try:
                        self._try(parser, number, one)
                    except Exception as exc:
                        again = f"--seed {self.seed} --first {number} --count 1"
                        raise AssertionError(f"{again}: {one.job.form}, {len(one.body)} bytes {one.body[:200]!r}") from exc
                self.peak = max(self.peak, parser.peak())
            assert self.peak < MAX_MEMORY, f"{self.peak / MIB:.0f} MiB in the {_INPUTS_PER_START} inputs before {begin}"

    def _try(self, parser: ConfinedParser, number: int, one: Input) -> None:
        began = time.perf_counter()
        answer, addresses = parser.read(one)
        self.slowest = max(self.slowest, (time.perf_counter() - began, number))
        self.outcomes[answer.status] += 1
        self.formats[one.job.form.type] += answer.status is Status.PARSED
        if addresses is None:
            _must_be_explained(answer, one)
        else:
            # The others are files of an archive that were left out.
            lines = sum(sample.line > 0 for sample in answer.samples)
            assert lines == min(answer.rejected, 5 - (len(answer.samples) - lines))
            assert all(sample.text.isprintable() and sample.reason for sample in answer.samples)
        if number % _COMPARED == 0 and answer.status is not Status.OUT_OF_MEMORY:
            self.compared += 1
            _must_be_the_same(addresses, one)
        del addresses
        parser.forget_result()


def _must_be_explained(answer: Answer, one: Input) -> None:
    """A reason for people, and none that a fault of ours would give."""
    assert answer.status in {Status.NOT_A_LIST, Status.BAD_DOWNLOAD, Status.CUT_SHORT, Status.OUT_OF_MEMORY}, answer.message
    assert answer.status is not Status.OUT_OF_MEMORY or one.job.max_bytes > MIB, "a short list took all memory"
    error = fault_of(answer)
    assert error.message.isprintable()
    assert not error.message.startswith("[Errno"), error.message


def _must_be_the_same(addresses: AddressSet | None, one: Input) -> None:
    unpacking = Unpacking(one.job.max_bytes, one.job.encoding, one.job.form.members)
    try:
        unpacking.feed(one.body)
        expected = parsed_list(unpacking.finish(), one.job.form).addresses
    except (FetchError, ParseError):
        assert addresses is None
        return
    assert addresses is not None
    assert addresses == expected


def all_seeds() -> list[bytes]:
    """Pieces of every format and, where the real lists are, pieces of each and small archives whole."""
    archives = sorted(path for path in DATA.glob("archives/*") if path.stat().st_size < 1 << 16)
    return [*SEEDS, *windows(), *(path.read_bytes() for path in archives)]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Throw hostile bytes at the confined process that reads lists.")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="default: by chance")
    arguments = parser.parse_args(argv)
    fuzzer = ProcessFuzzer(arguments.seed, all_seeds())
    print(f"{arguments.count} inputs from {len(fuzzer.seeds)} seeds; again with --seed {arguments.seed}", flush=True)
    end = arguments.first + arguments.count
    for first in range(arguments.first, end, 50_000):
        fuzzer.run(first, min(50_000, end - first))
        figures = {
            "outcomes": {status.name: count for status, count in fuzzer.outcomes.items()},
            "parsed": fuzzer.formats,
            "peak MiB": fuzzer.peak // MIB,
            "slowest s": fuzzer.slowest,
            "compared": fuzzer.compared,
        }
        print(sum(fuzzer.outcomes.values()), json.dumps(figures), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
