"""One GET, decided before anything is sent: URL, headers, conditions, and which headers stay with which origin."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit, urlunsplit

from banlistd.core.config.model import Source
from banlistd.core.credentials import credential_names, fill, fill_url, shown_url
from banlistd.core.download.redirects import next_url, same_origin
from banlistd.core.printing import quoted
from banlistd.errors import FetchError
from banlistd.model import Validators

_LONGEST_VALIDATOR = 1024

_OF_ONE_ORIGIN = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Request:
    """One GET, secrets filled in. `guarded`: names, in small letters, of headers that stay with the first origin."""

    url: str
    headers: Mapping[str, str]
    guarded: frozenset[str]
    max_bytes: int
    is_conditional: bool

    def redirected_to(self, location: str) -> "Request":
        """The request that follows a redirect. Raises FetchError for a redirect that is not followed."""
        url = next_url(self.url, location)
        if same_origin(self.url, url):
            return replace(self, url=url)
        kept = {name: value for name, value in self.headers.items() if name.lower() not in self.guarded}
        return replace(self, url=url, headers=kept)


def request_for(source: Source, validators: Validators, secrets: Mapping[str, str], user_agent: str) -> Request:
    """The GET for a source. `secrets`: by the names that its URL and headers ask for. Raises FetchError."""
    url = fill_url(source.url or "", secrets)
    headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip, deflate"}
    conditions = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    conditions = {name: value for name, value in conditions.items() if usable_validator(value)}
    headers |= conditions
    url, authorization = _without_login(url)
    headers |= {"Authorization": authorization} if authorization else {}
    replaced = {name.lower() for name in source.headers}
    headers = {name: value for name, value in headers.items() if name.lower() not in replaced}
    for name, value in source.headers.items():
        headers[name] = fill(value, secrets)
        if not headers[name].isprintable():
            raise FetchError(f"the header {quoted(name)} would have characters that no header may have")
    guarded = {name.lower() for name, value in source.headers.items() if credential_names(value)}
    return Request(url, headers, _OF_ONE_ORIGIN | guarded, source.max_bytes, is_conditional=bool(conditions))


def usable_validator(value: str) -> str:
    """A validator as a server gave it, or nothing for one that belongs neither in a header nor in the database."""
    return value if len(value) <= _LONGEST_VALIDATOR and value.isascii() and value.isprintable() else ""


def _without_login(url: str) -> tuple[str, str]:
    """The URL without `user:password@`, and the Authorization header that says the same."""
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        raise FetchError(f"the URL cannot be used: {shown_url(url)}") from exc
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=host)), _basic(unquote(user), unquote(password))


def _basic(user: str, password: str) -> str:
    """RFC 7617."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()
