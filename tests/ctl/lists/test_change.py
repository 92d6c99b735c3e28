"""Sources are added, switched and removed in real files, before a daemon that accepts, refuses or does not run."""

import json
import stat
from pathlib import Path

import pytest

from banlistd.ctl.__main__ import main
from banlistd.errors import RefusedError
from ctl.canned import CannedDaemon
from ctl.conftest import CtlCall
from support.feed_server import FeedServer

MAIN = """\
backend: memory
sources:
  # mine
  - id: a  # keep
    url: https://lists.example/a
  - &b
    id: b
    url: https://lists.example/b
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    (folder / "sources.d").mkdir(parents=True)
    (folder / "banlistd.yaml").write_text(MAIN, encoding="utf-8")
    (folder / "banlistd.yaml").chmod(0o640)
    return folder


def main_of(folder: Path) -> str:
    return (folder / "banlistd.yaml").read_text(encoding="utf-8")


def test_a_source_is_disabled_and_enabled(folder: Path, daemon: CannedDaemon, call: CtlCall) -> None:
    code, out, _ = call("disable", "a", "--lift", "7", "--config", str(folder))
    assert code == 0
    assert out.startswith(f"a is disabled ({folder}/banlistd.yaml)\nconfiguration reloaded")
    assert main_of(folder) == MAIN.replace("example/a\n", "example/a\n    enabled: no\n")
    assert stat.S_IMODE((folder / "banlistd.yaml").stat().st_mode) == 0o640
    assert call("enable", "a", "--config", str(folder))[0] == 0
    assert [getattr(order, "lift", None) for _, order in daemon.operations.asked] == [7, 0]


def test_a_refused_reload_brings_the_file_back(folder: Path, daemon: CannedDaemon, call: CtlCall) -> None:
    daemon.operations.answers["reload"] = RefusedError("the reload would lift 100 of 161 bans", "--lift 100")
    code, out, err = call("remove", "a", "--config", str(folder))
    assert (code, out) == (65, "")
    assert "would lift 100" in err
    assert "is as it was" in err
    assert main_of(folder) == MAIN
    assert [path.name for path in sorted(folder.iterdir())] == ["banlistd.yaml", "sources.d"]


def test_without_a_daemon_the_file_waits_for_it(folder: Path, call: CtlCall) -> None:
    code, out, _ = call("--json", "remove", "a", "--config", str(folder))
    assert code == 0
    assert json.loads(out)["reloaded"] is None
    assert "lists.example/a" not in main_of(folder)
    assert "  # mine\n" in main_of(folder)


def test_an_unknown_source_and_one_that_is_enabled_are_refused(folder: Path, call: CtlCall) -> None:
    assert call("enable", "a", "--config", str(folder))[0] == 64
    assert "no source is called 'c'" in call("disable", "c", "--config", str(folder))[2]
    assert main_of(folder) == MAIN


def test_unusual_yaml_is_left_alone(folder: Path, call: CtlCall) -> None:
    text = MAIN.replace("  - &b\n    id: b\n", '  - "id": b\n')
    (folder / "banlistd.yaml").write_text(text, encoding="utf-8")
    code, _, err = call("disable", "b", "--config", str(folder))
    assert code == 64
    assert "too unusual" in err
    assert main_of(folder) == text


def test_a_symbolic_link_is_not_followed(folder: Path, call: CtlCall) -> None:
    (folder / "banlistd.yaml").rename(folder / "elsewhere")
    (folder / "banlistd.yaml").symlink_to("elsewhere")
    code, _, err = call("disable", "a", "--config", str(folder))
    assert code == 73
    assert "symbolic link" in err
    assert (folder / "elsewhere").read_text(encoding="utf-8") == MAIN


def test_a_name_that_is_no_list_and_an_id_in_use_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["add", "spamhaus-drob", "--config", str(folder)]) == 64
    assert "did you mean spamhaus-drop?" in capsys.readouterr().err
    assert main(["add", "https://lists.example/x", "--id", "a", "--config", str(folder)]) == 64
    assert "there is a source a already" in capsys.readouterr().err
    assert list((folder / "sources.d").iterdir()) == []


def test_the_folder_of_the_new_file_must_be_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "sources.d").rmdir()
    assert main(["add", "https://lists.example/x", "--id", "x", "--config", str(folder)]) == 73
    assert f"hint: mkdir {folder}/sources.d" in capsys.readouterr().err


def test_a_list_is_read_and_shown_before_it_is_added(folder: Path, daemon: CannedDaemon, call: CtlCall) -> None:
    with (folder / "banlistd.yaml").open("a", encoding="utf-8") as file:
        file.write("allow: [198.51.100.2]\n")
    with FeedServer() as server:
        server.serve("/bad.txt", b"198.51.100.1\n198.51.100.2\nnonsense\n")
        url = server.url("/bad.txt")
        code, out, err = call("add", url, "--id", "bad", "--config", str(folder))
        assert (code, "no terminal to ask on" in err) == (64, True)
        assert out.startswith(
            "bad: 2 entries, size in octets: 35; 1 ban of them\n  the first:\n"
            "    198.51.100.1\n    198.51.100.2\n  1 line skipped"
        )
        assert list((folder / "sources.d").iterdir()) == []
        assert daemon.operations.asked == []
        options = ("--id", "bad", "--every", "6h", "--action", "reject", "--yes", "--config", str(folder))
        assert call("add", url, *options)[0] == 0
    written = (folder / "sources.d" / "bad.yaml").read_text(encoding="utf-8")
    assert written == f'# written by banlistctl add\nid: bad\nurl: "{url}"\naction: reject\nevery: 6h\n'
    assert [name for name, *_ in daemon.operations.asked] == ["reload"]
    assert call("remove", "bad", "--config", str(folder))[0] == 0
    assert list((folder / "sources.d").iterdir()) == []


def test_a_list_that_cannot_be_read_is_not_added(folder: Path, daemon: CannedDaemon, call: CtlCall) -> None:
    with FeedServer() as server:
        code, _, err = call("add", server.url("/absent.txt"), "--id", "bad", "--yes", "--config", str(folder))
    assert code
    assert "bad was not added" in err
    assert (list((folder / "sources.d").iterdir()), daemon.operations.asked) == ([], [])
