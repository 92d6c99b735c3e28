"""Plain GET of HTTP/1.1 over one connection, from servers that say what they like, on real sockets."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import urllib3

from banlistd.trust.connection import Authorities, BrokenAnswerError, Connection
from support.certificates import self_signed
from support.mirror import mirror_of
from support.processor_time import processor_seconds
from support.trickling import trickling

OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Length: 4\r\n\r\nfour"


class Scripted:
    """A server on loopback. `connections`: what it answers on each, request for request; then it ends the connection."""

    def __init__(self, connections: Sequence[Sequence[bytes]]) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/fleet"
        self.requests: list[list[bytes]] = []
        self._thread = threading.Thread(target=self._serve, args=(connections,))
        self._thread.start()

    def _serve(self, connections: Sequence[Sequence[bytes]]) -> None:
        for answers in connections:
            connection, _ = self._listening.accept()
            self.requests.append([])
            with connection, connection.makefile("rb") as incoming:
                for answer in answers:
                    request = b"".join(iter(incoming.readline, b"\r\n"))
                    self.requests[-1].append(request)
                    connection.sendall(answer)

    def end(self) -> None:
        self._thread.join()
        self._listening.close()


@contextmanager
def answering(*connections: Sequence[bytes]) -> Iterator[tuple[Scripted, Connection]]:
    """All that is scripted must have been asked for."""
    server = Scripted(connections)
    with connected(server.url) as connection:
        yield server, connection
    server.end()


def connected(url: str, authority: Path | None = None) -> "closing[Connection]":
    return closing(Connection(url, "test/1", Authorities(str(authority) if authority else None)))


def got(connection: Connection, path: str = "a", seconds: float = 20.0) -> tuple[int, bytes]:
    status = connection.ask(path, time.monotonic() + seconds)
    return status, b"".join(connection.pieces())


def test_a_request_says_what_is_wanted_and_no_more() -> None:
    with answering([WHOLE]) as (server, connection):
        got(connection, "targets/drop/a b\r\nX: y.blz")
    port = server.url.removesuffix("/fleet").rpartition("//")[2]
    assert server.requests == [
        [
            f"GET /fleet/targets/drop/a%20b%0D%0AX:%20y.blz HTTP/1.1\r\nHost: {port}\r\nUser-Agent: test/1\r\n".encode()
            + b"Accept-Encoding: identity\r\n"
        ]
    ]


ANSWERS = {
    "a length": WHOLE,
    "chunks": OK + b"Transfer-Encoding: Chunked\r\n\r\n1\r\nf\r\n003;x=y\r\nour\r\n0\r\nX: y\r\n\r\n",
    "an interim answer": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + WHOLE,
    "a length twice": OK + b"content-length: 4\r\nContent-Length:4 \r\n\r\nfour",
    "a field of two lines": OK + b"X: a\r\n Content-Length-Of: 9\r\nContent-Length: 4\r\n\r\nfour",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_connection_is_kept_whatever_says_where_an_answer_ends(answer: bytes) -> None:
    with answering([answer, answer]) as (_, connection):
        assert [got(connection), got(connection)] == [(200, b"four")] * 2


ENDING = {
    "no length": OK + b"\r\nfour",
    "the server says so": OK + b"Connection: Close\r\nContent-Length: 4\r\n\r\nfour",
    "an old server": b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfour",
}


@pytest.mark.parametrize("answer", ENDING.values(), ids=ENDING)
def test_a_connection_ends_with_an_answer_where_it_must(answer: bytes) -> None:
    with answering([answer], [answer]) as (_, connection):
        assert [got(connection), got(connection)] == [(200, b"four")] * 2


def test_a_server_that_has_ended_a_connection_meanwhile_is_asked_once_more() -> None:
    with answering([WHOLE], [WHOLE]) as (_, connection):
        assert [got(connection), got(connection)] == [(200, b"four")] * 2


def test_an_answer_that_was_not_read_to_its_end_is_not_taken_for_the_next_one() -> None:
    long = OK + b"Content-Length: 9\r\n\r\nHTTP/1.1 "
    with answering([long], [WHOLE]) as (_, connection):
        connection.ask("a", time.monotonic() + 20)
        assert got(connection) == (200, b"four")


@pytest.mark.parametrize("length", [b"Content-Length: 3\r\n\r\nnot", b"Content-Length: 0\r\n\r\n"])
def test_a_short_page_of_a_file_that_is_not_there_is_passed_over(length: bytes) -> None:
    with answering([b"HTTP/1.1 404 Not Found\r\n" + length, WHOLE]) as (_, connection):
        assert connection.ask("a", time.monotonic() + 20) == 404
        connection.skip(3)
        assert got(connection) == (200, b"four")


def test_a_long_page_of_a_file_that_is_not_there_is_not_read() -> None:
    with answering([b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"], [WHOLE]) as (_, connection):
        assert connection.ask("a", time.monotonic() + 20) == 404
        connection.skip(3)
        assert got(connection) == (200, b"four")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_that_has_no_body_has_none_whatever_its_length_says(status: bytes) -> None:
    empty = b"HTTP/1.1 " + status + b"\r\nContent-Length: 4\r\n\r\n"
    with answering([empty, WHOLE]) as (_, connection):
        assert got(connection) == (int(status[:3]), b"")
        assert got(connection) == (200, b"four")


WRONG = {
    "nothing": b"",
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\n\r\n",
    "no end of the header": OK + b"X: y\r\n",
    "too long a header": OK + b"X: " + bytes(1 << 16),
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
    "two lengths": OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nfour",
    "a length that is none": OK + b"Content-Length: -4\r\n\r\nfour",
    "a length and chunks": OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "less than it says": OK + b"Content-Length: 5\r\n\r\nfour",
    "a chunk without a length": OK + b"Transfer-Encoding: chunked\r\n\r\nfour\r\n",
    "a chunk that is too long": OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nfour\r\n0\r\n\r\n",
    "chunks without an end": OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
    "fields without end": OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 1000,
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
def test_an_answer_that_is_not_whole_is_a_fault(answer: bytes) -> None:
    with answering([answer]) as (_, connection), pytest.raises((BrokenAnswerError, ConnectionError)):
        got(connection)


@pytest.mark.parametrize("at_once", [b"", OK + b"X: ", OK + b"Content-Length: 9000\r\n\r\n"])
def test_an_octet_now_and_then_does_not_make_the_time_longer(at_once: bytes) -> None:
    with trickling(at_once) as url, connected(url) as connection, pytest.raises(TimeoutError):
        got(connection, seconds=0.2)


def test_a_server_that_does_not_shake_hands_takes_no_more_than_its_time(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "mirror")
    with ExitStack() as stack:
        url = stack.enter_context(trickling(b"")).replace("http:", "https:")
        connection = stack.enter_context(connected(url, certificate))
        stack.enter_context(pytest.raises(TimeoutError))
        got(connection, seconds=0.2)


def test_time_that_is_over_before_a_request_asks_nothing(tmp_path: Path) -> None:
    with mirror_of(tmp_path) as mirror, connected(mirror.url) as connection:
        with pytest.raises(TimeoutError):
            got(connection, seconds=-1.0)
        assert not mirror.asked


def test_a_certificate_counts_for_its_names_alone(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "localhost", "IP:127.0.0.2")
    with ExitStack() as stack:
        connection = stack.enter_context(connected(stack.enter_context(mirror_of(tmp_path, certificate)).url, certificate))
        stack.enter_context(pytest.raises(OSError, match="mismatch"))
        got(connection)
    (tmp_path / "a").write_bytes(b"four")
    with mirror_of(tmp_path, certificate, "127.0.0.2") as mirror, connected(mirror.url, certificate) as connection:
        assert [got(connection), got(connection)] == [(200, b"four")] * 2


def test_a_mirror_with_an_address_of_ipv6_is_asked_by_it() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listening:
        port = listening.getsockname()[1]
        with connected(f"http://[::1]:{port}") as connection:
            assert connection._fields.startswith(f"HTTP/1.1\r\nHost: [::1]:{port}\r\n")


def test_a_request_takes_less_of_the_processor_than_a_client_for_all_of_http(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"four")
    with mirror_of(tmp_path) as mirror, connected(mirror.url) as connection, urllib3.PoolManager() as others:
        pool = others.connection_from_url(mirror.url)

        def with_another() -> None:
            for _ in range(200):
                assert pool.request("GET", "/a", retries=False).data == b"four"

        def with_ours() -> None:
            for _ in range(200):
                assert got(connection) == (200, b"four")

        ratio = processor_seconds(with_ours) / processor_seconds(with_another)
    assert ratio < 0.6
