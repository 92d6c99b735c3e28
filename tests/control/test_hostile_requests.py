"""Requests that only a hand writes: each is answered, reaches no operation, and takes no memory that its sender does not."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from banlistd.control.commands.manual_bans.targets import ManyLines
from banlistd.control.declaration import Command
from banlistd.control.server import MAX_BODY, serve
from banlistd.ctl.client import Question, ask
from ctl.canned import ANSWERS, Canned

REFRESH = b"POST /v1/refresh HTTP/1.1\r\nHost: x\r\n"
BAN = b"POST /v1/ban HTTP/1.1\r\nHost: x\r\n"
BOMB_SIZE = 50_000_000
BOMB = gzip.compress(b"{" + b" " * BOMB_SIZE + b"}")
CHUNK = b"%x\r\n%b\r\n" % (MAX_BODY, b" " * MAX_BODY)


def with_body(body: bytes, fields: bytes = b"") -> bytes:
    return b"%bContent-Length: %d\r\n%b\r\n%b" % (BAN, len(body), fields, body)


def answer_to(folder: Path, text: bytes, operations: Canned) -> bytes:
    """Everything until the daemon closes the connection."""

    async def run() -> bytes:
        async with serve(operations, folder / "control.sock"):
            reader, writer = await asyncio.open_unix_connection(str(folder / "control.sock"))
            writer.write(text.replace(b"Host: x", b"Host: x\r\nConnection: close"))
            answer = await asyncio.wait_for(reader.read(), 60)
            writer.close()
            return answer

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GET /v1/status HTTP/1.1\r\nHost: evil\x1b[31m\r\n\r\n", 400),
        (b"\x1b[2J\x1b]0;x\x07 \xe2\x80\xae / HTTP/1.1\r\n\r\n", 400),
        (b"GET /\x1b[31m\n HTTP/1.1\r\n\r\n", 400),
        (b'GET /v1/status HTTP/1.1\r\nX: a\nevent=service_fault message="forged"\r\n\r\n', 400),
        (
            BAN + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n",
            400,
        ),
        (b"GET /v1/../v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /v1/status%00 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"TRACE /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET /v1/history?source=../../etc HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (with_body(json.dumps({"address": "198.51.100.9", "comment": "a\u202eb\n<4>x"}).encode()), 400),
        (with_body(json.dumps({"address": "198.51.100.9", "comment": "\ud800"}).encode()), 400),
        (with_body(json.dumps({"address": "198.51.100.9", "for": "1\u0661d"}).encode()), 400),
        (with_body(b'{"address":' + b"[" * 31_000 + b"]" * 31_000 + b"}"), 400),
        (with_body(BOMB, b"Content-Encoding: gzip\r\n"), 413),
        (REFRESH + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK * 2 + b"0\r\n\r\n", 413),
        (BAN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (with_body(b"noise", b"Content-Encoding: gzip\r\n"), 400),
    ],
)
def test_it_is_refused_once_and_without_a_control_character(tmp_path: Path, text: bytes, status: int) -> None:
    operations = Canned()

    answer = answer_to(tmp_path, text, operations)

    assert answer.split(b" ")[1] == b"%d" % status
    assert answer.count(b"\r\nContent-Length: ") == 1
    assert not any(octet < 32 and octet not in b"\r\n" for octet in answer)
    assert operations.asked == []


def test_a_bomb_in_a_body_takes_no_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        answer_to(tmp_path, with_body(BOMB, b"Content-Encoding: gzip\r\n"), Canned())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < BOMB_SIZE / 4


def test_a_user_has_one_large_order_at_a_time_and_small_ones_beside_it(tmp_path: Path) -> None:
    path, large = tmp_path / "control.sock", {"address": ["192.0.2.1"] * 10_000}
    begun, go_on = list[str](), asyncio.Event()

    async def answer(command: Command[Any, Any], order: Any) -> object:
        if isinstance(order, ManyLines):
            begun.append(command.name)
            await go_on.wait()
        return ANSWERS[command.name]

    def asked(name: str, fields: Mapping[str, object]) -> asyncio.Future[Any]:
        return asyncio.ensure_future(asyncio.to_thread(ask, str(path), Question("POST", f"/v1/{name}", body=fields)))

    async def run() -> None:
        async with serve(answer, path):
            orders = [asked(name, large) for name in ("ban", "unban", "confirm")]
            for _ in range(20):
                await asked("ban", {"address": "192.0.2.1"})
            assert len(begun) == 1
            go_on.set()
            await asyncio.gather(*orders)
        assert sorted(begun) == ["ban", "confirm", "unban"]

    asyncio.run(run())
