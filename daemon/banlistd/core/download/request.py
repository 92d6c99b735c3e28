"""One GET, decided before anything is sent: URL, headers, conditions, and which headers stay with which origin."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from banlistd.core.config.model import Source
from banlistd.core.config.sections.verify import Check
from banlistd.core.credentials import fill, fill_url, shown_url
from banlistd.core.download.codecs import OFFERED
from banlistd.core.download.dates import Day, has_day, with_day
from banlistd.core.download.known_bodies import split_validators, url_key
from banlistd.core.download.redirects import next_url, same_origin
from banlistd.core.printing import quoted
from banlistd.errors import FetchError
from banlistd.model import Validators

_LONGEST_VALIDATOR = 1024

_CONDITIONS = ("If-None-Match", "If-Modified-Since")

_SEE_OTHER = 303
_KEEPS_THE_BODY = frozenset({307, 308})

# Characters. Shorter ones are no secrets, and to conceal them would blot out the messages.
_SHORTEST_SECRET = 4
_LONG_PART = 8
_BETWEEN_PARTS = re.compile(r"[\s;,=\"]+")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, secrets filled in. `ours`: headers for any server. `private`: those for the first origin only.

    `key`: under which its validators are remembered. `body`: of a POST; None: it is a GET.
    `is_at_home`: it has never gone to another origin than the source's. `sidecars`: what proves the list that it asks for.
    """

    url: str = field(repr=False)
    ours: Mapping[str, str]
    private: Mapping[str, str] = field(repr=False)
    is_conditional: bool
    key: str
    body: bytes | None = field(default=None, repr=False)
    is_at_home: bool = True
    sidecars: "tuple[Sidecar, ...]" = ()

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"

    @property
    def headers(self) -> Mapping[str, str]:
        replaced = {name.lower() for name in self.private}
        return {name: value for name, value in self.ours.items() if name.lower() not in replaced} | dict(self.private)

    def unconditional(self) -> "Request":
        ours = {name: value for name, value in self.ours.items() if name not in _CONDITIONS}
        return replace(self, ours=ours, is_conditional=False)

    def redirected_to(self, location: str, status: int = 307) -> "Request":
        """The request that follows a redirect or a link to a next page. Raises FetchError where it is not followed.

        RFC 9110 15.4: 303 asks for the result of a POST; 301 and 302 leave open whether the body goes along.
        """
        url = next_url(self.url, location)
        if self.body is not None and status == _SEE_OTHER:
            ours = {name: value for name, value in self.ours.items() if name != "Content-Type"}
            return replace(self, ours=ours, body=None).redirected_to(location)
        if same_origin(self.url, url) and (self.body is None or status in _KEEPS_THE_BODY):
            return replace(self, url=url)
        if self.body is not None:
            hint = "name that address as the source's url, if that is meant"
            raise FetchError(f"{shown_url(self.url)} sends a POST on to {shown_url(url)} ({status})", hint)
        return replace(self, url=url, private={}, is_at_home=False)


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What is published beside a list to prove it. `list_name`: the last part of the list's own URL, decoded."""

    check: Check
    request: Request
    list_name: str


Wish = tuple[Request, ...]
"""Requests for one body, of which the first one counts that the server knows: a list of today, else that of yesterday."""


def is_one_body(source: Source) -> bool:
    """Whether a source is one answer of one URL, whose validators are those of the server."""
    return source.pages is None and len(source.urls) == 1 and not has_day(source.urls[0])


def wishes_for(
    source: Source, validators: Validators, secrets: Mapping[str, str], user_agent: str, days: Sequence[Day]
) -> tuple[Wish, ...]:
    """What to ask for: one wish for each URL of a source. `secrets`: by the names that its URLs and headers ask for.

    `days`: today and the days before it that will do. Raises FetchError.
    """
    known = split_validators(validators)
    found = []
    for written in source.urls:
        urls: dict[str, Day] = {}
        for day in days:
            urls.setdefault(with_day(written, day), day)
        wish = []
        for url, day in urls.items():
            # Of several pages, one that is unchanged says nothing of the others.
            given = (
                Validators()
                if source.pages or source.is_post
                else validators
                if is_one_body(source)
                else known.get(url_key(url), Validators())
            )
            request = _request_for(url, source, given, secrets, user_agent)
            wish.append(replace(request, sidecars=_sidecars(url, day, request, source, secrets)))
        found.append(tuple(wish))
    return tuple(found)


