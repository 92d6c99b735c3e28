"""Lists of indicators as they are passed on: addresses that no program takes for one, and URLs. Only where a source says so."""

import re

_DOTS = re.compile(rb"[\[({](?:\.|dot)[\])}]", re.IGNORECASE)
_COLONS = re.compile(rb"[\[({](:(?://)?)[\])}]")
_SCHEME = re.compile(rb"^([ \t\"']*+)h(?:xx|\*\*|XX)p(s?+)(?=:)", re.MULTILINE | re.IGNORECASE)
_URL = re.compile(
    rb"^[ \t\"']*+[a-z][a-z0-9+.-]{0,15}://(?:[^\s/@?#]*+@)?(?:\[([0-9a-f:.]++)\]|([^\s/:?#,;|\"'\[]++))[^\n]*+",
    re.MULTILINE | re.IGNORECASE,
)
_HOST = re.compile(rb"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")


def refanged(body: bytes) -> bytes:
    """`192[.]0(.)2[dot]1` and `hxxp://` as they were before; `[:]` and `[://]` too. Lines stay lines."""
    body = _COLONS.sub(rb"\1", _DOTS.sub(b".", body))
    return _SCHEME.sub(rb"\1http\2", body)


def hosts_of_urls(body: bytes) -> bytes:
    """In place of each line that is a URL its host; nothing where the host is a name, which is no entry here."""
    return _URL.sub(_host, body)


def _host(url: re.Match[bytes]) -> bytes:
    if url[1] is not None:
        return url[1]
    return url[2] if _HOST.fullmatch(url[2]) else b""
