"""How the programs with the key of a hub answer: a line of JSON on stdout; an error of ours is in it, too."""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from banlistd.errors import BanlistdError
from banlistd.trust.ceremony.keys import use_openssl


def answer_job(work: Callable[[datetime], Mapping[str, object]]) -> int:
    """`work` reads the job from stdin and gives the answer; its argument is the time, in whole seconds. The exit status."""
    use_openssl()
    try:
        answer = work(datetime.now(UTC).replace(microsecond=0))
    except BanlistdError as error:
        kind = type(error).__name__
        answer = {"ok": False, "error": {"kind": kind, "message": error.message, "hint": error.hint}}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0
