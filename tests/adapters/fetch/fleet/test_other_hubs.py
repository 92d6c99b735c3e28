"""What the program that looks at other hubs makes of what they show, over real HTTP: proven, or named with the reason."""

import asyncio
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata, Targets

from banlistd.adapters.fetch.fleet.other_hubs import OtherHubPrograms
from banlistd.adapters.system.child_program import run_child
from banlistd.core.addresses.fleet_files.files import whole_file
from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.fleet.cosigning import OtherHub, WantedProposal
from banlistd.core.fleet.publish_job import NewContent, PublishJob, job_octets, read_job
from banlistd.errors import FleetError
from banlistd.model import Family
from banlistd.trust.ceremony.key_files import read_seed
from banlistd.trust.ceremony.keys import signer_of
from banlistd.trust.repository.publishing import publish
from support.fleet import Hub, Owners
from support.mirror import ENDLESS, Mirror, mirror_of

MOST = 1 << 20
ADDRESSES = AddressSet.of(from_numbers(Family.IPV4, range(0x0B000000, 0x0B000100, 2)))


@dataclass
class Two:
    """Hub a asks for `drop`; hub b looks at it."""

    a: Hub
    b: Hub
    mirror: Mirror

    def asks(self, addresses: AddressSet, file: bytes | None = None) -> None:
        new = NewContent(addresses.content_hash(), len(addresses), {"full.blz": file or whole_file(addresses)})
        publish(self.a.job({"drop": new}, "drop"), datetime.now(UTC).replace(microsecond=0))

    def look(self, known: Sequence[str] = (), most: int = MOST, more: Sequence[str] = ()) -> list[OtherHub]:
        programs = OtherHubPrograms(self.b.folder.path, [self.mirror.url, *more], None, None, "1.0")
        return [*asyncio.run(programs.look([WantedProposal("drop", frozenset(known), most)]))]

    def drop(self, known: Sequence[str] = (), most: int = MOST) -> tuple[str, AddressSet | None, str]:
        (other,) = self.look(known, most)
        (asked,) = (one for one in other.asked if one.role == "drop")
        return asked.content_hash, asked.addresses, asked.fault

    def pending(self) -> Any:
        return json.loads((self.a.folder.public / "pending.json").read_text())

    def shows(self, document: Any) -> None:
        self.mirror.files["pending.json"] = json.dumps(document).encode()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    owners = Owners(tmp_path / "owners", "hub-a", "hub-b", hubs_sign=2)
    a, b = (Hub(tmp_path / name, owners, name) for name in ("hub-a", "hub-b"))
    for hub in (a, b):
        hub.install()
    a.promote()
    with mirror_of(a.folder.public) as mirror:
        yield Two(a, b, mirror)


def test_a_list_that_a_hub_asks_for_is_fetched_once_and_proven(two: Two) -> None:
    two.asks(ADDRESSES)
    content, addresses, fault = two.drop()
    assert (content, addresses, fault) == (ADDRESSES.content_hash(), ADDRESSES, "")
    two.mirror.asked.clear()
    assert two.drop(known=[content]) == (content, None, "")
    assert not [path for path in two.mirror.asked if path.endswith(".blz")]


def test_a_hub_without_files_asks_for_nothing_and_one_that_does_not_answer_is_named(two: Two) -> None:
    first, second = two.look(more=["http://127.0.0.1:9"])
    assert (first.fault, first.asked, first.cosigned) == ("", [], "")
    assert "127.0.0.1" in second.fault or "refused" in second.fault


def test_what_the_other_hub_has_signed_and_refused_is_passed_on(two: Two) -> None:
    two.asks(ADDRESSES)
    text = '{"signatures": [], "refused": [{"role": "drop", "version": 3, "reason": "no such entry"}]}'
    two.mirror.files["cosigned.json"] = text.encode()
    (other,) = two.look()
    assert (other.cosigned, other.refused) == (text, [("drop", 3, "no such entry")])


