"""The address of the caller's own session: as it is given, as sshd says it, as logind has it under sudo."""

import os
import struct
from ipaddress import ip_address
from pathlib import Path

import pytest

from banlistd.control.own_session import AUTO, own_session

UTMP = struct.Struct("=h2xi32s4s32s256shhiii16s20x")


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


def test_in_tmux_all_sessions_count_that_the_same_user_has_now(tmp_path: Path) -> None:
    root = logind(tmp_path, "192.0.2.1", "0::/user.slice/user-1000.slice/session-12.scope\n")
    for name, user, state, host in (
        ("3", 1000, "active", "192.0.2.3"),
        ("c4", 1000, "online", "2001:db8::4"),
        ("5", 1000, "closing", "192.0.2.5"),
        ("6", 1001, "active", "192.0.2.6"),
        ("7", 1000, "active", "admin.example"),
        ("8", 1000, "active", "192.0.2.3"),
    ):
        (tmp_path / "run/systemd/sessions" / name).write_text(f"UID={user}\nSTATE={state}\nREMOTE_HOST={host}\n")
    os.mkfifo(tmp_path / "run/systemd/sessions/3.ref")
    found = own_session(AUTO, {"SSH_CONNECTION": "198.51.100.9 1 192.0.2.2 22"}, root)
    assert found == "198.51.100.9 192.0.2.1 192.0.2.3 2001:db8::4"
    (tmp_path / "proc/self/cgroup").write_text("0::/user.slice/user-1000.slice/user@1000.service/tmux-spawn-1.scope\n")
    assert own_session(AUTO, {}, root) == "192.0.2.3 2001:db8::4"


def test_where_sshd_gave_logind_a_name_utmp_has_the_address(tmp_path: Path) -> None:
    root = logind(tmp_path, "admin.example")
    octets = [b"\xc0\x00\x02\x07", ip_address("2001:db8::7").packed, b""]
    rows = [UTMP.pack(7, 1, b"pts/0", b"", b"anna", b"admin.example", 0, 0, 0, 0, 0, one) for one in octets]
    rows.append(UTMP.pack(8, 1, b"pts/1", b"", b"gone", b"", 0, 0, 0, 0, 0, b"\xc0\x00\x02\x08"))
    (tmp_path / "run/utmp").write_bytes(b"".join(rows) + b"half a record")
    assert own_session(AUTO, {}, root) == "192.0.2.7 2001:db8::7"
    assert own_session(AUTO, {"SSH_CONNECTION": "192.0.2.9 1 192.0.2.2 22"}, f"{tmp_path}/none/") == "192.0.2.9"


def test_a_name_is_no_address(tmp_path: Path) -> None:
    assert own_session(AUTO, {}, logind(tmp_path, "admin.example")) is None


@pytest.mark.parametrize("cgroup", ["0::/system.slice/fail2ban.service\n", ""])
def test_a_service_has_no_session(tmp_path: Path, cgroup: str) -> None:
    assert own_session(AUTO, {}, logind(tmp_path, "192.0.2.1", cgroup)) is None


def test_without_proc_there_is_no_session(tmp_path: Path) -> None:
    assert own_session(AUTO, {}, f"{tmp_path}/") is None
