"""The address of the caller's own session: as it is given, as sshd says it, as logind has it under sudo."""

from pathlib import Path

import pytest

from banlistd.control.own_session import AUTO, own_session


def logind(root: Path, host: str, cgroup: str = "0::/user.slice/user-0.slice/session-12.scope\n") -> str:
    for place, text in (("proc/self/cgroup", cgroup), ("run/systemd/sessions/12", f"UID=0\nREMOTE=1\nREMOTE_HOST={host}\n")):
        (root / place).parent.mkdir(parents=True)
        (root / place).write_text(text)
    return f"{root}/"


def test_what_is_given_counts() -> None:
    assert own_session("192.0.2.7", {"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}) == "192.0.2.7"


@pytest.mark.parametrize(("peer", "address"), [("192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1")])
def test_sshd_names_the_peer_of_a_shell(tmp_path: Path, peer: str, address: str) -> None:
    assert own_session(AUTO, {"SSH_CONNECTION": f"{peer} 50000 192.0.2.2 22"}, f"{tmp_path}/") == address


def test_logind_knows_the_session_under_sudo(tmp_path: Path) -> None:
    assert own_session(AUTO, {}, logind(tmp_path, "2001:db8::1")) == "2001:db8::1"


def test_a_name_is_no_address(tmp_path: Path) -> None:
    assert own_session(AUTO, {}, logind(tmp_path, "admin.example")) is None


@pytest.mark.parametrize("cgroup", ["0::/system.slice/fail2ban.service\n", ""])
def test_a_service_has_no_session(tmp_path: Path, cgroup: str) -> None:
    assert own_session(AUTO, {}, logind(tmp_path, "192.0.2.1", cgroup)) is None


def test_without_proc_there_is_no_session(tmp_path: Path) -> None:
    assert own_session(AUTO, {}, f"{tmp_path}/") is None
