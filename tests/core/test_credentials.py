import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.credentials import (
    conceal,
    credential_names,
    fill,
    fill_url,
    is_credential_name,
    may_contain_secret,
    shown_url,
)
from banlistd.core.printing import quoted


def test_the_names_that_a_text_asks_for_are_found() -> None:
    assert credential_names("a ${credential:one}${credential:../two} $credential:three") == ("one", "../two")


@pytest.mark.parametrize("name", ["key", "spamhaus.api-key_2"])
def test_a_plain_file_name_is_a_name(name: str) -> None:
    assert is_credential_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "a\n", "é", "a" * 256])
def test_anything_else_is_no_name(name: str) -> None:
    assert not is_credential_name(name)


def test_secret_is_plain_in_a_header_and_encoded_in_a_url() -> None:
    secrets = {"key": "a b&c/d@e"}
    assert fill("Bearer ${credential:key}", secrets) == "Bearer a b&c/d@e"
    assert fill_url("https://h/?k=${credential:key}&z", secrets) == "https://h/?k=a%20b%26c%2Fd%40e&z"


def test_a_secret_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    assert fill("${credential:a}", {"a": "${credential:b}", "b": "hush"}) == "${credential:b}"


def test_a_secret_is_concealed_in_every_form() -> None:
    assert conceal("x a b/c x a%20b%2Fc x a%20b/c", ["a b/c"]) == "x *** x *** x ***"
    assert conceal("x S3Cret-Key x A%20B%2fc", ["s3crET-kEY", "a b/c"]) == "x *** x ***"
    assert conceal("nothing", [""]) == "nothing"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:hush@feed.example:444/list?key=hush#hush", "https://feed.example:444/list"),
        ("http://[::1]/list", "http://[::1]/list"),
        ("http://user:hush@[::1/list?hush", "[::1/list"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_foreign_text_is_escaped_and_cut() -> None:
    assert quoted("a\x1b[31m\n\u202eb\ud800") == "a\\x1b[31m\\n\\u202eb\\ud800"
    assert quoted("x" * 200) == "x" * 200
    assert quoted("x" * 201) == "x" * 200 + "..."
    assert len(quoted("\n" * 10_000)) == 203


@given(st.from_regex(r"[A-Za-z0-9/+.=:%]{8,300}", fullmatch=True), st.integers(0, 250))
def test_a_quote_that_is_cut_shows_no_recognisable_part_of_a_secret(secret: str, before: int) -> None:
    text = conceal(quoted("-" * before + secret) + " (and more)", [secret])
    assert secret[:4] not in text


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://feed.example/list.txt", False),
        ("https://feed.example/list?key=abc", True),
        ("https://user@feed.example/list", True),
        ("https://feed.example/${credential:key}/list", True),
    ],
)
def test_a_url_with_a_login_a_query_or_a_credential_may_contain_a_secret(url: str, may: bool) -> None:
    assert may_contain_secret(url) is may
