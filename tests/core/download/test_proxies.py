from collections.abc import Mapping

import pytest

from banlistd.core.download.proxies import is_left_out, proxy_of

HTTP, HTTPS = "http://lists.example/a", "https://lists.example/a"


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        (HTTP, {}, ""),
        (HTTP, {"http_proxy": "http://p.example:3128"}, "http://p.example:3128"),
        (HTTP, {"http_proxy": "p.example:3128"}, "http://p.example:3128"),
        (HTTP, {"HTTP_PROXY": "http://p.example"}, "http://p.example"),
        (HTTP, {"http_proxy": "http://a.example", "HTTP_PROXY": "http://b.example"}, "http://a.example"),
        (HTTP, {"https_proxy": "http://p.example"}, ""),
        (HTTPS, {"https_proxy": "http://p.example"}, "http://p.example"),
        (HTTPS, {"ALL_PROXY": "socks5://p.example"}, "socks5://p.example"),
        (HTTPS, {"all_proxy": "socks5h://p.example", "https_proxy": "http://q.example"}, "http://q.example"),
        (HTTPS, {"all_proxy": "socks5h://p.example", "https_proxy": ""}, "socks5h://p.example"),
        (HTTPS, {"https_proxy": "http://p.example", "NO_PROXY": "example"}, ""),
        (HTTPS, {"https_proxy": "http://p.example", "no_proxy": "", "NO_PROXY": "lists.example"}, ""),
        (HTTPS, {"https_proxy": "http://p.example", "no_proxy": "other.example"}, "http://p.example"),
    ],
)
def test_the_environment_names_a_proxy(url: str, environment: Mapping[str, str], proxy: str) -> None:
    assert proxy_of(url, environment) == proxy


@pytest.mark.parametrize(
    ("host", "no_proxy", "left_out"),
    [
        ("lists.example", "*", True),
        ("lists.example", "lists.example", True),
        ("LISTS.example.", "Lists.Example", True),
        ("a.lists.example", "lists.example", True),
        ("a.lists.example", ".lists.example", True),
        ("lists.example", ".lists.example", True),
        ("a.lists.example", "*.lists.example", True),
        ("mylists.example", "lists.example", False),
        ("lists.example", "a.lists.example", False),
        ("lists.example", "one.example, lists.example", True),
        ("lists.example", "one.example lists.example", True),
        ("lists.example", "lists.example:443", True),
        ("lists.example", "lists.example:80", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.0/24", True),
        ("192.0.2.7", "198.51.100.0/24", False),
        ("192.0.2.7", "0.2.7", False),
        ("192.0.2.7", "192.0.2.7:443", True),
        ("2001:db8::1", "2001:db8::/32", True),
        ("2001:db8::1", "[2001:db8::1]", True),
        ("2001:db8::1", "[2001:db8::1]:443", True),
        ("2001:db8::1", "192.0.2.0/24", False),
        ("lists.example", "192.0.2.0/24", False),
        ("lists.example", ".", False),
        ("lists.example", "", False),
    ],
)
def test_no_proxy_names_hosts_and_networks(host: str, no_proxy: str, left_out: bool) -> None:
    assert is_left_out(host, 443, no_proxy) is left_out
