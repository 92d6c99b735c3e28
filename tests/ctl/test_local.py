"""Commands of banlistctl that ask no daemon."""

import configparser
import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from banlistd.ctl import install_units
from banlistd.ctl.__main__ import main

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
UNITS = ("banlistd.service", "banlistd-restore.service")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> str:
    """As if the program ran from an environment where units may look."""
    monkeypatch.setattr(sys, "prefix", "/opt/banlistd")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    return "/opt/banlistd"


def directives(path: Path) -> list[tuple[str, str]]:
    lines = (line for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]


def test_the_units_that_are_written_are_those_of_the_package_for_another_environment(
    tmp_path: Path, environment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["install-units", "--root", str(tmp_path)]) == 0
    for unit in UNITS:
        shipped = directives(PACKAGING / "systemd" / unit)
        written = directives(tmp_path / "etc/systemd/system" / unit)
        added = [item for item in written if item not in shipped]
        ours = [item for item in shipped if "/bin/banlist" in item[1]]
        commands = {(name, value.replace("/usr/lib/banlistd", environment)) for name, value in ours}
        assert commands
        assert commands <= {*written}
        assert ("ExecPaths", f"-{environment} -/usr") in added
        assert len(written) == len(shipped) + 1
    said = capsys.readouterr().out
    assert "systemctl enable --now banlistd" in said
    assert {str(path) for path in files_below(tmp_path)} <= {*said.splitlines()}


def test_the_unit_of_notices_has_no_capability_and_none_of_the_daemons_secrets(tmp_path: Path, environment: str) -> None:
    assert main(["install-units", "--root", str(tmp_path)]) == 0
    written = directives(tmp_path / "etc/systemd/system/banlistd-notify.service")
    assert ("ExecStart", f"{environment}/bin/banlistd-notify") in written
    assert ("CapabilityBoundingSet", "") in written
    assert ("User", "banlistd-notify") in written
    assert not [
        value for name, value in written if name == "AmbientCapabilities" or value.endswith("/etc/banlistd/credentials")
    ]
    daemon = {*directives(PACKAGING / "systemd" / "banlistd.service")}
    hardened = {item for item in daemon if re.match("Protect|Private|Restrict[A-Z]", item[0]) and "AF_NETLINK" not in item[1]}
    assert hardened <= {*written}
    assert (tmp_path / "usr/local/sbin/banlistd-notify").is_symlink()


def test_pip_brings_what_the_package_brings(tmp_path: Path, environment: str) -> None:
    os.umask(0o077)
    assert main(["install-units", "--root", str(tmp_path)]) == 0
    local = tmp_path / "usr/local"
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in tmp_path.rglob("*") if path.exists())
    assert (local / "bin/banlistctl").readlink() == Path(environment, "bin/banlistctl")
    assert (local / "sbin/banlistd").readlink() == Path(environment, "bin/banlistd")
    for page in (PACKAGING / "man").iterdir():
        assert (local / f"share/man/man{page.suffix[1:]}/{page.name}").read_bytes() == page.read_bytes()
    for place in ("bash-completion/completions/banlistctl", "bash-completion/completions/banlistd"):
        assert (local / "share" / place).read_bytes() == (PACKAGING / "completions/banlistctl.bash").read_bytes()
    example = PACKAGING.parent / "config"
    for path in (path for path in example.rglob("*") if path.is_file()):
        assert (local / "share/doc/banlistd/examples" / path.relative_to(example)).read_bytes() == path.read_bytes()
    first = (tmp_path / "etc/banlistd/banlistd.yaml").read_text()
    for place in re.findall(r"/usr/\S+", first):
        assert (tmp_path / place.lstrip("/")).is_file()


def test_all_that_was_written_is_removed_but_for_the_configuration(tmp_path: Path, environment: str) -> None:
    for options in ([], ["--backend", "ipset"], ["--backend", "fail2ban"]):
        assert main(["install-units", *options, "--root", str(tmp_path)]) == 0
    theirs = tmp_path / "usr/local/bin/banlistctl"
    theirs.unlink()
    theirs.symlink_to("/opt/another/bin/banlistctl")
    assert main(["install-units", "--remove", "--root", str(tmp_path)]) == 0
    left = {str(path.relative_to(tmp_path)) for path in files_below(tmp_path)}
    assert left == {"etc/banlistd/banlistd.yaml", "etc/banlistd/lists/our-own.txt", "usr/local/bin/banlistctl"}
    assert not (tmp_path / "usr/local/share/doc/banlistd").exists()
    assert not (tmp_path / "etc/systemd/system/banlistd.service.d").exists()
    assert main(["install-units", "--remove", "--root", str(tmp_path)]) == 0


