import asyncio
import json
import logging
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from banlistd.control.answers.faults import status_of
from banlistd.control.declaration import Command
from banlistd.control.server import MAX_BODY, OnChange, note_nothing, serve
from banlistd.core.config.reload import ReloadOrder
from banlistd.errors import (
    AlreadyRunningError,
    BanlistdError,
    ConfigError,
    ControlSocketError,
    FirewallError,
    LedgerError,
    NoSuchSourceError,
    StaleGenerationError,
    UsageError,
)
from banlistd.model import Family
from ctl.canned import ANSWERS, FOREVER, Canned
from support.users import need_another_user

Reply = tuple[int, Any]


def ask(
    folder: Path,
    operations: Canned,
    method: str,
    target: str,
    body: bytes | None = None,
    on_change: OnChange = note_nothing,
) -> Reply:
    """One request to a control socket that is open for this request only."""

    async def exchange() -> Reply:
        path = folder / "control.sock"
        async with (
            serve(operations, path, on_change),
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
            session.request(method, f"http://localhost{target}", data=body) as response,
        ):
            return response.status, json.loads(await response.read())

    return asyncio.run(exchange())


def error_of(reply: Reply) -> dict[str, Any]:
    error = reply[1]["error"]
    assert isinstance(error, dict)
    return error


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def serving(folder: Path, then: Callable[[Path], Awaitable[None]]) -> Canned:
    operations = Canned()

    async def run() -> None:
        async with serve(operations, folder / "control.sock"):
            await then(folder / "control.sock")

    asyncio.run(run())
    return operations