@pytest.mark.parametrize("octet", [b"\x00", b"\xff", "\u00e9".encode()])
def test_signatures_that_are_no_ascii_take_no_room_in_the_job_of_the_program_that_publishes(two: Two, octet: bytes) -> None:
    two.mirror.files["cosigned.json"] = b'{"signatures": [], "x": "' + octet * 400_000 + b'"}'
    (other,) = two.look()
    job = PublishJob("", "", ("drop",), {}, cosigned=(other.cosigned,) * 8)
    assert read_job(BytesIO(b"".join(job_octets(job)))) == job


@pytest.mark.parametrize("lie", [b"", b"[]", b"{", b'{"metadata": []}', b'{"metadata": 1}', b"[" * 200_000, ENDLESS])
def test_a_file_that_is_none_is_a_fault_of_that_hub(two: Two, lie: bytes) -> None:
    two.asks(ADDRESSES)
    two.mirror.files["pending.json"] = lie
    (other,) = two.look()
    assert not other.asked
    assert bool(other.fault) == bool(lie)


def test_a_proposal_that_no_hub_has_signed_is_not_fetched(two: Two) -> None:
    two.asks(ADDRESSES)
    document = two.pending()
    document["metadata"]["drop"]["signed"]["version"] += 1
    two.shows(document)
    assert two.drop() == ("", None, "no hub of the fleet has signed it")
    assert not [path for path in two.mirror.asked if path.endswith(".blz")]


def test_what_is_no_metadata_keeps_no_other_role_away(two: Two) -> None:
    two.asks(ADDRESSES)
    document = two.pending()
    document["metadata"] |= {"ssh": [1], "": {}, "x" * 500: None, "../no role": document["metadata"]["drop"]}
    two.shows(document)
    assert two.drop()[1] == ADDRESSES
    # Their names go to the program that signs, which takes none that cannot be.
    (other,) = two.look()
    assert sorted(one.role for one in other.asked) == ["drop", "hub", "ssh"]


@pytest.mark.parametrize("version", [float("nan"), float("inf"), 1.5, 2**31, 0, "1"])
def test_a_version_that_is_none_keeps_no_other_role_away(two: Two, version: object) -> None:
    two.asks(ADDRESSES)
    document = two.pending()
    other = json.loads(json.dumps(document["metadata"]["drop"]))
    other["signed"]["version"] = version
    document["metadata"] = {"ssh": other} | document["metadata"]
    two.shows(document)
    assert two.drop()[1] == ADDRESSES


def test_a_proposal_of_a_thief_that_is_not_as_hubs_write_it_keeps_no_other_hub_away(two: Two) -> None:
    two.asks(ADDRESSES)
    document = two.pending()
    asked = Metadata[Targets].from_dict(document["metadata"]["drop"])
    asked.signed.targets["drop/full.blz"].unrecognized_fields["custom"] = ["no object"]
    asked.sign(signer_of(read_seed(two.a.key, bytes)))
    document["metadata"]["drop"] = asked.to_dict()
    two.shows(document)
    assert "no attribute" in two.drop()[2]


def test_a_file_with_other_octets_than_were_signed_is_refused(two: Two) -> None:
    two.asks(ADDRESSES)
    (path,) = two.a.folder.public.glob("targets/drop/*.full.blz")
    path.write_bytes(whole_file(AddressSet.none()).ljust(path.stat().st_size, b"\0")[: path.stat().st_size])
    content, addresses, fault = two.drop()
    assert (content, addresses) == ("", None)
    assert "does not match" in fault


def test_a_file_that_is_signed_and_has_other_content_than_it_says_is_refused(two: Two) -> None:
    two.asks(ADDRESSES, whole_file(AddressSet.of(from_numbers(Family.IPV4, [0x0B000001]))))
    assert two.drop() == ("", None, "its file is not the content that it says")


