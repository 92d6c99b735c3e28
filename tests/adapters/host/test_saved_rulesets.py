"""The files that nftables.service loads, found as nft finds them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from banlistd.adapters.host.saved_rulesets import remarks_on_saved_rulesets

OURS = "table inet banlistd {\n}\n"


def found(root: Path, files: Mapping[str, str]) -> list[str]:
    """The files that are said to name the table."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [remark.message.partition(" names ")[0] for remark in remarks_on_saved_rulesets("banlistd", root)]


@pytest.mark.parametrize(
    "text",
    [
        OURS,
        "flush ruleset\ntable inet banlistd { flags owner,persist; }",
        "add chain inet banlistd x",
        "table\tinet  banlistd{\n}",
        '# "\ntable inet banlistd {}',
    ],
)
def test_a_file_that_names_the_table_is_found(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, {"etc/nftables.conf": text}) == ["/etc/nftables.conf"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# table inet banlistd\n",
        "table inet filter { } # not table inet banlistd\n",
        'table ip x { comment "table inet banlistd" }',
        "table inet banlistd-other {}",
        "table inet banlistd2 {}",
        "table ip banlistd {}",
    ],
)
def test_a_file_that_does_not_name_it_is_not(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, {"etc/nftables.conf": text}) == []


@pytest.mark.parametrize(
    ("unit", "command"),
    [
        ("etc/systemd/system/nftables.service", "ExecStart=/usr/sbin/nft -f /srv/rules"),
        ("etc/systemd/system/nftables.service.d/own.conf", "ExecStart=\nExecStart=/usr/sbin/nft -I /srv --file=/srv/rules"),
        ("usr/lib/systemd/system/nftables.service", "ExecReload=/sbin/nft 'flush ruleset; include \"/x\"' -of '/srv/rules'"),
        ("run/systemd/system/nftables.service", "ExecStart=/bin/sh -c 'nft flush ruleset; nft -f /srv/rules;'"),
    ],
)
def test_a_file_that_the_unit_loads_is_found(tmp_path: Path, unit: str, command: str) -> None:
    assert found(tmp_path, {unit: f"[Service]\n{command}\n", "srv/rules": OURS}) == ["/srv/rules"]


def test_what_another_unit_or_another_command_loads_is_not(tmp_path: Path) -> None:
    files = {
        "etc/systemd/system/other.service": "ExecStart=/usr/sbin/nft -f /srv/rules",
        "etc/systemd/system/nftables.service": "# ExecStart=nft -f /srv/rules\nExecStop=/usr/sbin/nft -f /srv/rules\n",
    }
    assert found(tmp_path, {**files, "srv/rules": OURS}) == []


@pytest.mark.parametrize(
    ("include", "place"),
    [
        ("/etc/nftables.d/*.nft", "etc/nftables.d/a.nft"),
        ("nftables.d/*", "etc/nftables.d/a"),
        ("./srv/rules", "srv/rules"),
        ("/srv/rules", "srv/rules"),
        ("/srv/[ab]", "srv/b"),
        ("/srv/**b", "srv/b"),
    ],
)
def test_an_included_file_is_found(tmp_path: Path, include: str, place: str) -> None:
    files = {"etc/nftables.conf": f'include "{include}"\n', place: OURS}
    assert found(tmp_path, files) == [f"/{place}"]


def test_what_is_included_may_include_and_a_circle_ends(tmp_path: Path) -> None:
    files = {
        "etc/nftables.conf": 'include "/etc/one"\n',
        "etc/one": 'include "/etc/two"\n',
        "etc/two": f'include "/etc/nftables.conf"\n{OURS}',
    }
    assert found(tmp_path, files) == ["/etc/two"]


@pytest.mark.parametrize("include", ['# include "/etc/x"', 'include "/etc/.*"', 'include "/etc/absent"'])
def test_what_is_not_included_is_not_read(tmp_path: Path, include: str) -> None:
    files = {"etc/nftables.conf": include, "etc/x": OURS, "etc/y": OURS}
    assert found(tmp_path, files) == []


def test_fedora_has_its_file_elsewhere(tmp_path: Path) -> None:
    assert found(tmp_path, {"etc/sysconfig/nftables.conf": OURS}) == ["/etc/sysconfig/nftables.conf"]


def test_a_host_without_such_a_file_and_one_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    assert found(tmp_path, {}) == []
    (tmp_path / "etc/nftables.conf").mkdir(parents=True)
    assert found(tmp_path, {}) == []
