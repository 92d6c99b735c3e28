"""Signs and publishes the lists of a fleet: a job on stdin, an answer as a line of JSON on stdout (`core.fleet.publish_job`).

`python -I -m banlistd.trust.publish`. Only this process, and the one that signs for another hub, has the key of the hub.
"""

import sys

from banlistd.core.fleet.publish_job import read_job
from banlistd.trust.answering import answer_job
from banlistd.trust.repository.publishing import publish

if __name__ == "__main__":
    sys.exit(answer_job(lambda now: publish(read_job(sys.stdin.buffer), now)))
