"""banlistctl as a program of its own: what only a process can show."""

import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from banlistd.control.declaration import Command
from banlistd.control.table import COMMANDS
from ctl.canned import ANSWERS, FOREVER, LATE, RUN, SOURCE, CannedDaemon, running, words_of
from ctl.conftest import Program
from support.screen import screen
from support.terminal import on_terminal, read_terminal

HEAVY = {"numpy", "aiohttp", "pydantic", "yaml", "rich", "asyncio", "aiosqlite"}


def command_line(daemon: CannedDaemon, *arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "banlistd.ctl", "--runtime", str(daemon.folder), *arguments]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status"], "banlistd 0.1.0 is running since 2026-09-21 14:13"),
        (["sources"], "spamhaus-drop  completed    1,650     1,234  drop     98,765"),
        (["check", "203.0.113.9"], "203.0.113.9 is banned by spamhaus-drop (drop), which lists 203.0.113.0/24 since"),
        (["check", "203.0.113.9"], "\n  Norway (NO), AS64496 Example Network\n"),
        (["top", "--by", "country"], "NO       Norway  1,000,000  81.0 %       1,000,256\n"),
        (["history"], "2026-09-21 14:13  spamhaus-drop  completed    1,650     12        3"),
        (["timers"], "spamhaus-drop    12h"),
        (["refresh", "spamhaus-drop"], "spamhaus-drop: completed, 12 elements added, 3 removed\n"),
        (["reload"], "configuration reloaded: 12 sources; added: office-bans; changed: tor\n"),
    ],
)
def test_every_command_works_as_a_program(daemon: CannedDaemon, program: Program, arguments: list[str], words: str) -> None:
    assert daemon.operations.asked == []

    done = program(*arguments)

    assert (done.returncode, done.stderr) == (0, "")
    assert words in done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_prints_exactly_the_document_for_programs(
    daemon: CannedDaemon, program: Program, command: Command[Any, Any]
) -> None:
    done = program("--json", *words_of(command))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == json.dumps(daemon.operations.answers[command.name]) + "\n"


def test_nothing_heavy_is_imported_by_any_command_into_a_pipe(daemon: CannedDaemon) -> None:
    script = (
        "import sys; from banlistd.ctl.__main__ import main; code = main(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-c", script, "--runtime", str(daemon.folder), *words_of(command)],
            check=True,
            capture_output=True,
            text=True,
        )
        assert not HEAVY & set(done.stderr.split())


def test_a_table_on_a_terminal_is_as_wide_as_the_terminal_and_takes_no_markup(daemon: CannedDaemon) -> None:
    daemon.operations.answers["sources"] = [{**SOURCE, "error": "[red] :smile: \x1b]0;title\x07"}]

    seen = on_terminal(command_line(daemon, "sources"), columns="160")

    assert "spamhaus-drop" in seen
    assert r"[red] :smile: \x1b]0;title\x07" in seen
    assert "\x1b]0" not in seen
    assert max(map(len, on_terminal(command_line(daemon, "sources"), columns="60").splitlines())) <= 60


def test_the_first_runtime_directory_of_the_environment_counts(daemon: CannedDaemon, program: Program) -> None:
    done = program("status", RUNTIME_DIRECTORY=f"{daemon.folder}:/elsewhere")

    assert done.returncode == 0


def is_real_root() -> bool:
    """Root of a user namespace may have nobody else to become."""
    first, _, count = Path("/proc/self/uid_map").read_text(encoding="ascii").split()[:3]
    return os.geteuid() == 0 and int(first) == 0 and int(count) > 65534


@pytest.mark.skipif(not is_real_root(), reason="only root can become somebody else")
def test_other_user_learns_that_the_socket_is_closed_to_them() -> None:
    # He leaves root behind only after the imports (argparse wants some late): the interpreter may be out of his reach.
    script = (
        "import locale, os, shutil, sys; import banlistd.ctl.commands, banlistd.ctl.remote;"
        "from banlistd.ctl.__main__ import main;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); sys.exit(main(sys.argv[1:]))"
    )
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as daemon:
        daemon.folder.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", script, "--runtime", folder, "status"], check=False, capture_output=True, text=True
        )

    assert (done.returncode, done.stdout) == (77, "")
    assert f"you may not speak to banlistd (permission denied on {folder}/control.sock)" in done.stderr
    assert "use sudo" in done.stderr


def test_an_interrupted_wait_says_that_the_daemon_goes_on(daemon: CannedDaemon) -> None:
    daemon.operations.answers["refresh"] = FOREVER
    # Whoever was started in the background of a script ignores it, and so would the child.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command_line(daemon, "refresh"), stdout=-1, stderr=-1, text=True) as process:
        signal.signal(signal.SIGINT, before)
        try:
            assert daemon.operations.begun.wait(30)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()

    assert (process.returncode, out) == (130, "")
    assert err == "interrupted; the daemon finishes what it has begun\n"


