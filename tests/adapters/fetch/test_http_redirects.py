import asyncio
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from banlistd.adapters.fetch.connections import Listeners
from banlistd.core.config.model import Source
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError
from banlistd.model import NotModified, SourceId, Validators
from support.certificates import self_signed, server_context
from support.feed_server import FeedServer, redirect, status
from support.in_process_parser import ONE_TRY, body_of, downloads, ignored

LIST = b"192.0.2.1\n"


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


@pytest.fixture
def other() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


class Names(AbstractResolver):
    """A name server of our own; each look-up of a name gives its next address, the last one for ever."""

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        left = self.addresses[host.removesuffix(".test")]
        address = left.pop(0) if len(left) > 1 else left[0]
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None: ...


def fetch(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    credentials: Path | None = None,
    names: Names | None = None,
    tls: ssl.SSLContext | None = None,
    public_only: bool = False,
) -> Download | NotModified:
    source = Source(id=SourceId("a-list"), url=url, headers=dict(headers or {}), timeout=10.0, public_only=public_only)
    fetcher = downloads("1", credentials, retry=ONE_TRY, resolver=names, tls=tls)
    return asyncio.run(fetcher.fetch(source, Validators(), ignored))


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(server: FeedServer, code: int) -> None:
    server.behave("/old/list", redirect("../new", code))
    server.serve("/new", LIST)
    assert body_of(fetch(server.url("/old/list"))) == LIST


def test_five_redirects_are_followed_and_six_are_not(server: FeedServer) -> None:
    for number in range(6):
        server.behave(f"/{number}", redirect(f"/{number + 1}"))
    server.serve("/6", LIST)
    assert body_of(fetch(server.url("/1"))) == LIST
    with pytest.raises(FetchError, match="more than 5 times"):
        fetch(server.url("/0"))


def test_a_loop_of_redirects_ends(server: FeedServer) -> None:
    server.behave("/list", redirect("/list"))
    with pytest.raises(FetchError, match="more than 5 times"):
        fetch(server.url("/list"))


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("file:///etc/passwd", "neither http nor https"),
        ("ftp://192.0.2.1/list", "neither http nor https"),
        ("data:text/plain,192.0.2.1", "neither http nor https"),
        ("http://[::1", "no URL"),
        ("http://127.0.0.1:99999/", "no URL"),
        ("http://169.254.169.254/latest/meta-data/", "inside of the network"),
        ("http://[::ffff:169.254.169.254]/", "inside of the network"),
        ("http://[fe80::1]/", "inside of the network"),
        ("http://2852039166/", "odd form"),
        ("http://0xa9fea9fe/", "odd form"),
        ("http://169.254.43518/", "odd form"),
        ("//169.254.169.254/", "inside of the network"),
        ("http://feed@169.254.169.254/", "inside of the network"),
        ("http://169\u3002254\u3002169\u3002254/", "inside of the network"),
        ("http://169\uff0e254\uff0e169\uff0e254/", "inside of the network"),
        ("http://169\u3002254\u3002169\u300225\u2463/", "inside of the network"),
        ("http://\u2460\u2465\u2468.254.169.254/", "odd form"),
        ("http://169.254.169.%32%35%34/", "cannot be used|could not be made|cannot be resolved"),
        ("http:\\\\169.254.169.254\\", "404 Not Found"),  # a path of the same server
    ],
)
def test_a_redirect_to_where_no_list_can_be_is_refused(server: FeedServer, location: str, reason: str) -> None:
    server.behave("/list", redirect(location.encode().decode("latin-1")))
    with pytest.raises(FetchError, match=reason):
        fetch(server.url("/list"))


@pytest.mark.parametrize("location", ["/\xff\xfe", "http://\xff\xfe/", "http://a b/", "http://x..y/", "/\x01"])
def test_a_location_in_odd_bytes_ends_in_a_plain_refusal(server: FeedServer, location: str) -> None:
    server.behave("/list", redirect(location))
    with pytest.raises(FetchError) as caught:
        fetch(server.url("/list"))
    assert caught.value.message.isprintable()


