"""What `banlistctl fleet` says first."""

from banlistd.control.commands.fleet.fleet import FLEET, FleetAnswer, FleetListRow
from banlistd.control.declaration import PageContext

_MIRRORS: FleetAnswer = {
    "fleet": "main",
    "root_version": 0,
    "root_hash": "",
    "timestamp_version": 0,
    "verified_at": 0.0,
    "expires_at": 0.0,
    "mirror": "",
    "mirrors": [{"url": "https://a.example/fleet", "fault": "", "reason": ""}],
    "lists": [],
    "published": [],
    "fault": "",
    "signatures": [],
}


def first_line(answer: FleetAnswer) -> str:
    return str(FLEET.page(answer, PageContext(1_000_000.0, lambda _: ()))[0])


def test_a_hub_that_only_looks_at_mirrors_waits_for_no_list() -> None:
    assert first_line(_MIRRORS) == "fleet main: this machine takes no list of it"


def test_a_node_that_has_proven_nothing_says_so() -> None:
    lists: list[FleetListRow] = [{"source": "drop", "list": "drop", "seq": 0, "content_hash": ""}]
    assert first_line({**_MIRRORS, "lists": lists}) == "fleet main: nothing was verified yet"
