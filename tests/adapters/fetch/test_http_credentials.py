import asyncio
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from banlistd.core.config.model import Source
from banlistd.errors import FetchError, ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import SourceId, Validators
from support.feed_server import FeedServer, redirect
from support.in_process_parser import ONE_TRY, downloads, ignored


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FeedServer]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with FeedServer() as running:
        running.serve("/list", b"192.0.2.1")
        yield running


def fetch(url: str, credentials: Path | None, **headers: str) -> None:
    source = Source(id=SourceId("a-list"), url=url, headers=headers, timeout=10.0)
    asyncio.run(downloads("1", credentials, retry=ONE_TRY).fetch(source, Validators(), ignored))


def test_credentials_are_put_into_url_and_headers(server: FeedServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3 cret/&\n")
    fetch(server.url("/list?key=${credential:key}"), tmp_path, Authorization="Bearer ${credential:key}")
    assert server.requests[0].target.startswith("/list?key=s3%20cret") or "s3+cret" in server.requests[0].target
    assert server.requests[0].headers["authorization"] == "Bearer s3 cret/&"


def test_a_credential_cannot_lead_to_another_host_or_parameter(server: FeedServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x@192.0.2.1/?a=b&c=d#e")
    fetch(server.url("/list?key=${credential:key}&z=1"), tmp_path)
    assert server.requests[0].target.endswith("&z=1")
    assert server.requests[0].target.count("&") == 1


@pytest.mark.parametrize("name", ["../key", "a/b", "", ".", "..", "a b", "a\nb"])
def test_a_name_that_is_no_plain_file_name_is_never_opened(tmp_path: Path, name: str) -> None:
    # The configuration refuses such a name; a source made without it must not get further here either.
    url = f"http://127.0.0.1:1/${{credential:{name}}}"
    source = Source(id=SourceId("a-list"), url=url, headers={}, timeout=10.0)
    with pytest.raises(FetchError, match="no name of a credential"):
        asyncio.run(downloads("1", tmp_path).fetch(source, Validators(), ignored))


def test_a_credential_may_come_out_of_a_folder_of_them(server: FeedServer, tmp_path: Path) -> None:
    (tmp_path / "banlistd_key").write_text("s3cret\n")
    fetch(server.url("/list"), tmp_path, Authorization="${credential:key}")
    assert server.requests[0].headers["authorization"] == "s3cret"


@pytest.mark.parametrize("has_folder", [True, False])
def test_missing_credential_names_a_next_step(server: FeedServer, tmp_path: Path, has_folder: bool) -> None:
    with pytest.raises(FetchError, match="LoadCredential=key:") as caught:
        fetch(server.url("/list"), tmp_path if has_folder else None, Authorization="${credential:key}")
    assert "key" in caught.value.message


def test_a_credential_with_a_line_break_inside_is_refused(server: FeedServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a\r\nHost: b")
    with pytest.raises(FetchError, match="no header may have"):
        fetch(server.url("/list"), tmp_path, Authorization="${credential:key}")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 70_000], ids=["binary", "large"])
def test_a_credential_that_is_no_text_is_refused_unseen(server: FeedServer, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(FetchError, match="the credential key is"):
        fetch(server.url("/list"), tmp_path, Authorization="${credential:key}")


@pytest.mark.parametrize("path", ["/hush/list", "/away"])
def test_no_message_or_traceback_contains_a_secret(server: FeedServer, tmp_path: Path, path: str) -> None:
    (tmp_path / "key").write_text("hush")
    server.behave("/away", redirect("ftp://elsewhere/hush/list"))
    server.behave("/hush/list", redirect("http://127.0.0.1:1/hush/list"))
    url = server.url(path.replace("hush", "${credential:key}"))
    with pytest.raises(FetchError) as caught:
        fetch(url, tmp_path, Authorization="${credential:key}")
    assert "***" in caught.value.message
    assert "hush" not in "".join(traceback.format_exception_only(caught.value)) + repr(caught.value.__cause__)


ECHOES = {
    "no list at all": (b"error: key S3CR3T-TOKEN-42 has expired\n", Format(FormatType.JSON)),
    "another header": (b"S3CR3T-TOKEN-42,b\n192.0.2.1,c\n", Format(FormatType.CSV, columns=("address",))),
}


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("value", ["Bearer ${credential:key}", "S3CR3T-TOKEN-42"], ids=["credential", "typed in clear"])
def test_no_error_of_the_parser_quotes_a_list_that_echoes_a_secret(
    server: FeedServer, tmp_path: Path, echo: str, value: str
) -> None:
    (tmp_path / "key").write_text("S3CR3T-TOKEN-42\n")
    content, form = ECHOES[echo]
    server.serve("/echo", content)
    source = Source(id=SourceId("a"), url=server.url("/echo"), headers={"X-Key": value}, format=form, timeout=10.0)
    with pytest.raises(ParseError) as caught:
        asyncio.run(downloads("1", tmp_path, retry=ONE_TRY).fetch(source, Validators(), ignored))
    assert "S3CR3T" not in "".join(traceback.format_exception(caught.value))
    assert "may echo a secret" in caught.value.hint


@pytest.mark.parametrize(
    "location", ["ftp://evil/{}", "ftp://evil/{}/" + "x" * 300, "ftp://evil/" + "x" * 180 + "{}", "//{}:1/"]
)
def test_a_redirect_does_not_carry_a_header_typed_in_clear_into_a_message(server: FeedServer, location: str) -> None:
    server.behave("/list", redirect(location.format("S3CR3T-TOKEN-42")))
    source = Source(id=SourceId("a"), url=server.url("/list"), headers={"X-Key": "S3CR3T-TOKEN-42"}, timeout=10.0)
    with pytest.raises(FetchError) as caught:
        asyncio.run(downloads("1", retry=ONE_TRY).fetch(source, Validators(), ignored))
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value)).lower()
    assert "***" in caught.value.message
