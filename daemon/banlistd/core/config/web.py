"""The kinds of values about servers and requests to them, and how each is read, as in `kinds` and `values`."""

import re
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from banlistd.core.config.keys import ValueKind, mapping_at, scalar_at
from banlistd.core.config.kinds import OFF, TEXT, chosen, or_nothing, scalar
from banlistd.core.config.problems import Spot
from banlistd.core.config.values import Unfit
from banlistd.core.credentials import is_credential_name
from banlistd.core.printing import shown

_CREDENTIAL = re.compile(r"\$\{credential:([^}]*)\}")


def without_credentials(text: str) -> str:
    """The text with a letter in place of each `${credential:NAME}`; raises Unfit for one that is misspelt."""
    rest = _CREDENTIAL.sub(lambda found: "x" if is_credential_name(found[1]) else found[0], text)
    if "${" in rest:
        # No more than the reference itself is quoted: the text around it may be a secret.
        reference, closed, _ = rest[rest.index("${") :].partition("}")
        what = shown(reference + closed) if closed else '"${" without "}"'
        raise Unfit(f"{what} is not a credential", "write ${credential:NAME}, with letters, digits and _ . - in NAME")
    return rest


_LONGEST_URL = 2048

# A password, or a query that may contain a token: messages go to the journal.
_SECRET = re.compile(r"(?<=//)[^/@]*(?=@)|(?<=\?).+", re.DOTALL)


def url(text: str) -> str:
    """An http or https address, which may contain `${credential:NAME}`. Returned as written."""
    plain = without_credentials(text)
    quoted = shown(_SECRET.sub("...", text))
    if len(text) > _LONGEST_URL:
        raise Unfit(f"has {len(text)} characters", f"at most {_LONGEST_URL}")
    if not plain.isprintable() or " " in plain:
        raise Unfit(f"{quoted} has blanks or control characters", "write a blank as %20")
    try:
        parts = urlsplit(plain)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Unfit(f"{quoted} is not a url", "write https://host/path") from None
    if parts.scheme not in ("http", "https"):
        raise Unfit(f"{quoted} is not a url of http or https", _other_scheme(parts.scheme))
    if not host or port == 0:
        raise Unfit(f"{quoted} names no {'host' if not host else 'port'}", "write https://host/path")
    if parts.password and parts.password != "x":  # noqa: S105 - the letter in place of a credential
        raise Unfit("has a password in clear text", "write ${credential:NAME} in its place")
    return text


def _other_scheme(scheme: str) -> str:
    if scheme == "file":
        return "a file is named with path: /absolute/name"
    if not scheme:
        return "write https:// in front, or path: for a file"
    return "write https://host/path, or fetch it otherwise and name the file with path:"


class RequestMethod(StrEnum):
    """How a server is asked for a list."""

    GET = "GET"
    POST = "POST"


_PROXIES = ("http", "socks5", "socks5h")


def proxy(text: str) -> str:
    """The URL of a proxy, as written, or `off`."""
    if text.lower() == OFF:
        return OFF
    plain = without_credentials(text)
    quoted = shown(_SECRET.sub("...", text))
    try:
        parts = urlsplit(plain)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in _PROXIES or not host or port == 0 or parts.path.strip("/") or parts.query:
        raise Unfit(f"{quoted} is not a proxy", "write http://host:3128, socks5://host:1080, or off")
    if parts.password and parts.password != "x":  # noqa: S105 - the letter in place of a credential
        raise Unfit("has a password in clear text", "write ${credential:NAME} in its place")
    return text


def one_credential(text: str) -> str:
    """A reference to a credential and nothing else."""
    found = _CREDENTIAL.fullmatch(text)
    if not found or not is_credential_name(found[1]):
        raise Unfit("is not a reference to a credential", "write ${credential:NAME}; a key is no part of a configuration")
    return text


_LONGEST_BODY = 16_384


def request_body(text: str) -> str:
    """What is sent to a server. Not quoted: it may be a secret."""
    without_credentials(text)
    if len(text) > _LONGEST_BODY:
        raise Unfit(f"has {len(text)} characters", f"at most {_LONGEST_BODY}")
    if not all(sign.isprintable() or sign in "\t\n" for sign in text):
        raise Unfit("has control characters", "write plain text")
    return text


_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}(; ?[a-z0-9-]{1,20}=[a-z0-9-]{1,20})?", re.ASCII)


