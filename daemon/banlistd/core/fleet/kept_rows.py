"""Which of the verified metadata of a fleet a node keeps. With a stolen key of a hub, any number of roles can be signed."""

import re
from collections.abc import Collection, Mapping

TOP_ROLES = ("timestamp", "snapshot", "targets", "hub")
"""They count the versions of everything else: a role of a list is only kept so that it is not fetched again."""

LARGEST_ROLE = 1_000_000
"""Octets of a snapshot, of `targets` and of `hub`: a thousand lists with ten hubs need no more."""

LARGEST_LIST_ROLE = 128 * 1024
"""Octets: 17 files need 8 KiB."""

MOST_TRUST_OCTETS = 8 * 2**20
"""Of all that goes to the program that verifies, the roots excepted."""

_ROOT = re.compile(r"root_history/[0-9]{1,9}\.root\.json")
LARGEST_TRUST_ROOT = 512_000
"""Octets, as python-tuf has it."""


def rows_to_keep(rows: Mapping[str, bytes], lists: Collection[str]) -> dict[str, bytes]:
    """The roots, the top roles, and the roles of `lists` that are of a fit size: names are those of python-tuf."""
    kept = {name: octets for name, octets in rows.items() if _ROOT.fullmatch(name) and len(octets) <= LARGEST_TRUST_ROOT}
    left = MOST_TRUST_OCTETS
    for role in (*TOP_ROLES, *sorted(set(lists) - {*TOP_ROLES, "root"})):
        octets = rows.get(f"{role}.json")
        if octets is not None and len(octets) <= min(left, LARGEST_ROLE if role in TOP_ROLES else LARGEST_LIST_ROLE):
            kept[f"{role}.json"] = octets
            left -= len(octets)
    return kept
