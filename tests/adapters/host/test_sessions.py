"""Who is logged in is found: by logind's own state, by utmp, and never by a connection."""

import asyncio
import socket
import struct
from ipaddress import ip_address
from pathlib import Path

import pytest

from banlistd.adapters.host import sessions
from banlistd.adapters.host.sessions import SystemLogins

USER_PROCESS, DEAD_PROCESS = 7, 8


def current(root: Path, **environment: str) -> list[str]:
    return [str(ip_address(number)) for _, number in asyncio.run(SystemLogins(environment, root).current())]


def utmp_record(kind: int, address: str) -> bytes:
    version = socket.AF_INET6 if ":" in address else socket.AF_INET
    octets = socket.inet_pton(version, address).ljust(16, b"\0")
    return struct.pack("=h2xi32s4s32s256shhiii16s20x", kind, 1, b"pts/0", b"ts/0", b"root", b"host", 0, 0, 1, 2, 3, octets)


def write_utmp(root: Path, *records: bytes) -> None:
    (root / "run").mkdir(exist_ok=True)
    (root / "run/utmp").write_bytes(b"".join(records))


def with_logind(root: Path, monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    (root / "run/systemd/sessions").mkdir(parents=True)
    monkeypatch.setattr(sessions, "logind_hosts", lambda: iter(hosts))


def test_logind_names_the_remote_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_logind(tmp_path, monkeypatch, "192.0.2.1", "2001:db8::1", "192.0.2.1", "::ffff:192.0.2.2", "fe80::1%eth0")
    write_utmp(tmp_path, utmp_record(USER_PROCESS, "192.0.2.99"))
    assert current(tmp_path) == ["192.0.2.1", "2001:db8::1", "192.0.2.2", "fe80::1"]


def test_utmp_has_the_address_where_logind_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_logind(tmp_path, monkeypatch, "admin.example", "192.0.2.1")
    write_utmp(tmp_path, utmp_record(USER_PROCESS, "192.0.2.7"))
    assert current(tmp_path) == ["192.0.2.1", "192.0.2.7"]


def test_without_logind_utmp_names_who_is_logged_in(tmp_path: Path) -> None:
    records = [utmp_record(USER_PROCESS, "192.0.2.1"), utmp_record(USER_PROCESS, "2001:db8::1")]
    records += [utmp_record(DEAD_PROCESS, "192.0.2.9"), utmp_record(USER_PROCESS, "0.0.0.0"), b"cut"]
    write_utmp(tmp_path, *records)
    assert current(tmp_path) == ["192.0.2.1", "2001:db8::1"]


def test_without_either_nobody_is_logged_in(tmp_path: Path) -> None:
    assert current(tmp_path) == []


def test_the_session_that_started_the_daemon_by_hand_counts(tmp_path: Path) -> None:
    assert current(tmp_path, SSH_CONNECTION="192.0.2.77 50000 192.0.2.1 22") == ["192.0.2.77"]


def test_a_session_counts_only_after_the_login_and_until_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        b"1": {"class": "user", "state": "active", "remote_host": "192.0.2.1"},
        b"2": {"class": "user", "state": "closing", "remote_host": "192.0.2.2"},
        b"3": {"class": "greeter", "state": "active", "remote_host": "192.0.2.3"},
        b"4": {"class": "user", "state": "online", "remote_host": ""},
    }
    monkeypatch.setattr(sessions, "session_ids", lambda: [*known])
    monkeypatch.setattr(sessions, "session_text", lambda what, session: known[session][what])
    assert list(sessions.logind_hosts()) == ["192.0.2.1"]


def test_libsystemd_is_asked_without_a_fault() -> None:
    try:
        found = sessions.session_ids()
    except OSError:
        pytest.skip("no libsystemd, or no logind")
    assert [sessions.session_text("class", session) for session in [*found, b"no-such-session"]][-1] == ""