def test_a_program_of_another_installation_stays(tmp_path: Path, environment: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "usr/local/bin/banlistctl"
    place.parent.mkdir(parents=True)
    place.write_text("another")
    assert main(["install-units", "--root", str(tmp_path)]) == 0
    assert place.read_text() == "another"
    assert f"{place} is another file and stays" in capsys.readouterr().err


def test_the_debian_package_needs_no_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install_units, "_PACKAGE", "/usr/lib/banlistd/python3/banlistd")
    assert main(["install-units", "--root", str(tmp_path)]) == 64
    assert "--backend" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("backend", "places"),
    [
        ("ipset", {"banlistd.service.d/ipset.conf", "banlistd-restore.service.d/ipset.conf"}),
        ("fail2ban", {"fail2ban.service.d/banlistd.conf"}),
    ],
)
def test_for_a_backend_only_what_it_takes_besides_is_written_and_the_shipped_package_removes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], backend: str, places: set[str]
) -> None:
    assert main(["install-units", "--backend", backend, "--root", str(tmp_path)]) == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path / "etc/systemd/system")) for path in written} == places
    said = capsys.readouterr().out
    assert all(str(path) in said for path in written)
    assert "systemctl daemon-reload && systemctl restart " in said
    removed = (PACKAGING / "debian" / "postrm").read_text()
    assert all(place in removed for place in places)


def test_a_configuration_that_is_there_is_left_alone(tmp_path: Path, environment: str) -> None:
    place = tmp_path / "etc/banlistd/banlistd.yaml"
    place.parent.mkdir(parents=True)
    place.write_text("ours")
    assert main(["install-units", "--root", str(tmp_path)]) == 0
    assert place.read_text() == "ours"


def test_the_configuration_that_it_begins_with_is_right(tmp_path: Path, environment: str) -> None:
    assert main(["install-units", "--root", str(tmp_path)]) == 0
    command = [sys.executable, "-m", "banlistd", "--check", "--config", str(tmp_path / "etc/banlistd")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("name", ["prefix", "base_prefix"])
def test_an_environment_in_a_home_is_refused_because_the_units_may_not_look_there(
    tmp_path: Path, environment: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setattr(sys, name, "/home/somebody/.venv")
    assert main(["install-units", "--root", str(tmp_path)]) == 64
    assert "cannot access home folders" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_it_says_where(
    tmp_path: Path, environment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "etc").write_text("a file")
    assert main(["install-units", "--root", str(tmp_path)]) == 73
    assert f"cannot write {tmp_path}/etc/systemd/system/banlistd.service" in capsys.readouterr().err


def test_a_teardown_is_that_of_the_daemon_on_the_same_folders_with_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "banlistd.yaml").write_text("backend: memory\nsources: []\n")
    # As the programs of the Debian package: only their own path has the modules.
    program = f"import sys; sys.path[:0] = {sys.path!r}; from banlistd.ctl.__main__ import main; sys.exit(main(sys.argv[1:]))"
    command = [
        os.path.realpath(sys.executable),
        "-IS",
        "-c",
        program,
        "teardown",
        "--config",
        str(tmp_path),
        "--state",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "nothing of banlistd is left in memory" in done.stdout, done.stderr
    lock = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert subprocess.run(command, capture_output=True, check=False).returncode == 75
    finally:
        os.close(lock)


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_says_each_thing_once_and_explains_nothing_twice(unit: str) -> None:
    text = (PACKAGING / "systemd" / unit).read_text()
    many = {"After", "Before", "ExecPaths", "SystemCallFilter", "Wants"}
    names = [name for name, _ in directives(PACKAGING / "systemd" / unit) if name not in many]
    assert sorted(names) == sorted(set(names))
    assert re.match(r"# [A-Z]", text)
    configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",)).read_string(text)
