"""Which proxy a request goes through, by the environment, as curl reads it."""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

_SEPARATORS = re.compile(r"[\s,]+")


def proxy_of(url: str, environment: Mapping[str, str]) -> str:
    """The proxy for a URL: `http_proxy` or `https_proxy`, else `all_proxy`, unless `no_proxy` names its host. Empty: none.

    Names in capital letters count where there is none in small ones, and one that is empty is none.
    """
    parts = urlsplit(url)
    proxy = _value(environment, f"{parts.scheme}_proxy") or _value(environment, "all_proxy")
    if not proxy or is_left_out(parts.hostname or "", parts.port, _value(environment, "no_proxy")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def is_left_out(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether `no_proxy` names a host: `*`, a name and all below it, an address, a network, each with a port or without."""
    if no_proxy.strip() == "*":
        return True
    return any(_fits(host.lower().rstrip("."), port, entry.lower()) for entry in _SEPARATORS.split(no_proxy) if entry)


def _fits(host: str, port: int | None, entry: str) -> bool:
    name, colon, number = entry.rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.startswith("[")):
        if port is None or number != str(port):
            return False
        entry = name
    entry = entry.strip("[]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = entry.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _value(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""
