"""Signs for another hub of the fleet: a job as a line of JSON on stdin, an answer on stdout (`core.fleet.cosign_job`).

`python -I -m banlistd.trust.cosign`. Only this process, and the one that publishes, has the key of the hub.
"""

import sys

from banlistd.core.fleet.cosign_job import read_cosign_job
from banlistd.trust.answering import answer_job
from banlistd.trust.repository.cosigning import cosign

if __name__ == "__main__":
    sys.exit(answer_job(lambda now: cosign(read_cosign_job(sys.stdin.buffer), now)))
