"""The name in a certificate (X.509, RFC 5280 4.1), which a broker takes for the name of a client. Pure."""

from collections.abc import Iterator

_COMMON_NAME = bytes.fromhex("550403")
"""The object identifier 2.5.4.3."""

_VERSION, _LONG = 0xA0, 0x80
_TEXTS = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1E: "utf-16-be"}
_SUBJECT = 4
"""Its place after the version: number, algorithm, issuer, validity, subject."""


def common_name(certificate: bytes) -> str:
    """Of the subject; empty where it has none. Raises ValueError for what is no certificate in DER."""
    signed = _first(_first(certificate))
    parts = [content for tag, content in _parts(signed) if tag != _VERSION]
    if len(parts) <= _SUBJECT:
        raise ValueError("no subject")
    for _, names in _parts(parts[_SUBJECT]):
        for _, pair in _parts(names):
            kind, tag, text = _pair(pair)
            if kind == _COMMON_NAME and tag in _TEXTS:
                return text.decode(_TEXTS[tag])
    return ""


def _pair(octets: bytes) -> tuple[bytes, int, bytes]:
    """The kind of a name, and its text with its tag."""
    match [*_parts(octets)]:
        case [(_, kind), (tag, text)]:
            return kind, tag, text
    raise ValueError("no kind and text of a name")


def _first(octets: bytes) -> bytes:
    """The content of the first element; empty: there is none."""
    return next((content for _, content in _parts(octets)), b"")


def _parts(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element, in DER."""
    at = 0
    while at < len(octets):
        if at + 2 > len(octets):
            raise ValueError("cut off")
        tag, length, at = octets[at], octets[at + 1], at + 2
        if length & _LONG:
            width = length & ~_LONG
            length, at = int.from_bytes(octets[at : at + width], "big"), at + width
        if at + length > len(octets):
            raise ValueError("cut off")
        yield tag, octets[at : at + length]
        at += length