def test_a_redirect_without_a_location_is_an_odd_answer(server: FeedServer) -> None:
    server.behave("/list", status(302))
    with pytest.raises(FetchError, match="302 Found"):
        fetch(server.url("/list"))


def test_a_redirect_by_name_to_the_metadata_address_is_refused(server: FeedServer) -> None:
    server.behave("/list", redirect(server.url("/", "meta.test")))
    with pytest.raises(FetchError, match="inside of the network"):
        fetch(server.url("/list", "feed.test"), names=Names(feed=["127.0.0.1"], meta=["169.254.169.254"]))


def test_a_name_that_changes_its_address_between_hops_is_refused(server: FeedServer) -> None:
    server.behave("/list", redirect("/again"))
    server.serve("/again", LIST)
    with pytest.raises(FetchError, match="inside of the network"):
        fetch(server.url("/list", "feed.test"), names=Names(feed=["127.0.0.1", "169.254.169.254"]))


def test_a_name_that_is_the_metadata_address_is_refused_at_the_first_hop(server: FeedServer) -> None:
    with pytest.raises(FetchError, match="cloud metadata address"):
        fetch(server.url("/list", "feed.test"), names=Names(feed=["169.254.169.254"]))


def test_a_source_that_is_public_only_is_not_fetched_from_a_private_address(server: FeedServer) -> None:
    for host in ("feed.test", "127.0.0.1"):
        with pytest.raises(FetchError, match="not a public address"):
            fetch(server.url("/list", host), names=Names(feed=["127.0.0.1"]), public_only=True)
    assert not server.requests


