"""The modes of banlistd, as programs of their own."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from support.screen import screen


def test_polling_once_on_a_terminal_draws_progress_below_whole_lines_of_the_log(tmp_path: Path) -> None:
    for name in ("config", "state", "runtime"):
        (tmp_path / name).mkdir()
    (tmp_path / "list.txt").write_text("203.0.113.7\n")
    (tmp_path / "config/banlistd.yaml").write_text(
        f"backend: memory\nlog: {{format: logfmt}}\nsources:\n  - {{id: mine, path: {tmp_path}/list.txt}}\n"
    )
    folders = [word for name in ("config", "state", "runtime") for word in (f"--{name}", str(tmp_path / name))]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "60", "LINES": "50", "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-m", "banlistd", *folders, "--once"], stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        seen = b""
        while chunk := _read(ours):
            seen += chunk
        assert process.wait(60) == 0
    os.close(ours)

    assert "0 of 1 source " in seen.decode()
    *log, last = screen(seen.decode())
    assert last == ""
    assert [line.split()[1] for line in log] == [
        "event=firewall_restored",
        "event=blocklist_import_started",
        "event=blocklist_import_completed",
    ]
    assert max(map(len, log)) > 60


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # EIO: the other side has closed it
        return b""
