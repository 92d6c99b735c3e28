"""What the put-together program takes for itself when it opens."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from banlistd.adapters.system.instance import only_writer
from banlistd.backends import BackendName
from banlistd.cli import check_config
from banlistd.compose import load_files, open_application
from banlistd.control.read_request import read_request
from banlistd.core.config.kept import Loaded
from banlistd.core.config.model import Config
from banlistd.errors import AlreadyRunningError
from banlistd.paths import Paths
from support.commands import command_named
from support.network_namespace import in_network_namespace, nft


async def opens_beside_another_daemon(folder: Path, backend: BackendName) -> bool:
    """Whether a daemon opens although another one, with another state, has the firewall of this host."""
    (folder / "state").mkdir()
    places = Paths(folder / "config", folder / "state", folder / "run")
    with only_writer():
        try:
            async with open_application(places, Loaded(replace(Config(), backend=backend), {})):
                return True
        except AlreadyRunningError:
            return False


@pytest.mark.parametrize("backend", BackendName)
@in_network_namespace
async def test_one_daemon_alone_uses_a_backend_that_changes_the_host(tmp_path: Path, backend: BackendName) -> None:
    assert await opens_beside_another_daemon(tmp_path, backend) is not backend.kind.capabilities.changes_host


@in_network_namespace
async def test_a_saved_ruleset_with_our_table_is_reported_by_the_check_at_the_start_and_by_status(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("config", "state", "etc"):
        (tmp_path / name).mkdir()
    (tmp_path / "config/banlistd.yaml").write_text("backend: memory\nsources: []\n")
    file = tmp_path / "etc/nftables.conf"
    file.write_text("flush ruleset\ntable inet banlistd {\n}\n")
    places = Paths(tmp_path / "config", tmp_path / "state", tmp_path / "run", root=tmp_path)
    warning = "/etc/nftables.conf names table inet banlistd"

    assert await asyncio.to_thread(check_config, places) == 0
    assert warning in capfd.readouterr().err

    async with open_application(places, load_files(places)) as application:
        await application.restore()
        logged = capfd.readouterr().err
        assert "firewall_remark" in logged
        assert warning in logged
        status = command_named("status")
        answer: Any = await application.answers(status, status.read(read_request(status, {}, b"", 0)))
        assert [warning in remark["message"] for remark in answer["remarks"]] == [True]

    file.write_text("flush ruleset\n")
    assert await asyncio.to_thread(check_config, places) == 0
    assert capfd.readouterr().err == ""


@in_network_namespace
def test_the_check_says_what_the_firewall_of_this_host_cannot_do(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/banlistd.yaml").write_text("owner: yes\nsources: []\n")
    places = Paths(tmp_path / "config", tmp_path / "state", tmp_path / "run", root=tmp_path)
    assert check_config(places) == 0
    assert capfd.readouterr().err == ""
    nft("add", "table", "inet", "banlistd")
    assert check_config(places) == 0
    assert "table inet banlistd has no owner" in capfd.readouterr().err
    assert nft("list", "tables") == "table inet banlistd\n"


@pytest.mark.parametrize("backend", [BackendName.NFTABLES, BackendName.IPSET, BackendName.FAIL2BAN])
def test_a_backend_of_the_host_is_for_one_daemon(backend: BackendName) -> None:
    assert backend.kind.capabilities.changes_host


def test_the_backend_for_trying_out_is_for_many() -> None:
    assert not BackendName.MEMORY.kind.capabilities.changes_host