def test_an_interrupted_wait_on_a_terminal_leaves_no_progress_and_gives_the_cursor_back(daemon: CannedDaemon) -> None:
    daemon.operations.answers["refresh"] = FOREVER
    ours, theirs = pty.openpty()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    environment = {**os.environ, "COLUMNS": "80", "LINES": "50", "TERM": "xterm"}
    with subprocess.Popen(command_line(daemon, "refresh"), stdout=theirs, stderr=theirs, env=environment) as process:
        signal.signal(signal.SIGINT, before)
        os.close(theirs)
        seen = b""
        while (chunk := read_terminal(ours)) and b"waiting" not in seen:
            seen += chunk
        process.send_signal(signal.SIGINT)
        while chunk:
            seen += chunk
            chunk = read_terminal(ours)
        assert process.wait(30) == 130
    os.close(ours)

    assert screen(seen.decode()) == ["interrupted; the daemon finishes what it has begun", ""]
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l")


def test_a_reader_who_has_gone_is_no_traceback(daemon: CannedDaemon) -> None:
    daemon.operations.answers["history"] = [RUN] * 5_000
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(command_line(daemon, "history"), check=False, stdout=theirs, stderr=-1, text=True)
    os.close(theirs)

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_disk_is_reported(daemon: CannedDaemon) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command_line(daemon, "status"), check=False, stdout=full, stderr=-1, text=True)

    assert (done.returncode, done.stderr) == (74, "banlistctl: cannot write the answer: No space left on device\n")


def test_a_closed_stdout_still_gives_the_exit_code(daemon: CannedDaemon) -> None:
    daemon.operations.answers["check"] = {**ANSWERS["check"], "banned": False}
    shell = ["sh", "-c", '"$@" >&-', "sh", *command_line(daemon, "check", "192.0.2.1")]

    assert subprocess.run(shell, check=False).returncode == 1
    assert subprocess.run([*shell[:4], *command_line(daemon, "export")], check=False).returncode == 0


def test_an_encoding_without_our_characters_is_no_traceback(daemon: CannedDaemon, program: Program) -> None:
    daemon.operations.answers["status"] = {**ANSWERS["status"], "config": "/etc/bänne"}

    assert r"/etc/b\xe4nne" in program("status", PYTHONIOENCODING="ascii").stdout


def test_the_version_is_printed_without_a_daemon(program: Program) -> None:
    done = program("--version")

    assert done.returncode == 0
    assert done.stdout.startswith("banlistctl ")


def test_a_fault_inside_the_daemon_points_to_the_journal(daemon: CannedDaemon, program: Program) -> None:
    daemon.operations.answers["status"] = {"no JSON": b"bytes"}

    done = program("status")

    assert done.returncode == 76
    assert "a fault of its own" in done.stderr
    assert "journalctl -u banlistd" in done.stderr


def test_a_long_order_on_a_terminal_shows_its_progress_and_then_only_its_outcome(daemon: CannedDaemon) -> None:
    daemon.operations.answers["refresh"] = LATE
    daemon.operations.answers["status"] = {**ANSWERS["status"], "refreshing": {"done": 3, "total": 12}}

    seen = on_terminal(command_line(daemon, "refresh"), columns="80", TERM="xterm")

    assert "3 of 12 sources " in seen
    assert seen.endswith("spamhaus-drop: \x1b[32mcompleted\x1b[0m, 12 elements added, 3 removed\r\n")
    assert screen(seen) == ["spamhaus-drop: completed, 12 elements added, 3 removed", ""]


def test_states_have_colours_on_a_terminal_that_has_them_unless_they_are_not_wanted(daemon: CannedDaemon) -> None:
    assert "\x1b[32mcompleted\x1b[0m" in on_terminal(command_line(daemon, "sources"), columns="80", TERM="xterm")
    assert "\x1b" not in on_terminal(command_line(daemon, "sources"), columns="80", TERM="xterm", NO_COLOR="1")
    refresh = command_line(daemon, "refresh")
    assert "spamhaus-drop: \x1b[32mcompleted\x1b[0m, 12" in on_terminal(refresh, columns="80", TERM="xterm")
    assert "spamhaus-drop: completed, 12" in on_terminal(refresh, columns="80", TERM="xterm", NO_COLOR="1")


def test_a_document_is_one_line_on_a_terminal_too_and_the_lines_for_people_are_folded(daemon: CannedDaemon) -> None:
    document = on_terminal(command_line(daemon, "--json", "sources"), columns="60", TERM="xterm")
    assert json.loads(document) == ANSWERS["sources"]
    assert document.count("\n") == 1
    assert max(map(len, on_terminal(command_line(daemon, "status"), columns="60").splitlines())) <= 60
