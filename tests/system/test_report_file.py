"""banlistctl report --html of a real daemon with real lists on a real kernel."""

import re
import stat
from pathlib import Path
from xml.etree import ElementTree as ET

from support.data import real_list
from support.geography import DOCUMENTATION, write_mmdb
from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running


@in_network_namespace
def test_the_report_of_real_lists_is_a_file_with_their_figures(tmp_path: Path) -> None:
    lists = {"greensnow": "greensnow.txt", "emerging": "emergingthreats.txt", "drop": "spamhaus_drop_20260822.txt"}
    paths = {name: real_list(f"feeds/{file}") for name, file in lists.items()}
    (tmp_path / "own").write_text("192.0.2.7\n198.51.100.0/24\n")
    database = write_mmdb(tmp_path / "geo.mmdb", DOCUMENTATION)
    place = Installation(tmp_path)
    place.configure(
        *(f'id: {name}, path: "{path}"' for name, path in {**paths, "own": tmp_path / "own"}.items()),
        allow=["{address: 198.51.100.9, comment: <b>a customer</b>}"],
        every="365d",
        geo=f'databases: ["{database}"]',
    )
    file = tmp_path / "report.html"
    with running(place, *lists, "own") as daemon:
        done = place.ctl("report", "--html", str(file))
        assert (done.returncode, done.stdout, done.stderr) == (0, f"written: {file}\n", "")
        rows = {row["id"]: row for row in place.ask("report", "--since", "1h")["lists"]}
        assert daemon.terminate() == 0
    text = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len([ET.fromstring(found) for found in re.findall(r"<svg .*?</svg>", text, re.DOTALL)]) >= 5  # noqa: S314 - our own
    for name in (*lists, "own"):
        assert f'<th scope="row">{name}</th>' in text
        assert f'<td class="number">{rows[name]["entries"]:,}</td>' in text
    for figure in ("AS64496", "Example Network One", "Sweden", "&lt;b&gt;a customer&lt;/b&gt;"):
        assert figure in text