def media_type(text: str) -> str:
    if not _MEDIA_TYPE.fullmatch(text.lower()):
        raise Unfit(f"{shown(text)} is not a type of content", "write application/json, or application/x-www-form-urlencoded")
    return text


def json_keys(text: str) -> str:
    """Keys of a JSON document, joined by dots."""
    if not 0 < len(text) <= _LONGEST_KEYS or not text.isprintable() or not all(text.split(".")) or "[" in text or " " in text:
        raise Unfit(f"{shown(text)} is no key of a document", "write a key, or keys joined by dots: links.next")
    return text


_LONGEST_KEYS = 200
_PARAMETER = re.compile(r"[A-Za-z0-9_.$\[\]-]{1,100}", re.ASCII)


def parameter(text: str) -> str:
    """The name of a parameter in the query of a URL."""
    if not _PARAMETER.fullmatch(text):
        raise Unfit(f"{shown(text)} is no name of a parameter", "letters, digits and _ . - $ [ ], at most 100")
    return text


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)  # a token, RFC 9110 5.6.2
_OURS = ("accept-encoding", "connection", "content-length", "host", "if-modified-since", "if-none-match", "range")


def header_name(text: str) -> str:
    if not _HEADER_NAME.fullmatch(text):
        raise Unfit(f"{shown(text)} is not a header's name", "letters, digits and hyphens")
    if text.lower() in (*_OURS, "te", "trailer", "transfer-encoding", "upgrade"):
        raise Unfit(f"{text} is set by banlistd itself", "delete the line")
    return text


def header_value(text: str) -> str:
    without_credentials(text)
    # Not quoted: it may be a secret.
    if not (text.isascii() and text.isprintable()):
        raise Unfit("has line breaks, control or non-ASCII characters", "write plain ASCII in one line")
    return text


def _one_or_several(kind: ValueKind, most: int = 16) -> ValueKind:
    """One value stays one; a list of several is a tuple."""

    def read(tree: object, spot: Spot) -> Any:
        if not isinstance(tree, list):
            return kind.read(tree, spot)
        if not 1 <= len(tree) <= most:
            spot.wrong(f"has {len(tree)} values", f"write 1 to {most}")
            return None
        found = [kind.read(item, spot.at(index)) for index, item in enumerate(tree)]
        for index, item in enumerate(found):
            if item is not None and item in found[:index]:
                spot.at(index).wrong("is there twice", "delete one of them")
                return None
        return None if None in found else found[0] if len(found) == 1 else tuple(found)

    schema = {"anyOf": [kind.schema, {"type": "array", "items": kind.schema, "minItems": 1, "maxItems": most}]}
    return ValueKind(read, schema, f"{kind.says}; several as a list", kind.name, show=str, examples=kind.examples)


def _read_headers(tree: object, spot: Spot) -> dict[str, str] | None:
    if tree is not None and not isinstance(tree, dict):
        spot.wrong("must be a mapping", "write name: value, one a line")
        return None
    before = len(spot.problems)
    found = {}
    for name, value in mapping_at(tree, spot).items():
        at = spot.at(name)
        found[scalar_at(header_name, name, at)] = scalar_at(header_value, value, at)
    return found if len(spot.problems) == before else None


URL = scalar(url, {**TEXT, "pattern": "^https?://"}, "http:// or https://", examples=("https://mirror.example/",))
URLS = _one_or_several(URL)
HEADERS = ValueKind(
    _read_headers,
    or_nothing({"type": "object", "additionalProperties": TEXT}),
    "a mapping",
    show=lambda _: "",
    examples=({"X-A": "b"},),
)
METHOD = chosen(RequestMethod, "a method")
REQUEST_BODY = scalar(request_body, TEXT, "text", show=lambda _: "", examples=('{"days": 1}',))
MEDIA_TYPE = scalar(media_type, TEXT, "a media type", examples=("text/plain",))
PROXY = scalar(proxy, TEXT, "http://, socks5:// or socks5h://, or off", examples=("socks5://proxy.example:1080",))
ONE_CREDENTIAL = scalar(one_credential, TEXT, "`${credential:NAME}`", examples=("${credential:key}",))
NEXT_PAGE = scalar(json_keys, TEXT, "`link`, `parameter`, or keys joined by dots", examples=("links.next",))
QUERY_PARAMETER = scalar(parameter, TEXT, "letters, digits and _ . - $ [ ]", examples=("page",))
