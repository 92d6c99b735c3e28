"""The modes of banlistd, as programs of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from banlistd import __main__ as program
from support.screen import screen
from support.terminal import on_terminal


def test_polling_once_on_a_terminal_draws_progress_below_whole_lines_of_the_log(tmp_path: Path) -> None:
    for name in ("config", "state", "runtime"):
        (tmp_path / name).mkdir()
    (tmp_path / "list.txt").write_text("203.0.113.7\n")
    (tmp_path / "config/banlistd.yaml").write_text(
        f"backend: memory\nlog: {{format: logfmt}}\nsources:\n  - {{id: mine, path: {tmp_path}/list.txt}}\n"
    )
    folders = [word for name in ("config", "state", "runtime") for word in (f"--{name}", str(tmp_path / name))]
    seen = on_terminal([sys.executable, "-m", "banlistd", *folders, "--once"], columns="60", TERM="xterm")

    assert "0 of 1 source " in seen
    *log, last = screen(seen)
    assert last == ""
    assert [line.split()[1] for line in log] == [
        "event=firewall_restored",
        "event=blocklist_import_started",
        "event=blocklist_import_completed",
    ]
    assert max(map(len, log)) > 60


def test_what_serves_metrics_is_not_in_memory_where_they_are_not_configured() -> None:
    show = "import sys, banlistd.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout.split()
    assert "banlistd.control.server" in loaded
    assert not [name for name in loaded if name.startswith(("banlistd.control.monitoring.", "banlistd.control.metrics."))]
    assert "prometheus_client" not in loaded


def test_relative_folders_are_absolute_for_programs_that_work_in_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNTIME_DIRECTORY", "run")
    places = program._places(program._parser().parse_args(["--state", "state"]))
    assert (places.state, places.runtime) == (tmp_path / "state", tmp_path / "run")
