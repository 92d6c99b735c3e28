"""Becomes gpgv, after it has given up the rights of the daemon. Run as a script.

Arguments: the parent's pid, the entries of sys.path, the program, its arguments.
"""

import os
import resource
import sys

NOT_CONFINED = 78
"""The exit code where a right remains; gpgv has 0, 1 and 2."""

_MEMORY = 256 * 2**20
_SECONDS = 20


def become_program(arguments: list[str]) -> None:
    """Does not return."""
    parent, search_path, program, *rest = arguments
    sys.path[:0] = search_path.split(os.pathsep)
    sys.dont_write_bytecode = True
    from banlistd.adapters.parser_process import confinement  # noqa: PLC0415 - sys.path is set just above

    try:
        confinement.prepare_for_program(int(parent))
        confinement.forbid_writing_and_network()
        for what, most in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_DATA, _MEMORY),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NPROC, 0),
            (resource.RLIMIT_CPU, _SECONDS),
        ):
            resource.setrlimit(what, (most, most))
    except (confinement.ConfinementError, OSError, ValueError):
        os._exit(NOT_CONFINED)
    os.execv(program, [program, *rest])  # noqa: S606 - no shell: that is wanted


if __name__ == "__main__":
    become_program(sys.argv[1:])
