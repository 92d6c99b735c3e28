import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from banlistd.ctl.client import AnswerError, DaemonError, Question, ask
from banlistd.errors import NotAllowedError, NotRunningError, UsageError
from ctl.canned import ANSWERS, CannedDaemon

STATUS = Question("GET", "/v1/status")


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[None]:
    """A server that reads one request, says `answer` and hangs up."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer_once() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=answer_once)
        thread.start()
        try:
            yield
        finally:
            thread.join()


def http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d Words\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def test_a_question_is_answered_with_the_document(daemon: CannedDaemon) -> None:
    assert ask(str(daemon.socket), STATUS) == ANSWERS["status"]


def test_arguments_arrive_as_they_were_given_whatever_is_in_them(daemon: CannedDaemon) -> None:
    for address in ("2001:db8::1%eth0", "a&b=c?d#e", "ü \r\n", "%00"):
        ask(str(daemon.socket), Question("GET", "/v1/check", {"address": address}))

    assert [asked[1] for asked in daemon.operations.asked] == ["2001:db8::1%eth0", "a&b=c?d#e", "ü \r\n", "%00"]


def test_an_argument_that_is_no_utf8_is_still_sent(daemon: CannedDaemon) -> None:
    ask(str(daemon.socket), Question("GET", "/v1/check", {"address": os.fsdecode(b"\xff")}))

    assert daemon.operations.asked == [("check", "?")]


def test_an_answer_may_come_in_pieces_and_with_fields_of_any_case(tmp_path: Path) -> None:
    body = json.dumps({"text": "x" * 300_000}).encode()
    answer = b"HTTP/1.0 200 OK\r\ncontent-LENGTH:%d\r\nX: a:b\r\n\r\n%b" % (len(body), body)

    with answering(tmp_path / "s", answer):
        assert len(ask(str(tmp_path / "s"), STATUS)["text"]) == 300_000


def test_error_of_the_daemon_keeps_message_and_exit_code(tmp_path: Path) -> None:
    fault = {"kind": "ConfigError", "message": "wrong", "hint": "h", "exit_code": 78, "problems": ["a:1", "b:2"]}
    document = {"error": fault}

    with (
        answering(tmp_path / "s", http(422, json.dumps(document).encode())),
        pytest.raises(DaemonError) as caught,
    ):
        ask(str(tmp_path / "s"), STATUS)

    error = caught.value
    assert (error.message, error.hint, error.code, error.problems) == ("wrong", "h", 78, ("a:1", "b:2"))
    assert error.document == document


@pytest.mark.parametrize(("given", "code"), [(0, 1), (-3, 1), (4096, 255)])
def test_an_error_never_exits_as_a_success(tmp_path: Path, given: int, code: int) -> None:
    body = json.dumps({"error": {"message": "m", "hint": "", "exit_code": given}}).encode()

    with answering(tmp_path / "s", http(500, body)), pytest.raises(DaemonError) as caught:
        ask(str(tmp_path / "s"), STATUS)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"<html>", "not JSON"),
        (200, b"", "not JSON"),
        (200, b"\xff", "not JSON"),
        (200, b"[" * 100_000, "not JSON"),
        (500, b"500 Internal Server Error", "a fault of its own"),
        (404, b"[]", "a form that this tool does not know"),
        (404, b'{"error": "text"}', "a form that this tool does not know"),
        (404, b'{"error": {"message": "m", "hint": "", "exit_code": "x"}}', "a form that this tool does not know"),
    ],
)
def test_malformed_answer_has_its_own_error(tmp_path: Path, status: int, body: bytes, words: str) -> None:
    with answering(tmp_path / "s", http(status, body)), pytest.raises(AnswerError, match=words):
        ask(str(tmp_path / "s"), STATUS)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"noise\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1\r\n\r\n{}",
        b"HTTP/1.1 OK 200\r\n\r\n{}",
        b"SSH-2.0-x 200 OK\r\n\r\n{}",
    ],
)
def test_daemon_that_hangs_up_has_its_own_error(tmp_path: Path, answer: bytes) -> None:
    with answering(tmp_path / "s", answer), pytest.raises(NotRunningError, match="closed the connection"):
        ask(str(tmp_path / "s"), STATUS)


@pytest.mark.parametrize("kind", ["absent", "absent/deeper", "dead", "file", "file/deeper"])
def test_unanswered_socket_means_not_running(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))

    with pytest.raises(NotRunningError, match="is not running") as caught:
        ask(str(tmp_path / kind), STATUS)

    assert "systemctl start banlistd" in caught.value.hint


def test_a_daemon_that_does_not_answer_in_time_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        with pytest.raises(NotRunningError, match="is running, but does not answer"):
            ask(str(tmp_path / "s"), STATUS._replace(timeout=0.01))


def test_a_daemon_with_too_many_callers_is_there_but_does_not_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(str(tmp_path / "s"))
        listener.listen(0)
        waiting.connect(str(tmp_path / "s"))
        with pytest.raises(NotRunningError, match="is running, but does not answer"):
            ask(str(tmp_path / "s"), STATUS)


def test_a_path_that_is_too_long_for_a_socket_is_a_wrong_usage() -> None:
    with pytest.raises(UsageError, match="too long"):
        ask("/" + "x" * 200, STATUS)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may speak to every socket; the program's own test drops root")
def test_inaccessible_socket_has_its_own_error(daemon: CannedDaemon) -> None:
    daemon.socket.chmod(0)

    with pytest.raises(NotAllowedError, match="you may not speak to banlistd"):
        ask(str(daemon.socket), STATUS)
