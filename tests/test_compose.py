"""What the put-together program takes for itself when it opens."""

from dataclasses import replace
from pathlib import Path

import pytest

from banlistd.adapters.system.instance import only_writer
from banlistd.backends import BackendName
from banlistd.compose import open_application
from banlistd.core.config.model import Config
from banlistd.errors import AlreadyRunningError
from banlistd.paths import Paths
from support.network_namespace import in_network_namespace


async def opens_beside_another_daemon(folder: Path, backend: BackendName) -> bool:
    """Whether a daemon opens although another one, with another state, has the firewall of this host."""
    (folder / "state").mkdir()
    places = Paths(folder / "config", folder / "state", folder / "run")
    with only_writer():
        try:
            async with open_application(places, replace(Config(), backend=backend)):
                return True
        except AlreadyRunningError:
            return False


@pytest.mark.parametrize("backend", BackendName)
@in_network_namespace
async def test_one_daemon_alone_uses_a_backend_that_changes_the_host(tmp_path: Path, backend: BackendName) -> None:
    assert await opens_beside_another_daemon(tmp_path, backend) is not backend.kind.capabilities.changes_host


def test_only_the_backend_for_trying_out_changes_nothing() -> None:
    assert [backend for backend in BackendName if not backend.kind.capabilities.changes_host] == [BackendName.MEMORY]
