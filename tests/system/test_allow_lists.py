"""Allow lists on the real daemon and the real kernel: what they name is not banned, and a broken one changes nothing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.feed_server import FeedServer, status
from support.network_namespace import in_network_namespace, nft
from system.daemon_process import Installation, running
from system.kernel_view import expected, look, standing

LISTED = ["192.0.2.0/24", "198.51.100.7", "203.0.113.0/24", "2001:db8::/32"]
ALLOWED = ["192.0.2.128/25", "198.51.100.7", "2001:db8:1::/48"]


@contextmanager
def installed(folder: Path, allow: str = "") -> Iterator[tuple[Installation, FeedServer]]:
    """`allow`: further keys of the entry."""
    place = Installation(folder)
    (folder / "list").write_text("".join(f"{entry}\n" for entry in LISTED))
    with FeedServer() as server:
        publish(server, *ALLOWED)
        url = server.url("/partners.txt")
        place.configure(f'id: listed, path: "{folder / "list"}"', allow=[f'{{id: partners, url: "{url}"{allow}}}'])
        yield place, server


def publish(server: FeedServer, *entries: str) -> None:
    server.serve("/partners.txt", "".join(f"{entry}\n" for entry in entries).encode())


def without(*allowed: str) -> object:
    return expected({"listed": LISTED}, allowed)


@in_network_namespace
def test_what_an_allow_list_names_is_carved_out_of_every_list_and_follows_it(tmp_path: Path) -> None:
    with installed(tmp_path) as (place, server), running(place, "listed", "partners"):
        assert standing() == without(*ALLOWED)
        publish(server, *ALLOWED, "203.0.113.9")
        assert place.ctl("refresh", "partners").returncode == 0
        assert standing() == without(*ALLOWED, "203.0.113.9")
        publish(server, *ALLOWED[1:])
        assert place.ctl("refresh", "partners").returncode == 0
        assert standing() == without(*ALLOWED[1:])
        checked = place.ctl("check", "198.51.100.7")
        assert (checked.returncode, checked.stdout.strip()) == (
            1,
            "198.51.100.7 is not banned: it is allowed by partners, which lists 198.51.100.7, although listed by listed",
        )
        (row,) = place.ask("allowed")
        assert (row["origin"], row["use"], row["address"]) == ("list", "partners", "2 entries")
        assert place.ctl("ban", "198.51.100.7").returncode == 65


@in_network_namespace
def test_an_allow_list_that_fails_or_opens_everything_leaves_the_last_good_one_in_force(tmp_path: Path) -> None:
    with installed(tmp_path) as (place, server), running(place, "listed", "partners"):
        for broken in ([*ALLOWED, "0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"], [*ALLOWED, "203.0.0.0/16"], []):
            publish(server, *broken)
            assert place.ctl("refresh", "partners").returncode != 0
            assert standing() == without(*ALLOWED), broken
        server.behave("/partners.txt", status(503))
        assert place.ctl("refresh", "partners").returncode != 0
        assert standing() == without(*ALLOWED)


@in_network_namespace
def test_an_allow_list_is_there_before_its_server_after_a_kill_a_flush_and_a_boot(tmp_path: Path) -> None:
    with installed(tmp_path) as (place, server):
        with running(place, "listed", "partners") as daemon:
            server.behave("/partners.txt", status(503))
            daemon.kill()
        with running(place) as daemon:
            assert standing() == without(*ALLOWED)
            nft("flush", "ruleset")
            daemon.wait_for("firewall_drift_repaired")
            assert standing() == without(*ALLOWED)
            assert daemon.terminate() == 0
        nft("flush", "ruleset")
        assert place.run("--restore").returncode == 0
        assert standing() == without(*ALLOWED)
        assert "partners" in look().contents


@in_network_namespace
def test_a_reference_of_the_catalogue_is_polled_with_other_keys(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    (tmp_path / "list").write_text("192.0.2.0/24\n")
    with FeedServer() as server:
        prefixes = [
            {"ip_prefix": "192.0.2.0/26", "region": "eu-central-1", "service": "EC2"},
            {"ip_prefix": "192.0.2.64/26", "region": "eu-central-1", "service": "S3"},
            {"ip_prefix": "192.0.2.128/26", "region": "us-east-1", "service": "EC2"},
        ]
        server.serve("/aws", json.dumps({"prefixes": prefixes, "ipv6_prefixes": []}).encode())
        where = "{region: eu-central-1, service: [EC2, ROUTE53]}"
        entry = f'{{use: aws, url: "{server.url("/aws")}", where: {where}}}'
        place.configure(f'id: listed, path: "{tmp_path / "list"}"', allow=[entry])
        with running(place, "listed", "aws"):
            assert standing() == expected({"listed": ["192.0.2.0/24"]}, ["192.0.2.0/26"])


@in_network_namespace
def test_a_name_is_allowed_as_the_name_service_of_the_system_has_it_and_outlives_it(tmp_path: Path) -> None:
    place, hosts = Installation(tmp_path), tmp_path / "hosts"
    (tmp_path / "list").write_text("192.0.2.0/24\n")
    hosts.write_text("192.0.2.9 office.example.org\n")
    place.configure(f'id: listed, path: "{tmp_path / "list"}"', allow=["office.example.org"])
    own_hosts = ("unshare", "--mount", "sh", "-c", f'mount --bind "{hosts}" /etc/hosts && exec "$@"', "sh")
    allowed = expected({"listed": ["192.0.2.0/24"]}, ["192.0.2.9"])
    with running(place, "listed", "office-example-org", through=own_hosts) as daemon:
        assert standing() == allowed
        hosts.write_text("192.0.2.8 office.example.org\n")
        assert place.ctl("refresh", "office-example-org").returncode == 0
        assert standing() == expected({"listed": ["192.0.2.0/24"]}, ["192.0.2.8/31"])
        hosts.write_text("")
        assert place.ctl("refresh", "office-example-org").returncode != 0
        daemon.kill()
    with running(place, through=own_hosts):
        assert standing() == expected({"listed": ["192.0.2.0/24"]}, ["192.0.2.8/31"])