def test_a_file_that_is_no_list_or_larger_than_the_bound_is_refused(two: Two) -> None:
    two.asks(ADDRESSES, b"BLZ1 and no more")
    assert two.drop()[2]
    two.asks(ADDRESSES)
    assert "more than max_bytes" in two.drop(most=10)[2]


def test_a_hub_that_knows_no_root_of_its_fleet_looks_at_nothing(two: Two) -> None:
    for path in (two.b.folder.path / "offline").iterdir():
        path.unlink()
    with pytest.raises(FleetError, match="knows no root of its fleet"):
        two.look()
    assert two.mirror.asked == []


@pytest.mark.parametrize(
    "lie",
    [
        {},
        {"hub": 1},
        {"hub": []},
        {"hub": {"asked": [{"role": "drop"}]}},
        {"hub": {"asked": [{"role": "drop", "version": 1, "metadata": "", "content": "", "counts": [0, 0, 0, 0]}] * 2}},
        {"hub": {"asked": [{"role": "drop", "version": "x", "metadata": "", "content": ""}]}},
        {"fault": "it cannot give up its rights"},
        [],
    ],
)
def test_an_answer_of_a_program_that_was_taken_over_is_a_fault(two: Two, monkeypatch: pytest.MonkeyPatch, lie: object) -> None:
    _answers(monkeypatch, lie)
    with pytest.raises(FleetError):
        two.look()


def test_an_answer_that_is_nested_deeply_is_a_fault(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(*_: object, **__: object) -> tuple[int, bytes]:
        return 0, b"[" * 200_000

    monkeypatch.setattr("banlistd.adapters.fetch.fleet.other_hubs.run_child", run)
    with pytest.raises(FleetError, match="no answer"):
        two.look()


def test_a_content_hash_that_the_program_invents_is_not_believed(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"role": "drop", "version": 1, "metadata": "{}", "content": "a" * 64, "counts": [0, 0, 0, 0]}
    _answers(monkeypatch, {"hub": {"asked": [asked]}})
    assert two.drop() == ("", None, "its file is not the content that it says")


def _answers(monkeypatch: pytest.MonkeyPatch, lie: object) -> None:
    async def run(*_: object, **__: object) -> tuple[int, bytes]:
        return 0, json.dumps(lie).encode()

    monkeypatch.setattr("banlistd.adapters.fetch.fleet.other_hubs.run_child", run)


def test_a_hub_whose_program_fails_keeps_no_other_one_from_being_looked_at(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    two.asks(ADDRESSES)
    there = "banlistd.adapters.fetch.fleet.other_hubs.run_child"
    real = run_child

    async def run(program: Any, environment: Any, bounds: Any, *, given: bytes, descriptors: Any) -> Any:
        if b"hub-c.example" in given:
            return 137, b""
        return await real(program, environment, bounds, given=given, descriptors=descriptors)

    monkeypatch.setattr(there, run)
    first, second = two.look(more=["https://hub-c.example"])
    assert [one.addresses for one in first.asked if one.role == "drop"] == [ADDRESSES]
    assert "no answer" in second.fault


def test_two_hubs_may_ask_for_two_contents_of_one_list(two: Two, tmp_path: Path) -> None:
    two.asks(ADDRESSES)
    shutil.copytree(two.a.folder.public, tmp_path / "before")
    other = AddressSet.of(from_numbers(Family.IPV4, [0x0B000001]))
    two.asks(other)
    with mirror_of(tmp_path / "before") as mirror:
        found = [one.addresses for hub in two.look(more=[mirror.url]) for one in hub.asked if one.role == "drop"]
    assert found == [other, ADDRESSES]


def test_of_very_many_proposals_the_first_thousand_are_looked_at(two: Two) -> None:
    two.asks(ADDRESSES)
    document = two.pending()
    document["metadata"] |= {f"x{number}": {} for number in range(200_000)}
    two.shows(document)
    (other,) = two.look()
    assert len(other.asked) == 1000
    assert [one.addresses for one in other.asked if one.role == "drop"] == [ADDRESSES]
