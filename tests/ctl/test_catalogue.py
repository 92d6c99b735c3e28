"""banlistctl catalogue, which asks no daemon."""

import json
import subprocess
import sys

import pytest

from banlistd.adapters.system.config_file import load_catalogue
from banlistd.core.config.catalogue.terms import ListState, Permission, Purpose, Topic
from banlistd.ctl.__main__ import main


def names_of(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    assert main(["--json", "catalogue", *options]) == 0
    return [entry["id"] for entry in json.loads(capsys.readouterr().out)]


def test_every_list_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert names_of(capsys) == list(load_catalogue())


def test_lists_are_chosen_by_what_is_known_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    entries = load_catalogue().values()
    assert names_of(capsys, "--good-for", "ssh") == [one.id for one in entries if Topic.SSH in one.good_for]
    assert names_of(capsys, "--state", "dead") == [one.id for one in entries if one.state is ListState.DEAD]
    assert names_of(capsys, "--commercial", "no") == [one.id for one in entries if one.commercial is Permission.NO]
    assert names_of(capsys, "--purpose", "allow") == [one.id for one in entries if one.purpose is Purpose.ALLOW]


def test_a_list_for_both_directions_is_one_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    coming, going = names_of(capsys, "--direction", "in"), names_of(capsys, "--direction", "out")
    assert {"feodo"} <= {*coming} & {*going}
    assert {"hagezi-tif"} <= {*going} - {*coming}
    assert {"spamhaus-drop"} <= {*coming} - {*going}


def test_what_is_asked_for_together_must_hold_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert names_of(capsys, "--good-for", "tor", "--state", "dead") == []
    assert main(["catalogue", "--good-for", "tor", "--state", "dead"]) == 0
    assert capsys.readouterr().out == "no list is like that\n"


def test_a_person_sees_a_row_of_each_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "--good-for", "telnet"]) == 0
    head, *rows, last = capsys.readouterr().out.splitlines()
    assert head.split()[:1] == ["NAME"]
    assert [row.split()[0] for row in rows] == ["dataplane-telnet", "turris-greylist", "shadowwhisperer-threats"]
    assert last == "3 lists; banlistctl catalogue show NAME says more"


def test_everything_that_is_known_of_a_list_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "show", "dshield-block"]) == 0
    said = capsys.readouterr().out
    entry = load_catalogue()["dshield-block"]
    for text in (entry.url, entry.home, entry.licence, entry.attribution, entry.contact, entry.comment, *entry.overlaps):
        assert text in said
    assert '"separator": "tab"' in said


def test_a_name_that_is_not_known_is_a_fault_of_usage_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "show", "spamhaus-drob"]) == 64
    assert (
        capsys.readouterr().err == "banlistctl: 'spamhaus-drob' is not in the catalogue\n  hint: did you mean spamhaus-drop?\n"
    )


def test_the_catalogue_is_read_without_anything_heavy() -> None:
    script = (
        "import sys; from banlistd.ctl.__main__ import main; main(['catalogue']);"
        "print(*({'numpy', 'yaml', 'aiohttp', 'dataclasses'} & {*sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("written", ["feodo", "botnets COMMAND", "feodo --state alive", "--state=alive feodo"])
def test_words_after_the_command_are_searched_for(written: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = names_of(capsys, *written.split())
    assert found == names_of(capsys, "search", *written.split())
    assert main(["--runtime", "/run/none", "catalogue", *written.split()]) == 0
    assert "feodo" in capsys.readouterr().out
    assert "feodo" in found


def test_a_search_has_the_same_filters(capsys: pytest.CaptureFixture[str]) -> None:
    assert names_of(capsys, "--good-for", "ssh", "list") == [
        name for name in names_of(capsys, "list") if name in names_of(capsys, "--good-for", "ssh")
    ]
    assert names_of(capsys, "feodo", "--state", "dead") == []


def test_a_command_within_another_is_not_searched_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "catalogue", "show", "feodo"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "feodo"
