"""Becomes another Python program, after it has given up the capability of the daemon. Run as a script.

Arguments: the parent's pid, the entries of sys.path, the arguments of Python.
"""

import os
import resource
import sys

KEPT_A_RIGHT = 78
"""The exit code where a right remains."""


def become_python(arguments: list[str]) -> None:
    """Does not return."""
    parent, search_path, *rest = arguments
    sys.path[:0] = search_path.split(os.pathsep)
    sys.dont_write_bytecode = True
    from banlistd.adapters.parser_process import confinement  # noqa: PLC0415 - sys.path is set just above

    try:
        confinement.prepare_for_program(int(parent))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (confinement.ConfinementError, OSError, ValueError):
        os._exit(KEPT_A_RIGHT)
    os.execv(sys.executable, [sys.executable, *rest])  # noqa: S606 - no shell: that is wanted


if __name__ == "__main__":
    become_python(sys.argv[1:])
