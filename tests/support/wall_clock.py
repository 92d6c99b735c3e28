"""A wall clock of its own for a program, and for all that it starts; a test sets it while they run (wall_clock.c)."""

import shutil
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest


def build_library(folder: Path) -> Path:
    """Skips where there is no C compiler."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler to make the daemon's clock with (Debian's packages gcc and libc6-dev)")
    made = folder / "wall_clock.so"
    source = Path(__file__).with_name("wall_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", made, source, "-lm"], check=True)
    return made


@dataclass(frozen=True)
class WallClock:
    """It goes on by itself."""

    file: Path
    library: Path

    def set(self, now: float) -> None:
        """Seconds since the epoch."""
        # One write of eight octets, to a file that stays: programs have mapped it.
        with self.file.open("r+b" if self.file.exists() else "wb", buffering=0) as file:
            file.write(struct.pack("d", round(now - time.time())))

    @property
    def through(self) -> list[str]:
        """What a program is started through, so that this is its clock. Those that it starts with a clean environment have the
        machine's.
        """
        return ["env", f"LD_PRELOAD={self.library}", f"WALL_CLOCK={self.file}"]

    def python(self, folder: Path) -> list[str]:
        """A Python, in a new folder, that has this clock whatever its environment is; and so have the programs that banlistd
        starts, for it starts its own Python.
        """
        program = folder / "bin" / "python"
        program.parent.mkdir(parents=True)
        shutil.copy(Path(sys.prefix) / "pyvenv.cfg", folder)
        (folder / "lib").symlink_to(Path(sys.prefix) / "lib")
        environment = " ".join(self.through[1:])
        real = Path(sys.executable).resolve()
        program.write_text(f'#!/bin/bash\nexport {environment}\nexec -a "$0" {real} "$@"\n')
        program.chmod(0o755)
        return [str(program)]
