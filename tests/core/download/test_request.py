from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.config.model import Source
from banlistd.core.download.codecs import OFFERED
from banlistd.core.download.request import Request, secret_texts, wishes_for
from banlistd.model import SourceId, Validators


def request(url: str = "https://feed.example/list", **settings: Any) -> Request:
    source = Source(id=SourceId("a-list"), url=url, **settings)
    ((request,),) = wishes_for(source, Validators('"tag"'), {"key": "hush"}, "banlistd/1", [("2026", "11", "28")])
    return request


OURS = {"User-Agent": "banlistd/1", "Accept-Encoding": OFFERED, "If-None-Match": '"tag"'}


@given(st.dictionaries(st.from_regex(r"\A[A-Za-z-]{1,20}\Z"), st.from_regex(r"\A[ -~]{0,20}\Z"), max_size=5))
def test_a_redirect_to_another_origin_loses_every_configured_header(headers: dict[str, str]) -> None:
    first = request(headers=headers)
    assert dict(first.headers).items() >= headers.items()
    assert first.redirected_to("/elsewhere").headers == first.headers
    for location in ("https://evil.example/", "https://feed.example:444/", "//evil.example/list"):
        assert first.redirected_to(location).headers == OURS


@pytest.mark.parametrize(
    "settings",
    [
        {"headers": {"X-Api-Key": "typed in clear"}},
        {"headers": {"x-key": "${credential:key}"}},
        {"headers": {"user-AGENT": "a token"}},
        {"url": "https://user:${credential:key}@feed.example/list"},
    ],
)
def test_a_header_that_was_lost_does_not_come_back_with_the_first_origin(settings: dict[str, Any]) -> None:
    there = request(**settings).redirected_to("https://evil.example/")
    assert there.redirected_to("https://feed.example/list").headers == OURS


def secrets_of(**settings: Any) -> frozenset[str]:
    source = Source(id=SourceId("a-list"), **({"url": "https://feed.example/list"} | settings))
    return secret_texts(source, {"key": "hu"})


def test_a_credential_is_a_secret_however_short() -> None:
    assert secrets_of(headers={"X": "${credential:key}"}) == {"hu"}


def test_a_header_typed_in_clear_is_a_secret_with_its_long_parts() -> None:
    assert secrets_of(headers={"Cookie": "id=0123456789; b=c"}) == {"hu", "id=0123456789; b=c", "0123456789"}


def test_a_login_in_the_url_is_a_secret_in_each_of_its_forms() -> None:
    found = secrets_of(url="https://user:p%40ssword@feed.example/list")
    assert found >= {"user:p%40ssword", "p@ssword", "dXNlcjpwQHNzd29yZA"}


def test_a_request_does_not_show_its_secrets() -> None:
    shown = repr(request("https://feed.example/?k=${credential:key}", headers={"X-Key": "typed in clear"}))
    assert "hush" not in shown
    assert "typed in clear" not in shown


@pytest.mark.parametrize("etag", ['{"a":1}', '{"a":"b"}', "[]", '{"a":' + "[" * 1000])
def test_an_etag_of_a_server_is_never_read(etag: str) -> None:
    source = Source(id=SourceId("a-list"), url="https://feed.example/list")
    ((asked,),) = wishes_for(source, Validators(etag), {}, "banlistd/1", [("2026", "11", "28")])
    assert asked.headers["If-None-Match"] == etag
