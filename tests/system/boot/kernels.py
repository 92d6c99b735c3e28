"""Debian's own kernels, started by qemu without hardware support, on the root of this computer, which is read-only there.

A kernel and its modules are fetched once and lie in `~/.cache/banlistd-tests`. What a test writes in the virtual machine goes
into a layer in its memory.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from system.boot.machine_image import cache

_TOOLS = ("mmdebstrap", "qemu-system-x86_64", "depmod", "cpio", "xz")
_PACKAGES = "linux-image-amd64,busybox-static"
_MODULES = (
    *("net", "lib", "crypto", "arch/x86/crypto", "fs/9p", "fs/netfs", "fs/fscache", "fs/overlayfs", "drivers/virtio"),
    *("drivers/net/veth.ko", "drivers/net/vrf.ko", "drivers/net/dummy.ko", "drivers/net/macvlan.ko", "drivers/net/ipvlan"),
)
"""Of `kernel/`: what this project, its tests and the root over 9p need. Compressed modules end in .xz besides."""

_COMMANDS = ("sh", "mount", "mkdir", "modprobe", "chroot", "poweroff")
_INIT = """#!/bin/sh
export PATH=/bin:/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in virtio_pci 9pnet_virtio 9p overlay; do modprobe $module; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose root /lower || poweroff -f
mount -t tmpfs layer /layer; mkdir /layer/upper /layer/work
mount -t overlay root -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work /root
for folder in proc sys dev; do mount --bind /$folder /root/$folder; done
mkdir -p /dev/pts /dev/shm; mount -t devpts pts /dev/pts; mount -t tmpfs shm /dev/shm
mount -t tmpfs run /root/run; mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
chroot /root /bin/bash "$TASK"
echo "ended with $?"
poweroff -f
"""
_FOLDERS = ("bin", "sbin", "proc", "sys", "dev", "lower", "layer", "root")
_MEMORY = 2000
"""MiB."""

_BOOTED = 2400
"""Seconds, of which a start takes 15 and each program that loads numpy 5, on a slow computer twice that (measured)."""


@dataclass(frozen=True)
class Kernel:
    """`image`, `initramfs`: what a boot loader would load."""

    image: Path
    initramfs: Path

    def run(self, task: Path) -> str:
        """What a script of bash prints, as root on a copy of this computer's root, and then "ended with CODE"."""
        done = subprocess.run(
            [
                *("qemu-system-x86_64", "-M", "q35,accel=tcg", "-cpu", "max", "-m", str(_MEMORY)),
                *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"),
                *("-kernel", str(self.image), "-initrd", str(self.initramfs)),
                # What protects a processor from its own guesses takes an emulated one a third of its time (measured).
                *("-append", f"console=ttyS0 quiet panic=-1 mitigations=off TASK={task}"),
                *("-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap"),
                *("-device", "virtio-9p-pci,fsdev=root,mount_tag=root"),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_BOOTED,
        )
        return done.stdout + done.stderr


def kernel(suite: str) -> Kernel:
    """The kernel of a release of Debian. Skips where it cannot be had."""
    missing = [tool for tool in _TOOLS if not shutil.which(tool)]
    if missing:
        pytest.skip(f"no command {', no '.join(missing)}")
    with cache(f"kernel-{suite}") as folder:
        found = Kernel(folder / "vmlinuz", folder / "initramfs.gz")
        if not found.initramfs.is_file():
            _fetch(suite, folder)
        return found


def _fetch(suite: str, folder: Path) -> None:
    raw, tree = folder / "raw", folder / "tree"
    for each in (raw, tree):
        shutil.rmtree(each, ignore_errors=True)
    made = subprocess.run(
        ["mmdebstrap", "--variant=extract", f"--include={_PACKAGES}", suite, raw], capture_output=True, text=True, check=False
    )
    if made.returncode:
        said = [line for line in made.stderr.splitlines() if line.startswith("E:")] or ["mmdebstrap failed"]
        pytest.skip(f"no kernel of {suite}: {said[0]}")
    for name in _FOLDERS:
        (tree / name).mkdir(parents=True)
    shutil.copy(next(raw.glob("**/bin/busybox")), tree / "bin" / "busybox")
    for name in _COMMANDS:
        (tree / "bin" / name).symlink_to("busybox")
    (tree / "sbin" / "modprobe").symlink_to("../bin/busybox")  # the kernel itself calls it
    (tree / "init").write_text(_INIT)
    (tree / "init").chmod(0o755)
    (all_modules,) = {path.parent.resolve() for path in raw.glob("**/lib/modules/*/modules.order")}
    version = all_modules.name
    _copy_modules(all_modules, tree / "lib" / "modules" / version)
    subprocess.run(["depmod", "-b", tree, version], check=True)
    packed = "find . | cpio -o -H newc --quiet | gzip -1"
    with (folder / "initramfs.part").open("wb") as part:
        subprocess.run(["bash", "-c", f"set -o pipefail; {packed}"], cwd=tree, stdout=part, check=True)
    shutil.copy(next(raw.glob("boot/vmlinuz-*")), folder / "vmlinuz")
    (folder / "initramfs.part").rename(folder / "initramfs.gz")
    for each in (raw, tree):
        shutil.rmtree(each)


def _copy_modules(source: Path, target: Path) -> None:
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, target / name)
    for wanted in _MODULES:
        for found in source.glob(f"kernel/{wanted}*"):
            place = target / found.relative_to(source)
            if found.is_dir() and found.name == Path(wanted).name:
                shutil.copytree(found, place)
            elif found.is_file():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(found, place)
    packed = [str(path) for path in target.glob("**/*.ko.xz")]
    if packed:
        subprocess.run(["xz", "--decompress", *packed], check=True)
