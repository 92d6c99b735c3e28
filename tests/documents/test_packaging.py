"""What is shipped: the shape of the repository, the programs, and what is inside the wheel."""

import itertools
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
ENTRIES = {"pyproject.toml", "daemon", "config", "packaging", "migrations", "tests", "README.md", "LICENSE"}


def test_the_top_level_has_what_it_shall_have_and_nothing_else() -> None:
    if shutil.which("git") is None or not (TOP / ".git").exists():
        pytest.skip("not a checkout of git")
    # The checkout may belong to another account than the one that runs the tests; to list it is harmless.
    command = ["git", "-c", f"safe.directory={TOP}", "ls-files", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=TOP).stdout
    top = {name.split("/")[0] for name in listed.split("\0") if name}
    assert {name for name in top if not name.startswith(".")} == ENTRIES


def test_folders_that_are_no_packages_stay_so() -> None:
    for folder in ("daemon", "tests", "packaging", "config", "migrations"):
        assert not (TOP / folder / "__init__.py").exists()


@pytest.mark.parametrize(
    "script", ["packaging/try", "packaging/try-fleet", "packaging/build-deb", "packaging/lock", "tests/run", "tests/bench/run"]
)
def test_a_script_can_be_run_as_it_is(script: str) -> None:
    path = TOP / script
    assert os.access(path, os.X_OK)
    assert path.read_bytes().startswith(b"#!")


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    names = sorted(path.name for path in (TOP / "migrations").iterdir())
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", name) for name in names)
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_migrations_are_found_from_within_the_package() -> None:
    found = {path.name for path in (files("banlistd") / "migrations").iterdir()}
    assert found == {path.name for path in (TOP / "migrations").iterdir()}


@pytest.mark.parametrize("name", ["banlistd", "banlistctl"])
def test_a_program_is_installed_and_tells_its_version(name: str) -> None:
    (script,) = entry_points(group="console_scripts", name=name)
    program = Path(sys.executable).parent / name
    if not program.exists():
        pytest.skip(f"no {name} beside {sys.executable}: the package is not installed there")
    done = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    assert done.stdout.startswith(f"{name} ")
    assert callable(script.load())


def test_the_example_configuration_passes_the_programs_own_check() -> None:
    command = [sys.executable, "-m", "banlistd", "--check", "--config", str(TOP / "config")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel that is built from this tree."""
    if find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the wheel, is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=TOP)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_module_and_every_migration(wheel: set[str]) -> None:
    package = TOP / "daemon" / "banlistd"
    modules = {f"banlistd/{path.relative_to(package)}" for path in package.rglob("*.py")}
    assert modules <= wheel
    assert {f"banlistd/migrations/{path.name}" for path in (TOP / "migrations").iterdir()} <= wheel
    assert {"banlistd/catalogue.json", "banlistd/py.typed"} <= wheel
    assert {f"banlistd/units/{path.name}" for path in (TOP / "packaging" / "systemd").iterdir()} <= wheel
    for name in ("man", "completions", "beginning"):
        folder = TOP / "packaging" / name
        files_there = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        assert {f"banlistd/shipped/{name}/{path}" for path in files_there} <= wheel


def test_the_wheel_holds_nothing_but_the_package(wheel: set[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel} == {"banlistd"}
    assert not {name for name in wheel if "__pycache__" in name or name.endswith(".pyc")}


@pytest.fixture
def commits(tmp_path: Path) -> Callable[[str], None]:
    """Commits in a checkout with the build script, each at a time as git writes it."""
    if shutil.which("git") is None:
        pytest.skip("no command git")
    for name in ("build-deb", "debian/changelog"):
        (tmp_path / "packaging" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / "packaging" / name, tmp_path / "packaging" / name)

    def commit(when: str) -> None:
        person = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        (tmp_path / "when").write_text(when)
        for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "x", "--date", when]):
            environment = os.environ | {"GIT_COMMITTER_DATE": when}
            subprocess.run(["git", "-C", str(tmp_path), *person, *command], check=True, env=environment)

    return commit


def version_of_a_build(checkout: Path) -> str:
    command = [str(checkout / "packaging" / "build-deb"), "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_build_has_the_version_of_its_commit_and_a_later_one_is_newer(tmp_path: Path, commits: Callable[[str], None]) -> None:
    if shutil.which("dpkg") is None:
        pytest.skip("no command dpkg")
    versions = [version_of_a_build(tmp_path)]
    for when in ("2026-11-27T15:30:00+0000", "2026-11-27T16:30:01+0100", "2026-11-28T00:00:00+0000"):
        commits(when)
        versions.append(version_of_a_build(tmp_path))
    assert versions[0] == release()
    assert re.fullmatch(rf"{re.escape(release())}\+git20261127\.153001\.[0-9a-f]{{7}}", versions[2])
    for older, newer in itertools.pairwise(versions):
        subprocess.run(["dpkg", "--compare-versions", older, "lt", newer], check=True)


def test_a_build_of_a_release_has_its_plain_version_and_one_of_changed_files_says_so(
    tmp_path: Path, commits: Callable[[str], None]
) -> None:
    commits("2026-11-27T15:30:00+0000")
    (tmp_path / "when").write_text("changed")
    assert version_of_a_build(tmp_path).endswith(".changed")
    subprocess.run(["git", "-C", str(tmp_path), "checkout", "--quiet", "when"], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "tag", f"v{release()}"], check=True)
    assert version_of_a_build(tmp_path) == release()


@pytest.mark.parametrize(("cause", "words"), [("no git", "apt-get install git"), ("no commit", "cannot read the commit")])
def test_a_checkout_whose_commit_cannot_be_read_is_not_built_as_the_release(
    tmp_path: Path, commits: Callable[[str], None], cause: str, words: str
) -> None:
    commits("2026-11-27T15:30:00")
    environment = os.environ | {"PATH": str(tmp_path / "bin")}
    if cause == "no git":
        (tmp_path / "bin").mkdir()
        for name in ("bash", "env", "sed", "date", "dirname", "realpath"):
            (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    else:
        (tmp_path / ".git" / "HEAD").unlink()
        environment["PATH"] = os.environ["PATH"]
    command = [str(tmp_path / "packaging" / "build-deb"), "--version"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (os.EX_UNAVAILABLE, "")
    assert words in done.stderr


def test_the_release_of_the_package_is_that_of_the_program() -> None:
    assert f'\nversion = "{release()}"\n' in (TOP / "pyproject.toml").read_text()


def release() -> str:
    found = re.match(r"banlistd \((.+?)\)", (TOP / "packaging" / "debian" / "changelog").read_text())
    assert found
    return found[1]
