"""How a program of banlistd's own is started: by the same Python, and with the modules of this process."""

import os
import sys
from types import ModuleType

_RUN = "import runpy, sys; sys.path[:0] = sys.argv.pop(1).split(':'); runpy.run_module({module!r}, run_name='__main__')"


def own_program(module: str, *arguments: str) -> tuple[str, ...]:
    """The arguments of Python. Isolated (`-I`), it knows no folder of modules but those of Python itself.

    The Debian package has its modules elsewhere, so the folders are named.
    """
    return ("-I", "-B", "-c", _RUN.format(module=module), os.pathsep.join(filter(None, sys.path)), *arguments)


def launched_by(launcher: ModuleType, *arguments: str) -> tuple[str, ...]:
    """The arguments of Python for a launcher, which gives up rights before it becomes the program of `arguments`.

    It runs before the site's modules are loaded (`-S`), and is given this process, its parent, and the folders of modules.
    """
    return ("-I", "-S", str(launcher.__file__), str(os.getpid()), os.pathsep.join(filter(None, sys.path)), *arguments)