def _request_for(written: str, source: Source, validators: Validators, secrets: Mapping[str, str], user_agent: str) -> Request:
    url, authorization = _without_login(fill_url(written, secrets))
    conditions = dict(zip(_CONDITIONS, (validators.etag, validators.last_modified), strict=True))
    conditions = {name: value for name, value in conditions.items() if usable_validator(value)}
    # What its publisher signed is the file as it is there, not what a server makes of it.
    ours = {"User-Agent": user_agent, "Accept-Encoding": "identity" if source.verify else OFFERED} | conditions
    if source.format.type.kind.accept:
        ours["Accept"] = source.format.type.kind.accept
    private = {name: fill(value, secrets) for name, value in source.headers.items()}
    for name, value in private.items():
        if not value.isprintable():
            raise FetchError(f"the header {quoted(name)} would have characters that no header may have")
    if authorization and "authorization" not in map(str.lower, private):
        private["Authorization"] = authorization
    body = None
    if source.is_post:
        ours["Content-Type"], body = _filled_body(source, secrets)
    return Request(url, ours, private, is_conditional=bool(conditions), key=url_key(written), body=body)


def _sidecars(url: str, day: Day, of: Request, source: Source, secrets: Mapping[str, str]) -> tuple[Sidecar, ...]:
    """For a list at `url`, as it is written but for the day. What is private goes only to the origin of the list."""
    if source.verify is None:
        return ()
    found = []
    name = unquote(urlsplit(of.url).path.rpartition("/")[2])
    for check in source.verify.checks:
        written = _beside(url, check.place) if check.place.startswith(".") else with_day(check.place, day)
        place, authorization = _without_login(fill_url(written, secrets))
        is_at_home = same_origin(of.url, place)
        private = dict(of.private) if is_at_home else {}
        if authorization:
            private["Authorization"] = authorization
        ours = {"User-Agent": of.ours["User-Agent"], "Accept-Encoding": "identity"}
        request = Request(place, ours, private, is_conditional=False, key="", is_at_home=is_at_home)
        found.append(Sidecar(check, request, name))
    return tuple(found)


def _beside(url: str, ending: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path + ending, fragment=""))


def _filled_body(source: Source, secrets: Mapping[str, str]) -> tuple[str, bytes]:
    """The type of a POST's body, and the body. A secret cannot change what is around it."""
    looks_like = "application/json" if source.body.lstrip()[:1] in ("{", "[") else "application/x-www-form-urlencoded"
    kind = source.body_type or looks_like
    if "json" in kind.lower():
        secrets = {name: json.dumps(secret)[1:-1] for name, secret in secrets.items()}
    elif "urlencoded" in kind.lower():
        secrets = {name: quote(secret, safe="") for name, secret in secrets.items()}
    return kind, fill(source.body, secrets).encode()


def secret_texts(source: Source, secrets: Mapping[str, str]) -> frozenset[str]:
    """What no message about a source may show: its credentials, the values of its headers, and the login in its URL.

    Of a header's value each long part counts as well: a server may echo `abcdefgh` of `Bearer abcdefgh`.
    """
    values = [fill(value, secrets) for value in source.headers.values()]
    for written in (*source.urls, *source.sidecar_urls):
        with suppress(FetchError):
            url = fill_url(written, secrets)
            values.append(_without_login(url)[1])
            login = urlsplit(url).netloc.rpartition("@")[0]
            values += [login, unquote(login.partition(":")[2])]
    if source.proxy:
        login = urlsplit(fill_url(source.proxy, secrets)).netloc.rpartition("@")[0]
        values += [login, unquote(login.partition(":")[2])]
    if source.body:
        values.append(fill(source.body, secrets))
        values += [json.dumps(secret, ensure_ascii=only)[1:-1] for secret in secrets.values() for only in (True, False)]
    parts = {part for value in values for part in _BETWEEN_PARTS.split(value) if len(part) >= _LONG_PART}
    return frozenset(secrets.values()) | parts | {value for value in values if len(value) >= _SHORTEST_SECRET}


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
