"""The package of the page: Debian's checker finds nothing, the same tree makes the same file, and licences are named."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[3]
VERSION = "0.1.0+test"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for program, name in (("npm", "npm"), ("dpkg-deb", "dpkg")):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: apt-get install {name}")
    return built(tmp_path_factory.mktemp("deb"))


def built(folder: Path, **circumstances: str) -> Path:
    environment = os.environ | {"BANLISTD_DEB_VERSION": VERSION, "SOURCE_DATE_EPOCH": "1790000000"} | circumstances
    command = [str(TOP / "packaging" / "build-cockpit"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    if done.returncode == os.EX_UNAVAILABLE:
        pytest.skip(f"the page cannot be built here: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.deb")
    return made


def test_lintian_finds_no_error_and_nothing_to_warn_of(package: Path) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("no command lintian")
    command = ["lintian", "--allow-root", "--fail-on", "error,warning", str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_same_tree_elsewhere_makes_the_same_file(package: Path, tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    again = built(tmp_path, TMPDIR=str(tmp_path / "temporary"), TZ="Asia/Tokyo")
    assert again.read_bytes() == package.read_bytes()


def test_the_package_has_the_page_and_the_licence_of_each_bundled_package(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(tmp_path / "root")], check=True)
    page = tmp_path / "root" / "usr" / "share" / "cockpit" / "banlistd"
    assert {path.name for path in page.iterdir()} == {"index.html", "manifest.json", "banlistd.js.gz", "banlistd.css.gz"}
    licences = (tmp_path / "root" / "usr" / "share" / "doc" / "cockpit-banlistd" / "copyright").read_text()
    for name in ("uPlot", "PatternFly"):
        assert name in licences
    control = (tmp_path / "root" / "DEBIAN" / "control").read_text()
    assert f"\nVersion: {VERSION}\n" in control
    assert re.search(r"^Depends: banlistd, cockpit-bridge", control, re.MULTILINE)