def test_a_source_that_is_public_only_is_not_fetched_through_a_proxy(
    server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(FetchError, match="public_only cannot be checked"):
        fetch("http://feed.test/list", public_only=True)
    assert not server.requests


def test_each_hop_is_resolved_once_so_that_the_address_checked_is_the_address_used(server: FeedServer) -> None:
    server.serve("/list", LIST)
    names = Names(feed=["127.0.0.1", "192.0.2.1"])
    assert body_of(fetch(server.url("/list", "feed.test"), names=names)) == LIST
    assert names.addresses["feed"] == ["192.0.2.1"]


def test_a_mirror_of_the_administrator_may_redirect_within_the_network(server: FeedServer, other: FeedServer) -> None:
    server.behave("/list", redirect(other.url("/list")))
    other.serve("/list", LIST)
    assert body_of(fetch(server.url("/list"))) == LIST


IN_A_NETWORK_OF_ITS_OWN = """
import asyncio
from support.certificates import self_signed, server_context
from support.feed_server import FeedServer, redirect
from support.in_process_parser import ONE_TRY, body_of, downloads, ignored
from banlistd.core.config.model import Source
from banlistd.errors import FetchError
from banlistd.model import Validators

with FeedServer("0.0.0.0") as server:
    server.behave("/inward", redirect(server.url("/list", "127.0.0.1")))
    server.behave("/onward", redirect(server.url("/list", "8.8.4.4")))
    server.serve("/list", b"192.0.2.1")
    for path in ("/onward", "/inward"):
        source = Source(id="a-list", url=server.url(path, "8.8.8.8"), timeout=10.0)
        try:
            print(body_of(asyncio.run(downloads("1").fetch(source, Validators(), ignored))))
        except FetchError as error:
            print(error.message)
    print(server.hits("/list"))
"""


def test_a_public_server_cannot_send_us_to_an_address_that_only_we_reach() -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("no network namespace can be made here")
    addresses = "ip link set lo up && ip addr add 8.8.8.8/32 dev lo && ip addr add 8.8.4.4/32 dev lo"
    result = subprocess.run(
        ["unshare", "-rn", "sh", "-ec", f'{addresses}; exec "$0" -c "$1"', sys.executable, IN_A_NETWORK_OF_ITS_OWN],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    onward, inward, hits = result.stdout.splitlines() or [result.stderr] * 3
    assert onward == "b'192.0.2.1'"
    assert "inside of the network (127.0.0.1)" in inward
    assert hits == "1"


def test_secrets_stay_with_their_origin(server: FeedServer, other: FeedServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hush\n")
    headers = {
        "Authorization": "Bearer abc",
        "Cookie": "a=b",
        "X-Key": "${credential:key}",
        "X-Api-Key": "typed in clear",
        "User-Agent": "token",
    }
    server.behave("/list", redirect("/here"))
    server.behave("/here", redirect(other.url("/there")))
    other.behave("/there", redirect(server.url("/back")))
    server.serve("/back", LIST)
    assert body_of(fetch(server.url("/list"), headers=headers, credentials=tmp_path)) == LIST
    _, here, back = server.requests
    (there,) = other.requests
    assert [here.headers[name] for name in ("authorization", "cookie", "x-key")] == ["Bearer abc", "a=b", "hush"]
    assert here.headers["x-api-key"] == "typed in clear"
    assert here.headers["user-agent"] == "token"
    for request in (there, back):
        assert request.headers.keys() & {"authorization", "cookie", "x-key", "x-api-key"} == set()
        assert request.headers["user-agent"] == "banlistd/1"


def test_a_login_in_the_url_stays_with_its_origin(server: FeedServer, other: FeedServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("p@ss")
    server.behave("/list", redirect(other.url("/there")))
    other.serve("/there", LIST)
    url = server.url("/list", "user:${credential:key}@127.0.0.1")
    assert body_of(fetch(url, credentials=tmp_path)) == LIST
    assert server.requests[0].headers["authorization"] == "Basic dXNlcjpwQHNz"
    assert "authorization" not in other.requests[0].headers


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), "server")


@pytest.fixture
def safe_server(certificate: Path) -> Iterator[FeedServer]:
    with FeedServer(tls=server_context(certificate)) as running:
        yield running


def test_a_redirect_from_https_to_plain_http_is_refused(server: FeedServer, safe_server: FeedServer, certificate: Path) -> None:
    safe_server.serve("/whole", LIST)
    safe_server.behave("/list", redirect(server.url("/list")))
    trusting = ssl.create_default_context(cafile=str(certificate))
    assert body_of(fetch(safe_server.url("/whole"), tls=trusting)) == LIST
    with pytest.raises(FetchError, match="from https to plain http"):
        fetch(safe_server.url("/list"), tls=trusting)
    assert not server.requests


@pytest.mark.parametrize(("code", "moves"), [(301, True), (308, True), (302, False), (307, False)])
def test_an_arrival_says_where_the_list_has_moved_to_for_good(server: FeedServer, code: int, moves: bool) -> None:
    server.behave("/old", redirect("/new", code))
    server.serve("/new", LIST)
    arrivals = []
    fetcher = downloads("1", listeners=Listeners(on_arrival=lambda source, moved_to: arrivals.append((source.id, moved_to))))
    for name in ("old", "new"):
        source = Source(id=SourceId(name), url=server.url(f"/{name}"))
        asyncio.run(fetcher.fetch(source, Validators(), ignored))
    assert arrivals == [("old", server.url("/new") if moves else ""), ("new", "")]


def test_a_redirect_to_nothing_is_no_move(server: FeedServer) -> None:
    server.behave("/old", redirect("/gone", 301))
    server.behave("/gone", status(404))
    arrivals = []
    fetcher = downloads("1", listeners=Listeners(on_arrival=lambda _, moved_to: arrivals.append(moved_to)))
    with pytest.raises(FetchError):
        asyncio.run(fetcher.fetch(Source(id=SourceId("old"), url=server.url("/old")), Validators(), ignored))
    assert arrivals == []
