import pytest

from banlistd.core.download.redirects import Trail, is_metadata, is_public, next_url, same_origin
from banlistd.errors import FetchError


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.31.0.1", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("233.252.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fc00::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("ff0e::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1%eth0", "fd00:ec2::254"])
def test_the_places_of_a_clouds_secrets_are_known(address: str) -> None:
    assert is_metadata(address)
    assert not is_metadata("10.0.0.1")


def test_first_hop_is_the_configured_address() -> None:
    assert Trail().admit("mirror", ["10.0.0.1", "169.254.0.1"]) == {"10.0.0.1", "169.254.0.1"}


def test_after_a_public_hop_only_public_addresses_are_left() -> None:
    trail = Trail()
    trail.admit("feed", ["8.8.8.8"])
    trail.redirected()
    assert trail.admit("mixed", ["10.0.0.1", "8.8.4.4"]) == {"8.8.4.4"}
    with pytest.raises(FetchError, match="inside of the network"):
        trail.admit("inside", ["10.0.0.1", "::1"])


def test_after_a_private_hop_all_but_metadata_is_left_until_a_public_one() -> None:
    trail = Trail()
    trail.admit("mirror", ["10.0.0.1"])
    trail.redirected()
    assert trail.admit("other", ["10.0.0.2", "169.254.169.254"]) == {"10.0.0.2"}
    trail.admit("feed", ["8.8.8.8"])
    with pytest.raises(FetchError, match="inside of the network"):
        trail.admit("other", ["10.0.0.2"])


def test_behind_a_proxy_nothing_private_may_follow() -> None:
    trail = Trail()
    trail.unseen()
    trail.redirected()
    with pytest.raises(FetchError, match="inside of the network"):
        trail.admit("10.0.0.1", ["10.0.0.1"])


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/new?a=b#c", "https://feed.example:8443/new?a=b"),
        ("new", "https://feed.example:8443/lists/new"),
        ("//other.example/x", "https://other.example/x"),
        ("https://user:hush@other.example/x", "https://other.example/x"),
        ("https://[2001:db8::1]:444/x", "https://[2001:db8::1]:444/x"),
        ("https://8.8.8.8/x", "https://8.8.8.8/x"),
        ("https://4chan.example/x", "https://4chan.example/x"),
    ],
)
def test_location_is_relative_to_its_page(location: str, target: str) -> None:
    assert next_url("https://feed.example:8443/lists/old", location) == target


@pytest.mark.parametrize("location", ["http://feed.example/", "javascript:1", "https://127.1/", "https://1/"])
def test_a_location_that_is_not_followed_is_refused(location: str) -> None:
    with pytest.raises(FetchError):
        next_url("https://feed.example/list", location)


def test_a_refused_location_is_quoted_without_its_secrets_and_control_characters() -> None:
    with pytest.raises(FetchError) as caught:
        next_url("https://feed.example/list?key=hush", "ftp://user:hush@feed.example/\x1b[31m" + "x" * 5000 + "?hush")
    assert "hush" not in caught.value.message
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400


def test_an_origin_is_scheme_host_and_port() -> None:
    assert same_origin("https://a.example/x", "https://A.example:443/y")
    for other in ("http://a.example/", "https://b.example/", "https://a.example:444/"):
        assert not same_origin("https://a.example/x", other)
