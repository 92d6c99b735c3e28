"""The answer to a reload is lost, and two change the configuration at once: the file is whole, and the user knows which."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from banlistd.ctl.lists import change
from banlistd.ctl.lists.change import alone
from ctl.canned import running
from ctl.conftest import CtlCall

MAIN = "backend: memory\nsources:\n  - id: a\n    url: https://lists.example/a\n  - id: b\n    url: https://lists.example/b\n"
DISABLED = MAIN.replace("example/a\n", "example/a\n    enabled: no\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    (folder / "sources.d").mkdir(parents=True)
    (folder / "banlistd.yaml").write_text(MAIN, encoding="utf-8")
    return folder


@contextmanager
def hanging_up(path: Path, times: int) -> Iterator[list[bytes]]:
    """A daemon that takes so many requests and ends before it answers. It yields the requests."""
    requests: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(1)

        def take() -> None:
            for _ in range(times):
                connection, _ = listener.accept()
                with connection:
                    requests.append(connection.recv(65_536))
            listener.close()
            path.unlink()

        thread = threading.Thread(target=take)
        thread.start()
        yield requests
        thread.join()


def test_a_daemon_that_comes_back_is_asked_again(
    folder: Path, tmp_path: Path, call: CtlCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []
    with hanging_up(tmp_path / "control.sock", 1) as requests:
        with monkeypatch.context() as patch:

            def come_back(seconds: float) -> None:
                pauses.append(seconds)
                if len(pauses) == 1:
                    daemon.__enter__()

            daemon = running(tmp_path)
            patch.setattr(time, "sleep", come_back)
            code, out, err = call("disable", "a", "--config", str(folder))
        daemon.__exit__(None, None, None)
    assert (code, len(requests), len(pauses)) == (0, 1, 1)
    assert "asking again" in err
    assert out.startswith("a is disabled")
    assert (folder / "banlistd.yaml").read_text(encoding="utf-8") == DISABLED


def test_a_daemon_that_stays_away_gets_the_file_back(
    folder: Path, tmp_path: Path, call: CtlCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change, "_PATIENCE", 0.0)
    with hanging_up(tmp_path / "control.sock", 1):
        code, out, err = call("disable", "a", "--config", str(folder))
    assert (code, out) == (69, "")
    assert "is as it was; banlistctl reload makes sure" in err
    assert (folder / "banlistd.yaml").read_text(encoding="utf-8") == MAIN


def test_two_commands_at_once_lose_nothing(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "banlistd.ctl", "--runtime", str(tmp_path)]
    with alone(str(folder)):
        both = [
            subprocess.Popen(
                [*command, "disable", name, "--config", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for name in "ab"
        ]
        for one in both:
            assert one.stderr is not None
            assert "another banlistctl" in one.stderr.readline()
        assert (folder / "banlistd.yaml").read_text(encoding="utf-8") == MAIN
    for one in both:
        out, err = one.communicate(timeout=60)
        assert (one.returncode, err) == (0, ""), out
    changed = DISABLED.replace("example/b\n", "example/b\n    enabled: no\n")
    assert (folder / "banlistd.yaml").read_text(encoding="utf-8") == changed
