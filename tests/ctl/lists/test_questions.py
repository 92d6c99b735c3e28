"""What `banlistctl add` asks on a terminal, and what each answer does."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.feed_server import FeedServer
from support.terminal import read_terminal


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1), ("\x04", 1), ("\x03", 130)])
def test_a_list_is_added_only_after_a_yes(typed: str, code: int, tmp_path: Path) -> None:
    config = tmp_path / "etc"
    (config / "sources.d").mkdir(parents=True)
    (config / "banlistd.yaml").write_text("backend: memory\nsources: []\n", encoding="utf-8")
    with FeedServer() as server:
        server.serve("/bad.txt", b"198.51.100.1\n")
        found, seen = answered(
            ["--runtime", str(tmp_path), "add", server.url("/bad.txt"), "--id", "bad", "--config", str(config)], typed
        )
    assert found == code, seen
    assert "bad: 1 entry, size in octets: 13; 1 ban of them" in seen
    assert seen.count("add it? [y/N] ") == 1
    assert ("nothing was changed" in seen) == (code == 1)
    assert [path.name for path in (config / "sources.d").iterdir()] == (["bad.yaml"] if code == 0 else [])


def answered(arguments: list[str], typed: str) -> tuple[int, str]:
    """Exit code and text of the tool on a pseudo-terminal, its controlling one; `typed` comes after its question."""
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        # What a shell starts in the background ignores it, and its children do, too.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.alarm(60)  # a program that waits for ever ends
        os.execv(sys.executable, [sys.executable, "-m", "banlistd.ctl", *arguments])  # noqa: S606 - no shell is wanted
    seen = b""
    try:
        while chunk := read_terminal(terminal):
            seen += chunk
            if typed and b"[y/N] " in seen:
                os.write(terminal, typed.encode())
                typed = ""
    finally:
        os.close(terminal)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, seen.decode()


def test_nothing_is_added_without_a_terminal(tmp_path: Path) -> None:
    config = tmp_path / "etc"
    (config / "sources.d").mkdir(parents=True)
    (config / "banlistd.yaml").write_text("backend: memory\nsources: []\n", encoding="utf-8")
    with FeedServer() as server:
        server.serve("/bad.txt", b"198.51.100.1\n")
        words = ["add", server.url("/bad.txt"), "--config", str(config), "--runtime", str(tmp_path)]
        done = subprocess.run(
            [sys.executable, "-m", "banlistd.ctl", *words], input="y\n", capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 64
    assert "--yes adds it without a question" in done.stderr
    assert list((config / "sources.d").iterdir()) == []
