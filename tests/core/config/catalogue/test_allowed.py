"""References of the catalogue in the allowlist."""

import pytest

from banlistd.adapters.system.config_file import load_catalogue
from banlistd.core.config.catalogue.terms import Purpose
from banlistd.core.feeds.critical import CRITICAL
from support.written_config import problems_of, read


def test_a_reference_is_every_address_that_it_has() -> None:
    config = read("allow:\n- {use: reference, until: 2030-01-01}\n- 203.0.113.9")
    assert [(str(one.first), str(one.last), one.comment, one.use) for one in config.allow] == [
        ("192.0.2.0", "192.0.2.127", "reference", "reference"),
        ("2001:db8::1", "2001:db8::1", "reference", "reference"),
        ("203.0.113.9", "203.0.113.9", "", None),
    ]
    assert [one.in_force(2e9) for one in config.allow] == [False, False, True]


def test_a_reference_may_have_a_comment() -> None:
    assert {one.comment for one in read("allow: [{use: reference, comment: ours}]").allow} == {"ours"}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{use: referense}", '[0].use: "referense" is not in the catalogue (did you mean reference?)'),
        ("{use: zzz}", '[0].use: "zzz" is not in the catalogue (banlistctl catalogue --purpose allow lists the names)'),
        ("{use: known}", "[0].use: known is a list to ban (delete it here)"),
        (
            "{use: page}",
            "[0].use: page is no list that can be read (write the addresses that you need, from https://lists.example/page)",
        ),
        ("{use: changing, until: 2030-01-01}", "[0].use: changing is a list that is polled, and has no end (delete until)"),
        ("{comment: c}", "[0]: has neither address nor use (write {address: 192.0.2.0/24}, or {use: root-servers})"),
        ("{address: 192.0.2.1, use: reference}", "[0]: has address and use (write two entries)"),
    ],
)
def test_what_is_no_reference_is_refused(entry: str, problem: str) -> None:
    assert problems_of(f"allow: [{entry}]") == [f"banlistd.yaml:1: allow{problem}"]


@pytest.mark.parametrize(
    "name", [name for name, entry in load_catalogue().items() if entry.purpose is Purpose.ALLOW and entry.addresses]
)
def test_a_shipped_reference_has_both_families(name: str) -> None:
    assert {first.version for first, _ in load_catalogue()[name].addresses} == {4, 6}


def test_the_references_have_every_address_that_no_list_may_ban() -> None:
    catalogue = load_catalogue()
    found = {str(first) for name in ("root-servers", "public-resolvers") for first, _ in catalogue[name].addresses}
    assert found == CRITICAL.keys()
