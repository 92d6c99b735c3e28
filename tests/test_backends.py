"""Each declared backend opens from a configuration, has a class that keeps the contract, and refuses what it cannot do."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from banlistd.adapters.firewalls.opener import firewall_type, open_backend
from banlistd.backends import BackendName, Behaviour, Capabilities
from banlistd.core.config.keys import Reload, keys_of
from banlistd.core.config.model import Config
from banlistd.core.config.reload import RELOADS
from banlistd.core.ruleset.boot_snapshot import BootSnapshot
from banlistd.core.ruleset.policy import policy_of
from banlistd.model import Action, Direction, Ownership
from banlistd.ports import Firewall
from support.written_config import read

FIREWALL_TESTS = Path(__file__).parent / "adapters" / "firewalls"
CALLS = [name for name, call in inspect.getmembers(Firewall, inspect.isfunction) if not name.startswith("_")]


def under_contract() -> Iterator[str]:
    """The member names of the backends for which a test class inherits the contract."""
    for path in FIREWALL_TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "FirewallContract" for base in node.bases):
                text = ast.unparse(node)
                yield from (backend.name for backend in BackendName if f"backend = BackendName.{backend.name}\n" in text)


@pytest.mark.parametrize("backend", BackendName)
def test_it_opens_from_a_configuration(backend: BackendName) -> None:
    firewall = open_backend(backend, Config())
    assert all(inspect.iscoroutinefunction(getattr(firewall, call)) for call in CALLS)
    assert len(CALLS) > 5


@pytest.mark.parametrize("backend", [backend for backend in BackendName if backend.kind.restores_at_boot])
def test_what_restores_at_boot_opens_from_a_boot_snapshot(backend: BackendName) -> None:
    snapshot = BootSnapshot(backend, Ownership.NO, True, policy_of(Config(), {}, 0.0), [])
    assert type(open_backend(backend, snapshot)) is firewall_type(backend)


@pytest.mark.parametrize("backend", BackendName)
def test_a_test_class_inherits_the_contract_for_it(backend: BackendName) -> None:
    assert backend.name in set(under_contract())


@pytest.mark.parametrize("backend", BackendName)
def test_its_own_keys_are_keys_of_the_configuration(backend: BackendName) -> None:
    assert backend.kind.keys <= keys_of(Config).keys()


@pytest.mark.parametrize("backend", BackendName)
def test_its_own_keys_need_a_restart(backend: BackendName) -> None:
    assert all(RELOADS[key] is Reload.RESTART for key in backend.kind.keys)


@pytest.mark.parametrize("backend", BackendName)
def test_it_describes_itself(backend: BackendName) -> None:
    assert backend.kind.summary.endswith(".")
    assert all(getattr(backend.kind.behaviour, cell.name) for cell in fields(Behaviour))


@pytest.mark.parametrize("backend", BackendName)
def test_a_source_with_the_default_action_and_direction_fits_every_backend(backend: BackendName) -> None:
    assert not list(backend.kind.capabilities.exceeded_by(Action.DROP, Direction.IN))


def test_fail2ban_blocks_incoming_packets_only() -> None:
    fail2ban, nftables = BackendName.FAIL2BAN.kind.capabilities, BackendName.NFTABLES.kind.capabilities
    assert [key for key, _, _ in fail2ban.exceeded_by(Action.COUNT, Direction.OUT)] == ["action", "direction"]
    assert not list(nftables.exceeded_by(Action.COUNT, Direction.OUT))


def test_a_jail_logs_and_samples_nothing_and_ipset_does_not_sample() -> None:
    names = (BackendName.FAIL2BAN, BackendName.IPSET, BackendName.NFTABLES)
    jail, sets, table = (name.kind.capabilities for name in names)

    def beyond(one: Capabilities, log: int | None) -> list[str]:
        return [key for key, _, _ in one.exceeded_by(Action.DROP, Direction.IN, log, hits=True)]

    assert beyond(jail, 0) == ["log", "hits"]
    assert (beyond(sets, 0), beyond(sets, 7)) == (["hits"], ["log_group", "hits"])
    assert beyond(table, 7) == []


def test_fail2ban_is_neither_atomic_nor_knows_owners() -> None:
    fail2ban = BackendName.FAIL2BAN.kind.capabilities
    assert (fail2ban.all_or_nothing, fail2ban.contents_by_owner) == (False, False)


@pytest.mark.parametrize("backend", [BackendName.NFTABLES, BackendName.IPSET, BackendName.MEMORY])
def test_it_is_atomic_and_knows_owners(backend: BackendName) -> None:
    assert backend.kind.capabilities.all_or_nothing
    assert backend.kind.capabilities.contents_by_owner


def test_a_disabled_source_may_ask_for_anything() -> None:
    config = read("backend: fail2ban\nsources: [{id: a, path: a, action: log, enabled: no}, {id: b, path: b, action: reject}]")
    assert config.backend is BackendName.FAIL2BAN
    assert (config.fail2ban.jail, str(config.fail2ban.socket)) == ("banlistd", "/run/fail2ban/fail2ban.sock")
