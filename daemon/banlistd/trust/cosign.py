"""Signs for another hub of the fleet: a job as a line of JSON on stdin, an answer on stdout (`core.fleet.cosign_job`).

`python -I -m banlistd.trust.cosign`. Only this process, and the one that publishes, has the key of the hub.
"""

import json
import sys
from datetime import UTC, datetime

from banlistd.core.fleet.cosign_job import read_cosign_job
from banlistd.errors import BanlistdError
from banlistd.trust.ceremony.keys import use_openssl
from banlistd.trust.repository.cosigning import cosign


def run_cosign() -> int:
    use_openssl()
    try:
        answer = cosign(read_cosign_job(sys.stdin.buffer), datetime.now(UTC).replace(microsecond=0))
    except BanlistdError as error:
        kind = type(error).__name__
        answer = {"ok": False, "error": {"kind": kind, "message": error.message, "hint": error.hint}}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_cosign())
