import pytest

from banlistd.core.download.redirects import Trail, next_url, same_origin
from banlistd.errors import FetchError

NEXT = "https://next.example/list"


def test_the_first_hop_may_be_private() -> None:
    assert Trail().admit("mirror", ["10.0.0.1", "127.0.0.1"]) == {"10.0.0.1", "127.0.0.1"}


METADATA = ["169.254.169.254", "fe80::1%eth0", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "100.100.100.200"]


@pytest.mark.parametrize("address", METADATA)
def test_a_name_does_not_lead_to_a_metadata_address_at_the_first_hop(address: str) -> None:
    assert Trail().admit("mirror", ["10.0.0.1", address]) == {"10.0.0.1"}
    with pytest.raises(FetchError, match="link-local or cloud metadata") as caught:
        Trail().admit("feed.example", [address])
    assert "the address itself" in caught.value.hint


@pytest.mark.parametrize("address", METADATA)
def test_a_metadata_address_that_the_url_names_literally_is_admitted(address: str) -> None:
    assert Trail().admit(address, [address]) == {address}


@pytest.mark.parametrize("host", ["mirror", "10.0.0.1"])
def test_public_only_refuses_a_private_address_at_the_first_hop(host: str) -> None:
    with pytest.raises(FetchError, match=r"is not a public address \(10\.0\.0\.1\)"):
        Trail(public_only=True).admit(host, ["10.0.0.1"])


def test_public_only_refuses_a_private_address_after_a_redirect() -> None:
    trail = Trail(public_only=True)
    assert trail.admit("feed", ["8.8.8.8", "10.0.0.1"]) == {"8.8.8.8"}
    trail.redirected(NEXT)
    with pytest.raises(FetchError, match="inside of the network"):
        trail.admit("other", ["10.0.0.1"])


def test_public_only_refuses_what_a_proxy_hides() -> None:
    with pytest.raises(FetchError, match="a proxy resolves"):
        Trail(public_only=True).unseen()


def test_after_a_public_hop_only_public_addresses_are_left() -> None:
    trail = Trail()
    trail.admit("feed", ["8.8.8.8"])
    trail.redirected(NEXT)
    assert trail.admit("mixed", ["10.0.0.1", "8.8.4.4"]) == {"8.8.4.4"}
    with pytest.raises(FetchError, match="inside of the network"):
        trail.admit("inside", ["10.0.0.1", "::1"])


def test_after_a_private_hop_all_but_metadata_is_left_until_a_public_one() -> None:
    trail = Trail()
    trail.admit("mirror", ["10.0.0.1"])
    trail.redirected(NEXT)
    assert trail.admit("other", ["10.0.0.2", "169.254.169.254"]) == {"10.0.0.2"}
    trail.admit("feed", ["8.8.8.8"])
    with pytest.raises(FetchError, match="inside of the network"):
        trail.admit("other", ["10.0.0.2"])


def test_behind_a_proxy_nothing_private_may_follow() -> None:
    trail = Trail()
    trail.unseen()
    trail.redirected(NEXT)
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


@pytest.mark.parametrize(
    ("statuses", "moved_to"),
    [
        ([], ""),
        ([301], "https://a.example/0"),
        ([308, 301], "https://a.example/1"),
        ([302], ""),
        ([303, 301], ""),
        ([301, 307, 308], "https://a.example/0"),
    ],
)
def test_a_list_has_moved_as_far_as_redirects_for_good_lead(statuses: list[int], moved_to: str) -> None:
    trail = Trail()
    for number, status in enumerate(statuses):
        trail.answered(status)
        trail.redirected(f"https://a.example/{number}")
    assert trail.moved_to == moved_to
