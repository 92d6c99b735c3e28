"""Bytes and trees that nobody would write: each is a configuration, or a ConfigError that names its problems."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.config.catalogue.read import read_catalogue
from banlistd.core.config.keys import keys_of
from banlistd.core.config.load import read_config
from banlistd.core.config.model import Config, Source
from banlistd.core.config.problems import Document
from banlistd.core.config.yaml import LARGEST_FILE, MAX_VALUES, parse_document
from banlistd.errors import ConfigError
from support.written_config import CATALOGUE, FOLDER


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: \xff", "f:1: is not UTF-8 (save it as UTF-8)"),
        (b"# a\n\nb: \xc3", "f:3: is not UTF-8 (save it as UTF-8)"),
        (b"#" * (LARGEST_FILE + 1), "f: is larger than 4 MiB (split it into files of sources.d)"),
        ("log:".encode("utf-16"), "f:1: is not UTF-8 (save it as UTF-8)"),
    ],
)
def test_bytes_that_are_no_text_are_refused(content: bytes, problem: str) -> None:
    assert [str(found) for found in parse_document("f", content).problems] == [problem]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    document = parse_document("f", b"\xef\xbb\xbfbackend: ipset\r\nlog:\r\n  format: json\r\n")
    assert document.tree == {"backend": "ipset", "log": {"format": "json"}}
    assert document.lines[("log", "format")] == 3


def test_a_billion_laughs_are_refused_before_they_are_written_out() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (problem,) = parse_document("f", "\n".join(lines).encode()).problems
    assert problem.words == "has too many values"
    assert str(MAX_VALUES) in problem.hint


def test_a_chain_of_aliases_is_no_way_to_nest_deeper() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 5000))]
    (problem,) = parse_document("f", "\n".join(lines).encode()).problems
    assert problem.words == "nests too deep"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_no_depth_of_nesting_exhausts_a_stack(opening: str) -> None:
    (problem,) = parse_document("f", (opening * 200_000).encode()).problems
    assert problem.words == "nests too deep"


WORDS = st.sampled_from(
    [
        *keys_of(Source),
        *keys_of(Config),
        *(
            "use",
            "address",
            "until",
            "type",
            "column",
            "columns",
            "separator",
            "field",
            "known",
            "nftables",
            "plain",
            "csv",
            "json",
        ),
        *("1h", "5s", "no", "yes", "2027-01-01", "192.0.2.0/24", "::1", "https://a/", "${credential:a}", "a"),
    ]
)
SCALARS = st.none() | WORDS | st.text(max_size=8)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=5),
    max_leaves=25,
)
SOURCES = st.dictionaries(st.sampled_from(["use", *keys_of(Source)]), TREES, max_size=6)
CONFIGS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(keys_of(Config), TREES) | {"sources": st.lists(SOURCES | TREES, max_size=3)}
)


def problems_in(read: Callable[[], object]) -> tuple[str, ...]:
    try:
        read()
    except ConfigError as refused:
        return refused.problems or ("an error without a problem\n",)
    return ()


@given(CONFIGS | TREES, TREES | SOURCES)
def test_any_tree_is_a_configuration_or_a_config_error(main: object, more: object) -> None:
    documents = [Document("banlistd.yaml", main), Document("sources.d/a.yaml", more)]
    assert all(problem.isprintable() for problem in problems_in(lambda: read_config(documents, CATALOGUE, FOLDER)))


@given(TREES | st.lists(SOURCES))
def test_any_tree_is_a_catalogue_or_a_config_error(tree: object) -> None:
    assert all(problem.isprintable() for problem in problems_in(lambda: read_catalogue(Document("catalogue.yaml", tree))))


@given(st.binary(max_size=40) | st.text(alphabet="a:- []{}&*!|>'\"%@`\n\t#?,~\x85\u2028é", max_size=40).map(str.encode))
def test_any_bytes_are_a_configuration_or_a_config_error(content: bytes) -> None:
    documents = [parse_document("banlistd.yaml", content)]
    assert all(problem.isprintable() for problem in problems_in(lambda: read_config(documents, CATALOGUE, FOLDER)))