@pytest.mark.parametrize(
    ("method", "target", "body", "asked"),
    [
        ("GET", "/v1/status", None, ("status",)),
        ("GET", "/v1/sources", None, ("sources", False, "", None, None)),
        ("GET", "/v1/sources?failing=true&sort=id&limit=3", None, ("sources", True, "id", 3, None)),
        ("GET", "/v1/sources?failing=false", None, ("sources", False, "", None, None)),
        ("GET", "/v1/check?address=2001:db8::1", None, ("check", "2001:db8::1")),
        ("GET", "/v1/top?by=country", None, ("top", "country", 20)),
        ("GET", "/v1/top?by=asn&limit=3", None, ("top", "asn", 3)),
        ("GET", "/v1/history", None, ("history", None, 20)),
        ("GET", "/v1/history?source=tor&limit=1000", None, ("history", "tor", 1000)),
        ("GET", "/v1/timers", None, ("timers",)),
        ("GET", "/v1/protected", None, ("protected", False)),
        ("GET", "/v1/quarantine", None, ("quarantine", None, os.getuid())),
        ("GET", "/v1/quarantine?source=tor", None, ("quarantine", "tor", os.getuid())),
        ("POST", "/v1/approve", b'{"sources": ["tor"]}', ("approve", ("tor",), "", False, os.getuid())),
        (
            "POST",
            "/v1/approve",
            b'{"sources": ["tor"], "hash": "01234567", "force": true}',
            ("approve", ("tor",), "01234567", True, os.getuid()),
        ),
        ("POST", "/v1/refresh", b'{"sources": ["tor", "feodo", "tor"]}', ("refresh", ("tor", "feodo"), False)),
        ("POST", "/v1/refresh", b'{"now": true}', ("refresh", (), True)),
        ("POST", "/v1/refresh", b"{}", ("refresh", (), False)),
        ("POST", "/v1/refresh", None, ("refresh", (), False)),
        ("POST", "/v1/reload", b"", ("reload", ReloadOrder())),
        ("POST", "/v1/reload", b'{"lift": 5019}', ("reload", ReloadOrder(lift=5019))),
        ("GET", "/v1/bans", None, ("bans", 1000, None)),
        (
            "GET",
            "/v1/bans?limit=7&after=1790000000.5%7C192.0.2.1%7Cx",
            None,
            ("bans", 7, (1_790_000_000.5, Family.IPV4, 0xC0000201, 0xC0000201, "x")),
        ),
        (
            "POST",
            "/v1/ban",
            b'{"address": "192.0.2.0/24", "for": "10m", "origin": "fail2ban/sshd", "comment": "5 failures"}',
            (
                "ban",
                {"address": "192.0.2.0/24", "for": "10m", "origin": "fail2ban/sshd", "comment": "5 failures"},
                os.getuid(),
            ),
        ),
        ("POST", "/v1/ban", b'{"address": "::2"}', ("ban", {"address": "::2"}, os.getuid())),
        (
            "POST",
            "/v1/unban",
            b'{"address": "192.0.2.1", "origin": "x"}',
            ("unban", {"address": "192.0.2.1", "origin": "x"}, os.getuid()),
        ),
    ],
)
def test_every_route_passes_its_question_on_and_its_answer_back(
    tmp_path: Path, method: str, target: str, body: bytes | None, asked: tuple[object, ...]
) -> None:
    operations = Canned()

    reply = ask(tmp_path, operations, method, target, body)

    assert reply == (200, ANSWERS[asked[0]])  # type: ignore[index]
    assert operations.asked == [asked]


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "words"),
    [
        ("GET", "/v1/nothing", None, 404, "no such path"),
        ("GET", "/", None, 404, "no such path"),
        ("POST", "/v1/status", None, 405, "no such method"),
        ("GET", "/v1/reload", None, 405, "no such method"),
        ("DELETE", "/v1/sources", None, 405, "no such method"),
        ("POST", "/v1/refresh", b"{", 400, "not JSON"),
        ("POST", "/v1/refresh", b"\xff\xfe\x00", 400, "not JSON"),
        ("POST", "/v1/refresh", b"[" * 60_000, 400, "not JSON"),
        ("POST", "/v1/refresh", b"[]", 400, "not a JSON object"),
        ("POST", "/v1/refresh", b'{"source": ["tor"]}', 400, "takes no 'source'"),
        ("POST", "/v1/refresh", b'{"sources": "tor"}', 400, "not a list of names"),
        ("POST", "/v1/refresh", b'{"sources": [1]}', 400, "not a list of names"),
        ("POST", "/v1/refresh", b'{"sources": ["\\u001b[2J"]}', 404, "no source is called"),
        ("POST", "/v1/refresh?sources=tor", None, 400, "takes no 'sources'"),
        ("POST", "/v1/refresh", b" " * (MAX_BODY + 1), 413, "larger than"),
        ("POST", "/v1/reload", b'{"sources": []}', 400, "takes no 'sources'"),
        ("POST", "/v1/reload", b'{"confirm": "2h"}', 400, "confirm: "),
        ("POST", "/v1/reload", b'{"lift": "5019"}', 400, "is not a number of bans"),
        ("GET", "/v1/status", b"{}", 400, "no body"),
        ("GET", "/v1/status?verbose=1", None, 400, "takes no 'verbose'"),
        ("GET", "/v1/check", None, 400, "no address"),
        ("GET", "/v1/history?source=%1b%5b2J", None, 404, r"no source is called '\x1b[2J'"),
        ("GET", "/v1/history?source=", None, 404, "no source is called ''"),
        ("GET", "/v1/quarantine?source=%1b", None, 404, "no source is called"),
        ("POST", "/v1/approve", b'{"source": "tor"}', 400, "takes no 'source'"),
        ("POST", "/v1/ban", b"{}", 400, "address: is missing"),
        ("POST", "/v1/ban", b'{"address": "a\\u001b"}', 400, "is not an address"),
        ("POST", "/v1/ban", b'{"address": "192.0.2.1", "for": 600}', 400, "for: is no text"),
        ("POST", "/v1/ban", b'{"address": "192.0.2.1", "until": "1h"}', 400, "takes no 'until'"),
        ("POST", "/v1/unban", b'{"address": "192.0.2.1", "for": "1h"}', 400, "takes no 'for'"),
        ("GET", "/v1/ban?address=192.0.2.1", None, 405, "no such method"),
        ("GET", "/v1/top?by=country&limit=0", None, 400, "a limit of '0'"),
        ("GET", "/v1/sources?failing=%1b", None, 400, r"failing='\x1b' is not possible"),
        ("GET", "/v1/sources?sort=beauty", None, 400, "not sorted by 'beauty'"),
        ("POST", "/v1/unban", b"{}", 400, "no address is given"),
        ("GET", "/v1/top?source=tor", None, 400, "takes no 'source'"),
        ("GET", "/v1/history?limit=0", None, 400, "a limit of '0'"),
        ("GET", "/v1/history?limit=1001", None, 400, "a limit of '1001'"),
        ("GET", "/v1/history?limit=-1", None, 400, "a limit of '-1'"),
        ("GET", "/v1/history?limit=%D9%A1", None, 400, "a limit of"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_json_and_reaches_no_operation(
    tmp_path: Path, method: str, target: str, body: bytes | None, status: int, words: str
) -> None:
    operations, changes = Canned(), list[tuple[str, int]]()

    reply = ask(tmp_path, operations, method, target, body, noting(changes))

    assert reply[0] == status
    assert words in error_of(reply)["message"]
    assert error_of(reply)["exit_code"] == 64
    assert operations.asked == []
    assert changes == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("no address", "like 192.0.2.1"), 400),
        (NoSuchSourceError("no source is called tor"), 404),
        (AlreadyRunningError("another is at it"), 409),
        (StaleGenerationError("the ruleset moved"), 409),
        (FirewallError("EPERM"), 500),
        (LedgerError("disk full"), 500),
        (BanlistdError("anything"), 500),
    ],
)
def test_error_arrives_with_kind_message_and_exit_code(tmp_path: Path, error: BanlistdError, status: int) -> None:
    reply = ask(tmp_path, Canned(status=error), "GET", "/v1/status")

    assert reply[0] == status == status_of(type(error))
    assert error_of(reply) == {
        "kind": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }


def test_a_refused_configuration_arrives_with_all_its_problems(tmp_path: Path) -> None:
    error = ConfigError("configuration has NOT been changed", problems=("a.yaml:1: every: no duration", "b.yaml:2: x"))

    reply = ask(tmp_path, Canned(reload=error), "POST", "/v1/reload")

    assert reply[0] == 422
    assert error_of(reply)["problems"] == ["a.yaml:1: every: no duration", "b.yaml:2: x"]


def test_unexpected_fault_is_logged_and_the_socket_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def ask_twice(path: Path) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
            async with session.get("http://localhost/v1/status") as response:
                assert response.status == 500
            async with session.get("http://localhost/v1/timers") as response:
                assert response.status == 200

    async def run() -> None:
        async with serve(Canned(status={"no JSON": b"bytes"}), tmp_path / "control.sock"):
            await ask_twice(tmp_path / "control.sock")

    with caplog.at_level(logging.ERROR, logger="aiohttp.server"):
        asyncio.run(run())

    assert "TypeError" in caplog.text


def test_orders_are_noted_with_the_uid_of_who_gave_them_and_questions_are_not(tmp_path: Path) -> None:
    changes: list[tuple[str, int]] = []

    note = noting(changes)
    ask(tmp_path, Canned(), "POST", "/v1/refresh", b'{"sources": ["tor", "feodo"]}', note)
    ask(tmp_path, Canned(reload=ConfigError("wrong")), "POST", "/v1/reload", None, note)
    ask(tmp_path, Canned(), "POST", "/v1/ban", b'{"address": "192.0.2.1", "for": "1h"}', note)
    ask(tmp_path, Canned(), "GET", "/v1/status", None, note)

    assert [words for words, _ in changes] == ["refresh tor feodo", "reload", "ban 192.0.2.1"]
    assert {uid for _, uid in changes} == {os.getuid()}


def test_peer_outside_the_group_is_refused(
    tmp_path: Path,
) -> None:
    need_another_user()
    changes: list[tuple[str, int]] = []
    replies: list[bytes] = []

    def knock(path: Path) -> None:
        path.chmod(0o666)
        replies.extend(ask_as_nobody(path, groups) for groups in ([], [path.lstat().st_gid]))

    async def run() -> None:
        async with serve(Canned(), tmp_path / "control.sock", noting(changes)):
            await asyncio.to_thread(knock, tmp_path / "control.sock")

    open_to_all(tmp_path)
    asyncio.run(run())

    assert b" 403 " in replies[0]
    assert b"user 65534 may not speak" in replies[0]
    assert b" 200 " in replies[1]
    assert [words for words, _ in changes] == ["reload"]


def noting(changes: list[tuple[str, int]]) -> OnChange:
    async def note(words: str, uid: int) -> None:
        changes.append((words, uid))

    return note


def open_to_all(folder: Path) -> None:
    for place in (folder, *folder.parents):
        if place.stat().st_uid == os.getuid() and place.name.startswith(("pytest-", "popen-", "test_")):
            place.chmod(0o755)


