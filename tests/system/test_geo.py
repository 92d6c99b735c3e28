"""Countries and network operators with the real daemon: questions, whole countries in the kernel, and SIGKILL in a look-up."""

import asyncio
import json
import shutil
import threading
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from support.feed_server import FeedServer, Request, in_answer
from support.geography import write_mmdb
from support.network_namespace import in_network_namespace
from system.daemon_process import PATIENCE, Installation, running
from system.kernel_view import KernelRanges, expected, standing

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "geo" / "documentation.mmdb"


def installed(folder: Path, *sources: str, allow: tuple[str, ...] = ()) -> Installation:
    place = Installation(folder)
    place.configure(*sources, allow=allow, geo="databases: [documentation.mmdb]")
    shutil.copy(SHIPPED, place.config / "documentation.mmdb")
    return place


def listed(folder: Path, text: str) -> str:
    (folder / "list.txt").write_text(text)
    return f"id: feed, path: {folder / 'list.txt'}"


@in_network_namespace
def test_check_names_country_and_asn_of_an_address_in_the_sample_that_ships(tmp_path: Path) -> None:
    place = installed(tmp_path, listed(tmp_path, "192.0.2.7\n198.51.100.0/24\n2001:db8:bad::/48\n"))
    with running(place, "feed") as daemon:
        done = place.ctl("check", "192.0.2.7")
        assert done.returncode == 0
        assert "  Norway (NO), AS64496 Example Network One\n" in done.stdout
        assert place.ask("check", "2001:db8:bad::1")["origin"]["asn"] == 64496
        daemon.wait_for("geo_warmed", "feed")
        assert [row["key"] for row in place.ask("top", "--by", "country")["rows"]] == ["NO", "SE"]
        assert "AS64497  Example Network Two" in place.ctl("top", "--by", "asn").stdout
        assert "feed" in place.ctl("top", "--by", "source").stdout
        networks = place.rows("SELECT country, asn FROM geo_cache WHERE negative = 0 ORDER BY asn")
        assert {(row["country"], row["asn"]) for row in networks} == {("NO", 64496), ("SE", 64497)}


NORWAY_AND_SWEDEN = ("192.0.2.0/24", "198.51.100.0/24", "2001:db8:bad::/48")


@in_network_namespace
def test_country_block_follows_its_database_without_allowed_addresses(tmp_path: Path) -> None:
    allow = ("192.0.2.64/26",)
    place = installed(tmp_path, "id: far, block: {countries: [no, SE]}", allow=allow)
    with running(place, "far") as daemon:
        assert standing() == expected({"far": NORWAY_AND_SWEDEN}, allow)
        event = daemon.wait_for("blocklist_import_completed", "far")
        assert "of the IPv4 space" in event["message"]
        assert "far covers " in place.ctl("sources").stdout
        assert place.ctl("check", "192.0.2.65").returncode == 1
        seen = len(daemon.events)
        write_mmdb(place.config / "documentation.mmdb", {"203.0.113.0/24": {"country_code": "SE"}})
        daemon.wait_for("blocklist_import_completed", "far", since=seen)
        assert standing() == expected({"far": ("203.0.113.0/24",)}, allow)
        seen = len(daemon.events)
        (place.config / "documentation.mmdb").unlink()
        daemon.wait_for("blocklist_import_failed", "far", since=seen)
        assert standing() == expected({"far": ("203.0.113.0/24",)}, allow)


@in_network_namespace
def test_a_country_wider_than_any_list_may_be_is_taken(tmp_path: Path) -> None:
    place = installed(tmp_path, "id: far, block: {countries: [SE]}, direction: out")
    write_mmdb(place.config / "documentation.mmdb", {"32.0.0.0/3": {"country_code": "SE"}, "2000::/4": {"country_code": "SE"}})
    with running(place, "far") as daemon:
        message = daemon.wait_for("blocklist_import_completed")["message"]
        # In such a database 2002::/16 (6to4) is another way to write IPv4.
        assert "12.5 % of the IPv4 space, 99.2 % of the allocated IPv6 space" in message


