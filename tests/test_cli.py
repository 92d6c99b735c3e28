"""The modes of banlistd, as programs of their own."""

import sys
from pathlib import Path

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