def ask_as_nobody(path: Path, groups: Sequence[int]) -> bytes:
    """The raw answer to an order of user 65534, from a process of its own."""
    program = (
        "import os, socket, sys; asker = socket.socket(socket.AF_UNIX); os.setgroups([int(word) for word in sys.argv[2:]]);"
        "os.setgid(65534); os.setuid(65534); asker.connect(sys.argv[1]);"
        "asker.sendall(b'POST /v1/reload HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n');"
        "sys.stdout.buffer.write(b''.join(iter(lambda: asker.recv(4096), b'')))"
    )
    command = [sys.executable, "-c", program, str(path), *map(str, groups)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return bytes(done.stdout)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_the_socket_is_for_owner_and_group_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    modes: list[int] = []

    async def look(path: Path) -> None:
        modes.append(mode_of(path))

    before = os.umask(umask)
    try:
        serving(tmp_path, look)
    finally:
        os.umask(before)

    assert modes == [0o660]


def test_the_socket_file_is_gone_afterwards_also_after_a_failure(tmp_path: Path) -> None:
    async def fail(_: Path) -> None:
        raise UsageError("something else went wrong")

    with pytest.raises(UsageError):
        serving(tmp_path, fail)

    assert list(tmp_path.iterdir()) == []


def test_dead_socket_file_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "control.sock"))

    assert ask(tmp_path, Canned(), "GET", "/v1/timers")[0] == 200


def test_a_second_daemon_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    async def start_another(path: Path) -> None:
        with pytest.raises(AlreadyRunningError, match="another banlistd answers"):
            async with serve(Canned(), path):
                pass
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
            session.get("http://localhost/v1/status") as response,
        ):
            assert response.status == 200

    assert serving(tmp_path, start_another).asked == [("status",)]


def test_a_daemon_too_busy_to_accept_counts_as_running(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))
        with pytest.raises(AlreadyRunningError):
            ask(tmp_path, Canned(), "GET", "/v1/status")

    assert path.is_socket()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_is_never_removed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "control.sock"
    if kind == "link":
        path.symlink_to("elsewhere")
    elif kind == "folder":
        path.mkdir()
    else:
        path.touch()

    with pytest.raises(ControlSocketError, match="is not a socket, so it stays"):
        ask(tmp_path, Canned(), "GET", "/v1/status")

    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("folder", ["absent", "long" * 30])
def test_place_unfit_for_a_socket_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / ("long" * 30)).mkdir()

    with pytest.raises(ControlSocketError, match="cannot create the control socket"):
        ask(tmp_path / folder, Canned(), "GET", "/v1/status")


def test_a_socket_that_another_daemon_has_put_in_place_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as other:

        async def replace(_: Path) -> None:
            other.bind(str(tmp_path / "new.sock"))
            (tmp_path / "new.sock").rename(path)

        serving(tmp_path, replace)

    assert path.is_socket()


def test_noise_instead_of_http_is_harmless(tmp_path: Path) -> None:
    async def make_noise(path: Path) -> None:
        for noise in (b"\x00\xff\x16\x03\r\n\r\n", b"GET /v1/status HTTP/1.1\r\n", b"GET /" + b"a" * 20_000):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(noise)
            writer.write_eof()
            await reader.read()
            writer.close()
            await writer.wait_closed()
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
            session.get("http://localhost/v1/status") as response,
        ):
            assert response.status == 200

    assert serving(tmp_path, make_noise).asked == [("status",)]


def test_a_refresh_that_hangs_does_not_keep_the_daemon_from_stopping(tmp_path: Path) -> None:
    operations = Canned(refresh=FOREVER)
    path = tmp_path / "control.sock"

    async def run() -> None:
        async with serve(operations, path):
            _, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await asyncio.to_thread(operations.begun.wait, 10)
        writer.close()

    asyncio.run(asyncio.wait_for(run(), 20))

    assert not path.exists()


def test_an_operator_who_hangs_up_does_not_cut_a_refresh_short(tmp_path: Path) -> None:
    finished = threading.Event()

    class Slow(Canned):
        def __init__(self) -> None:
            super().__init__()
            self.go_on = asyncio.Event()

        async def __call__(self, command: Command[Any, Any], order: Any) -> Any:
            self.begun.set()
            await self.go_on.wait()
            finished.set()
            return []

    async def run() -> None:
        operations, path = Slow(), tmp_path / "control.sock"
        async with serve(operations, path):
            _, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"POST /v1/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await asyncio.to_thread(operations.begun.wait, 10)
            writer.close()
            await writer.wait_closed()
            operations.go_on.set()
            assert await asyncio.to_thread(finished.wait, 10)

    asyncio.run(run())