@in_network_namespace
def test_a_daemon_killed_in_a_look_up_has_lost_nothing_and_asks_nothing_again_that_was_answered(tmp_path: Path) -> None:
    addresses = [f"203.0.113.{at}" for at in range(1, 151)]
    asked: list[list[str]] = []
    second, killed = threading.Event(), threading.Event()

    def answer(body: bytes) -> tuple[bytes, Mapping[str, str]]:
        asked.append(json.loads(body))
        return json.dumps([{"status": "success", "countryCode": "NO", "as": "AS64496"} for _ in asked[-1]]).encode(), {}

    async def answer_once(request: Request, writer: asyncio.StreamWriter) -> None:
        if asked and not killed.is_set():
            second.set()
            await asyncio.to_thread(killed.wait)
            return
        await in_answer(answer)(request, writer)

    with FeedServer() as server:
        server.behave("/batch", answer_once)
        place = Installation(tmp_path)
        online = f'databases: [], online: {{enabled: true, url: "{server.url("/batch")}"}}'
        place.configure(listed(tmp_path, "\n".join(addresses)), geo=online)
        with running(place, "feed") as daemon:
            assert second.wait(PATIENCE)
            daemon.kill()
        killed.set()
        assert len(place.rows("SELECT first FROM geo_cache")) == len(asked[0]) == 100
        with running(place) as daemon:
            daemon.wait_for("geo_warmed", "feed")
        assert [len(batch) for batch in asked] == [100, 50]
        assert sorted(one for batch in asked for one in batch) == sorted(addresses)
        assert len(place.rows("SELECT first FROM geo_cache WHERE country = 'NO' AND asn = 64496")) == 150


@in_network_namespace
def test_all_countries_but_one_are_banned_in_the_kernel_but_for_what_no_country_has(tmp_path: Path) -> None:
    place = installed(tmp_path, "id: home, only: {countries: [NO]}")
    write_mmdb(place.config / "documentation.mmdb", {"64.0.0.0/2": {"country_code": "NO"}, "2000::/5": {"country_code": "NO"}})
    with running(place, "home") as daemon:
        assert "61.7 % of the IPv4 space" in daemon.wait_for("blocklist_import_completed", "home")["message"]
        ranges = standing()
        for address in ("9.0.0.1", "203.0.112.1", "2a00::1"):
            assert _owner_of(address, ranges) == "home", address
        # Norway, the critical addresses of others, and what is no address of the internet.
        for address in (
            "65.0.0.1",
            "2400::1",
            "8.8.8.8",
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.1",
            "169.254.1.1",
            "fe80::1",
            "::1",
        ):
            assert _owner_of(address, ranges) == "", address


@in_network_namespace
def test_an_allow_list_by_country_carves_the_country_out_of_a_list_and_out_of_all_others_that_are_banned(
    tmp_path: Path,
) -> None:
    world = {"192.0.2.0/24": {"country_code": "NO"}, "198.51.100.0/25": {"country_code": "SE"}}
    place = installed(tmp_path, listed(tmp_path, "192.0.2.0/24\n198.51.100.0/24\n"), allow=("{countries: [SE]}",))
    write_mmdb(place.config / "documentation.mmdb", world)
    with running(place, "feed") as daemon:
        assert standing() == expected({"feed": ("192.0.2.0/24", "198.51.100.128/25")})
        assert place.ctl("check", "198.51.100.1").returncode == 1
        (row,) = place.ask("protected", "--holes")
        assert (row["origin"], row["use"], row["source"], row["addresses4"]) == ("list", "allow-se", "feed", 128)
        assert row["first"] == ["198.51.100.0/24"]
        seen = len(daemon.events)
        write_mmdb(place.config / "documentation.mmdb", {**world, "198.51.100.0/24": {"country_code": "SE"}})
        daemon.wait_for("blocklist_import_completed", "allow-se", since=seen)
        assert standing() == expected({"feed": ("192.0.2.0/24",)})


@in_network_namespace
def test_an_allow_list_by_country_passes_where_only_another_country_does(tmp_path: Path) -> None:
    place = installed(tmp_path, "id: home, only: {countries: [NO]}", allow=("{countries: [SE]}",))
    both = {"64.0.0.0/2": {"country_code": "NO"}, "9.0.0.0/8": {"country_code": "SE"}, "2000::/5": {"country_code": "NO"}}
    write_mmdb(place.config / "documentation.mmdb", both)
    with running(place, "home"):
        ranges = standing()
        assert _owner_of("11.0.0.1", ranges) == "home"
        for address in ("9.0.0.1", "9.255.255.255", "65.0.0.1"):
            assert _owner_of(address, ranges) == "", address


def _owner_of(address: str, ranges: Mapping[int, KernelRanges]) -> str:
    wanted = ip_address(address)
    owners = [owner for first, last, owner in ranges[wanted.version] if first <= int(wanted) <= last]
    return owners[0] if owners else ""
