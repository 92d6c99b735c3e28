"""The .deb as a file: Debian's own checker finds no error, nothing tells of where it was made, and it can be made again."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from system.boot.machine_image import BUILD, SHIPPED, TOP, VERSION, packages, skip_where_no_machine_can_be

pytestmark = pytest.mark.boot

# That of the tests is not compressed, because that takes longer than all the rest.
NOT_OF_A_TRY = "uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball"

PACKAGE_OF = {
    "ld-linux-x86-64.so.2": "libc6",
    "ld-linux-aarch64.so.1": "libc6",
    "libc.so.6": "libc6",
    "libm.so.6": "libc6",
    "libpthread.so.0": "libc6",
    "libgcc_s.so.1": "libgcc-s1",
    "libstdc++.so.6": "libstdc++6",
    "libz.so.1": "zlib1g",
}


@pytest.fixture(scope="module")
def package() -> Path:
    skip_where_no_machine_can_be()
    return packages()[1]


def test_lintian_finds_no_error_and_nothing_to_warn_of(package: Path) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("no command lintian")
    command = ["lintian", "--allow-root", "--fail-on", "error,warning", "--suppress-tags", NOT_OF_A_TRY, str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_same_tree_in_another_place_and_at_another_time_makes_the_same_file(package: Path, tmp_path: Path) -> None:
    tree = tmp_path / "another place"
    tree.mkdir()
    subprocess.run(["cp", "--recursive", "--no-dereference", *(TOP / name for name in SHIPPED), tree], check=True)
    (tmp_path / "temporary").mkdir()
    circumstances = {"TMPDIR": str(tmp_path / "temporary"), "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "7"}
    settings = BUILD | {"BANLISTD_DEB_VERSION": VERSION}
    command = ["bash", "-c", 'umask 077; exec "$@"', "build", str(tree / "packaging" / "build-deb"), str(tmp_path)]
    subprocess.run(command, capture_output=True, check=True, env=os.environ | circumstances | settings)
    assert (tmp_path / package.name).read_bytes() == package.read_bytes()


def test_package_has_no_build_paths_and_belongs_to_root(package: Path, tmp_path: Path) -> None:
    listed = subprocess.run(["dpkg-deb", "--contents", str(package)], capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in listed.splitlines()} == {"root/root"}
    assert not [line for line in listed.splitlines() if line[:10].count("w") > 1 and not line.startswith("l")]
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(tmp_path / "root")], check=True)
    found = subprocess.run(
        ["grep", "--recursive", "--files-with-matches", "--fixed-strings", "/tmp/tmp.", str(tmp_path / "root")],  # noqa: S108
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


def test_package_depends_on_every_library_that_its_own_are_linked_against(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", str(package), str(tmp_path)], check=True)
    objects = [path for path in (tmp_path / "usr/lib/banlistd").rglob("*.so*") if path.is_file()]
    headers = subprocess.run(["objdump", "--private-headers", *objects], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"NEEDED +(\S+)", headers)) - {path.name for path in objects}
    assert needed <= PACKAGE_OF.keys()
    depends = subprocess.run(
        ["dpkg-deb", "--field", str(package), "Depends"], capture_output=True, text=True, check=True
    ).stdout
    assert {PACKAGE_OF[name] for name in needed} <= set(re.findall(r"[a-z0-9+-]+", depends))
    # The C library of the oldest distribution that we name is 2.36.
    assert max(tuple(map(int, pair)) for pair in re.findall(r"GLIBC_(\d+)\.(\d+)", headers)) <= (2, 28)


def test_every_interpreter_has_the_same_libraries(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", str(package), str(tmp_path)], check=True)
    folders = sorted((tmp_path / "usr/lib/banlistd").glob("python3.*"))
    assert [folder.name for folder in folders] == ["python3.11", "python3.12", "python3.13", "python3.14"]
    compiled = [{path.relative_to(folder).as_posix().split(".")[0] for path in folder.rglob("*.so")} for folder in folders]
    assert all("numpy/_core/_multiarray_umath" in names for names in compiled)
    assert all(names == compiled[0] for names in compiled)
