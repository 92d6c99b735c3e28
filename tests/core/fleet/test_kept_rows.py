"""Which metadata of a fleet a node keeps."""

import pytest

from banlistd.core.fleet.kept_rows import LARGEST_LIST_ROLE, LARGEST_ROLE, MOST_TRUST_OCTETS, rows_to_keep


def test_roots_top_roles_and_the_roles_of_lists_are_kept() -> None:
    rows = {f"{name}.json": b"x" for name in ("timestamp", "snapshot", "targets", "hub", "drop")}
    rows["root_history/12.root.json"] = b"x"
    assert rows_to_keep({**rows, "junk.json": b"x"}, ["drop"]) == rows


@pytest.mark.parametrize("name", ["/etc/x.json", "../drop.json", "drop", "root.json", "root_history/../1.root.json"])
def test_no_other_name_is_kept(name: str) -> None:
    assert not rows_to_keep({name: b"x"}, ["drop", "root"])


def test_what_is_too_large_is_not_kept() -> None:
    assert not rows_to_keep({"hub.json": bytes(LARGEST_ROLE + 1), "drop.json": bytes(LARGEST_LIST_ROLE + 1)}, ["drop"])


def test_no_more_than_fits_into_an_order_is_kept_and_the_top_roles_first() -> None:
    names = [f"list-{number}" for number in range(100)]
    rows = {f"{name}.json": bytes(LARGEST_LIST_ROLE) for name in names}
    rows |= {f"{role}.json": bytes(LARGEST_ROLE) for role in ("timestamp", "snapshot", "targets", "hub")}
    kept = rows_to_keep(rows, names)
    assert {"hub.json", "snapshot.json", "list-0.json"} <= kept.keys() < rows.keys()
    assert sum(map(len, kept.values())) <= MOST_TRUST_OCTETS
