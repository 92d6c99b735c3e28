import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from banlistd.ctl.__main__ import main
from ctl.canned import CannedDaemon, running

Program = Callable[..., "subprocess.CompletedProcess[str]"]
CtlCall = Callable[..., tuple[int, str, str]]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[CannedDaemon]:
    with running(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The tool as a program of its own, with the test's folder as its runtime directory."""

    def run(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "banlistd.ctl", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "RUNTIME_DIRECTORY": str(tmp_path), "TZ": "UTC", **settings},
        )

    return run


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CtlCall:
    """The tool within this process: exit code, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(["--runtime", str(tmp_path), *arguments])
        except SystemExit as exc:  # argparse leaves in its own way
            code = exc.code if isinstance(exc.code, int) else 0
        out, err = capsys.readouterr()
        return code, out, err

    return run
