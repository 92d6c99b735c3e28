import os
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the page, built by the script that builds the package."""
    if shutil.which("npm") is None:
        pytest.skip("no npm: apt-get install npm")
    folder = tmp_path_factory.mktemp("cockpit") / "page"
    command = [str(TOP / "packaging" / "build-cockpit"), "--page", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode == os.EX_UNAVAILABLE:
        pytest.skip(f"the page cannot be built here: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, which finds what a screen reader cannot use."""
    if shutil.which("npm") is None:
        pytest.skip("no npm: apt-get install npm")
    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(TOP / "packaging" / "cockpit" / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    if subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=300).returncode:
        pytest.skip("npm cannot install axe-core here")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()
