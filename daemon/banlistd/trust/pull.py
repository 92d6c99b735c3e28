"""Takes the newest lists of a fleet from its mirrors (`taking`). Arguments: `first` and the pid of the parent; JSON in and out.

Nothing is imported here that takes long: unless root runs it, the program starts itself once more to lose its capabilities, and
python-tuf with its libraries takes 0.14 s of processor (measured). Shapes of order and answer: `adapters/fetch/fleet/pulling`.
"""

import gc
import json
import sys
import tempfile
from pathlib import Path

from banlistd.adapters.parser_process.confinement import ConfinementError
from banlistd.adapters.parser_process.network_program import ProgramBounds, become_unprivileged, confine

_LARGEST_ORDER = 64 * 2**20
_MORE_THAN_A_LIST = 2**20
"""Octets: metadata may be as large, whatever the bound of the lists is."""


def run_pull(arguments: list[str]) -> int:
    stage, parent = arguments
    gc.disable()  # it looked through all modules again and again while they are imported, and the program ends soon
    try:
        become_unprivileged(int(parent), is_first=stage == "first")
        from banlistd.trust.taking import Pull  # noqa: PLC0415 - see above

        order = json.loads(sys.stdin.buffer.read(_LARGEST_ORDER))
        tempfile.tempdir = order["folder"]
        largest = max((one["max_bytes"] for one in order["lists"]), default=0)
        bounds = ProgramBounds(
            Path(order["folder"]), largest + _MORE_THAN_A_LIST, order["seconds"], tuple(filter(None, [order["ca"]]))
        )
        confine(bounds)
    except ConfinementError as error:
        sys.stdout.write(json.dumps({"fault": f"it cannot give up its rights: {error}"}))
        return 78
    pull = Pull(order)
    pull.add_root() if "new_root" in order else pull.run()
    sys.stdout.write(json.dumps(pull.answer))
    return 0


if __name__ == "__main__":
    sys.exit(run_pull(sys.argv[1:]))
