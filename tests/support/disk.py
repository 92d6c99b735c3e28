"""A small real disk: a file system on a file, mounted through a loop device. It can be full, turn read-only, or lose its power.

In a `with Disk(folder) as disk:` there are `disk.place`, `disk.fill()`, `disk.free()`, `disk.abort()`, `disk.break_down()`.
"""

import fcntl
import os
import shutil
import struct
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

# linux/fs.h and fs/ext4: the file system ends at once, as if the power were gone; flag 2 (NOLOGFLUSH) does not even write
# the journal out, so that only what was synchronised before is there afterwards.
_SHUTDOWN = 0x8004587D
_NOLOGFLUSH = 2
_MEGABYTES = 24


class Disk:
    """Skips the test where nothing may be mounted."""

    def __init__(self, folder: Path, kind: str = "ext4") -> None:
        folder.mkdir()
        self.place = folder / "mounted"
        self._image = folder / "image"
        self._kind = kind

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            pytest.skip("a disk of its own needs root")
        self.place.mkdir()
        with self._image.open("wb") as image:
            image.truncate(_MEGABYTES << 20)
        try:
            made = _run(f"mkfs.{self._kind}", "-q", str(self._image))
            assert made.returncode == 0, made.stderr
            mounted = self._mount()
        except FileNotFoundError as error:
            pytest.skip(f"no command {error.filename}")
        if mounted.returncode:
            pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: what still holds it open must not keep the test's folder.
        _run("umount", "--lazy", str(self.place))

    def fill(self) -> None:
        """Leave no room at all."""
        with suppress(OSError), (self.place / "filling").open("wb", buffering=0) as filling:
            while True:
                filling.write(bytes(1 << 16))
        with suppress(OSError), (self.place / "rest").open("wb", buffering=0) as rest:
            while True:
                rest.write(bytes(512))

    def free(self) -> None:
        for name in ("filling", "rest"):
            (self.place / name).unlink(missing_ok=True)

    def remount(self, *options: str) -> None:
        """Anew, as after a reboot. Whoever still holds it open keeps the old one.

        From a copy: of a file that is mounted still, as in the namespace of a machine that another test has booted meanwhile,
        the kernel would give us the same file system again, as broken as it is.
        """
        unmounted = _run("umount", "--lazy", str(self.place))
        assert unmounted.returncode == 0, unmounted.stderr
        broken, self._image = self._image, self._image.with_name(f"{self._image.name}+")
        shutil.copyfile(broken, self._image)
        broken.unlink()
        mounted = self._mount(*options)
        assert mounted.returncode == 0, mounted.stderr

    def abort(self) -> None:
        """Read-only from now on, under whatever is open: what ext4 does when it has found an error."""
        done = _run("mount", "-o", "remount,abort", str(self.place))
        assert done.returncode == 0, done.stderr

    def break_down(self) -> None:
        """Every access from now on is an I/O error; what was not synchronised is lost."""
        folder = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, struct.pack("I", _NOLOGFLUSH))
        finally:
            os.close(folder)

    def _mount(self, *options: str) -> subprocess.CompletedProcess[str]:
        return _run("mount", "-o", ",".join(("loop", *options)), str(self._image), str(self.place))


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)
