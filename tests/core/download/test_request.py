from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.config.model import Source
from banlistd.core.download.request import Request, request_for
from banlistd.model import SourceId, Validators


def request(url: str = "https://feed.example/list", **settings: Any) -> Request:
    source = Source(id=SourceId("a-list"), url=url, **settings)
    return request_for(source, Validators('"tag"'), {"key": "hush"}, "banlistd/1")


OURS = {"User-Agent": "banlistd/1", "Accept-Encoding": "gzip, deflate", "If-None-Match": '"tag"'}


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
