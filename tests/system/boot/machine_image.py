"""What a machine under test is made of: a fresh Debian, cached by its recipe, and the .deb that this tree makes.

The image is made once with Debian's packages from the network, and lies in `~/.cache/banlistd-tests`. Tests put their
changes into a layer above it.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[3]
# What a package is made of.
SHIPPED = ("daemon", "config", "packaging", "migrations", "pyproject.toml", "README.md", "LICENSE")
OLDER, VERSION = "0.1.0+git20261127.153000.abc1234", "0.1.0+git20261127.153100.0123456"
RELEASED, RELEASE_COMMIT = "0.1.0", "d08de94f60ebab1ea385af306c0d0d2fe297b98a"
THIS_RELEASE = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
BUILD = {"BANLISTD_DEB_COMPRESSION": "none", "SOURCE_DATE_EPOCH": "1795800000"}

_TOOLS = ("mmdebstrap", "systemd-nspawn", "unshare", "nsenter", "setpriv", "dpkg-deb")
_PACKAGES = (
    "systemd,systemd-sysv,dbus,python3,nftables,iproute2,procps,ca-certificates,init-system-helpers,passwd,"
    "adduser,man-db,firewalld,ufw,iptables,ipset,fail2ban,openssh-server,libpam-systemd"
)
# Neighbours are started by the tests that want them.
_FINISH = (
    'systemctl --root="$1" disable firewalld ufw fail2ban nftables ssh; rm -f "$1/etc/resolv.conf";'
    ' mkdir -p "$1/var/log/journal"; passwd --root "$1" --delete root'
)
# What packaging/docs/orders.md, notices.md and cockpit.md have an administrator install, and how one becomes root in Cockpit.
OUTSIDE = ("mosquitto", "mosquitto-clients", "apprise", "cockpit", "sudo")
# What packaging/nginx and packaging/mosquitto are for.
HUB = ("mosquitto", "nginx")
_UBUNTU = ("noble",)
_UBUNTU_KEYS = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")
# What a machine is put together from (system.machine), for those who may not, such as root of nothing but a user namespace.
_PROBE = """
mount -t tmpfs probe "$1"
mkdir "$1/lower" "$1/upper" "$1/work" "$1/root"
mount -t overlay probe -o lowerdir="$1/lower",upperdir="$1/upper",workdir="$1/work" "$1/root"
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
"""
_OPTIONS = ("--variant=minbase", "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/locale/*")


def skip_where_no_machine_can_be() -> None:
    """Skip with the reason, where this computer cannot boot one."""
    if os.geteuid():
        pytest.skip("to boot a machine takes root")
    missing = [tool for tool in _TOOLS if not shutil.which(tool)]
    if missing:
        pytest.skip(f"no command {', no '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder:
        probe = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--net", "bash", "-ec", _PROBE, "probe", folder]
        tried = subprocess.run(probe, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no machine can be booted here: {(tried.stderr.strip().splitlines() or ['no namespaces'])[0]}")


def image(suite: str = THIS_RELEASE, *more: str) -> Path:
    """The root of a Debian or Ubuntu that was never started, with `more` packages. Skips where it cannot be made."""
    if suite in _UBUNTU and not _UBUNTU_KEYS.is_file():
        pytest.skip(f"no fresh {suite}: {_UBUNTU_KEYS} is missing, the keys of Ubuntu's packages")
    packages = ",".join([_PACKAGES, *more])
    fetch_key = "\n".join([suite, packages, _FINISH, *_OPTIONS])
    with cache(f"machine-{hashlib.sha256(fetch_key.encode()).hexdigest()[:16]}") as folder:
        root = folder / "root"
        if not root.is_dir():
            raw = folder / "raw"
            shutil.rmtree(raw, ignore_errors=True)
            hook = f"--customize-hook={_FINISH}"
            command = ["mmdebstrap", *_OPTIONS, f"--include={packages}", hook, suite, str(raw)]
            made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
            if made.returncode:
                said = [line for line in made.stderr.splitlines() if line.startswith("E:")] or made.stderr.splitlines()
                pytest.skip(f"no fresh {suite}: {said[0] if said else 'mmdebstrap failed'}")
            raw.rename(root)
        return root


def packages() -> tuple[Path, Path]:
    """One that differs in nothing but its lower version, and the .deb of this tree. Skips where it cannot be built."""
    with cache("packages") as folder:
        key = _key_of_the_tree()
        _keep(folder / key)
        older, newer = (folder / key / f"banlistd_{version}_{_architecture()}.deb" for version in (OLDER, VERSION))
        if not newer.is_file():
            _remove_unused(folder)
            _build(TOP, folder / key, {"BANLISTD_DEB_VERSION": f"{OLDER} {VERSION}"})
        return older, newer


def page_package() -> Path:
    """The .deb of the page in Cockpit, of this tree. Skips where it cannot be built."""
    with cache("packages") as folder:
        key = _key_of_the_tree()
        _keep(folder / key)
        package = folder / key / f"cockpit-banlistd_{VERSION}_all.deb"
        if not package.is_file():
            _build(TOP, folder / key, {"BANLISTD_DEB_VERSION": VERSION}, "build-cockpit")
        return package


def released_package() -> Path:
    """The .deb of 0.1.0, from the history of this repository, for this computer's release. Skips where it cannot be built."""
    with cache(f"release-{RELEASE_COMMIT[:16]}-{THIS_RELEASE}") as folder:
        package = folder / f"banlistd_{RELEASED}_{_architecture()}.deb"
        if not package.is_file():
            with tempfile.TemporaryDirectory() as tree:
                git = ["git", "-c", f"safe.directory={TOP}", "-C", str(TOP), "archive", RELEASE_COMMIT]
                archive = subprocess.run(git, capture_output=True, check=False)
                if archive.returncode:
                    pytest.skip(f"this checkout has no history with {RELEASED}: {archive.stderr.decode().strip()}")
                subprocess.run(["tar", "--extract", "--directory", tree], input=archive.stdout, check=True)
                _build(Path(tree), Path(tree), {})
                shutil.move(Path(tree) / package.name, package)
        return package


def _build(tree: Path, folder: Path, settings: dict[str, str], program: str = "build-deb") -> None:
    """Build a package of a tree into a folder. Skips where that cannot be done."""
    command = [str(tree / "packaging" / program), str(folder)]
    environment = os.environ | BUILD | settings
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=environment)
    if built.returncode == os.EX_UNAVAILABLE or "Could not fetch" in built.stderr or "No matching" in built.stderr:
        pytest.skip(f"the package cannot be built here: {built.stderr.strip().splitlines()[-1]}")
    assert built.returncode == 0, built.stderr


def _key_of_the_tree() -> str:
    digest = hashlib.sha256()
    places = [TOP / name for name in SHIPPED]
    files = [path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*")))]
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(TOP)} {path.stat().st_mode:o}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _architecture() -> str:
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


def _keep(folder: Path) -> None:
    """Let no run of another tree's tests remove it as long as this process lives."""
    folder.mkdir(exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_SH)


def _remove_unused(folder: Path) -> None:
    """Remove what is in it and not kept by anybody."""
    for place in folder.iterdir():
        lock = os.open(place, os.O_RDONLY)
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(place)
        os.close(lock)


@contextmanager
def cache(name: str) -> Iterator[Path]:
    """A folder that outlives the tests; one process at a time is in it."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "banlistd-tests"
    folder = base / name
    folder.mkdir(parents=True, exist_ok=True)
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
