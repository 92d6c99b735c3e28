"""What can go wrong with a request, in words for an administrator."""

import errno
import os
import re
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import aiohttp
from yarl import URL

from banlistd.core.credentials import conceal, shown_url
from banlistd.core.download.retry import PASSING_STATUSES
from banlistd.core.printing import quoted
from banlistd.errors import FetchError, ParseError, PassingError

LONGEST_HEADER = 65_536
"""Bytes of one line in the head of an answer; aiohttp reads 128 of them at most. Content-Security-Policy may have 9,000."""

# The first row that fits. The last value says whether the fault may pass.
_FAULTS: tuple[tuple[type[Exception], str, bool], ...] = (
    (aiohttp.ClientSSLError, "no TLS connection could be made", True),
    (aiohttp.ClientConnectorDNSError, "the server's name cannot be resolved", True),
    (aiohttp.ClientProxyConnectionError, "cannot connect to the proxy", True),
    (aiohttp.ClientConnectorError, "cannot connect", True),
    (aiohttp.ServerDisconnectedError, "the server hung up without an answer", True),
    (aiohttp.ClientPayloadError, "the body is cut short or malformed", True),
    (aiohttp.InvalidURL, "the URL cannot be used", False),
    (aiohttp.ClientOSError, "the connection was lost", True),
    (aiohttp.ClientError, "the download failed", True),
    (OSError, "the connection was lost", True),
    (ValueError, "the request could not be made", False),
)

_OF_THIS_MACHINE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EAGAIN})
"""What a list needs beside its connection is missing: descriptors, memory, threads."""

_PHRASES = {int(status): status.phrase for status in HTTPStatus}

PROXY_LOGIN = "the proxy wants a login: write http://user:${credential:NAME}@host:port as the proxy"
_PROXY_HINTS = {403: "the administrator of the proxy says which servers it lets through", 407: PROXY_LOGIN}


@contextmanager
def fetch_faults(url: str) -> Iterator[None]:
    """Every exception of aiohttp and of the sockets below it becomes a FetchError here."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as exc:
        text, hint = certificate_fault(exc.certificate_error)
        raise FetchError(f"{text}: {shown_url(url)}", hint) from exc
    except aiohttp.ClientHttpProxyError as exc:
        raise _proxy_fault(exc.status, url) from exc
    except aiohttp.ClientResponseError as exc:
        words, hint = _head_fault(exc.message)
        raise FetchError(f"{words}: {shown_url(url)}", hint) from exc
    except tuple(kind for kind, _, _ in _FAULTS) as exc:
        text, passes = _words_for(exc, url)
        fault = PassingError if passes and not (isinstance(exc, OSError) and tls_fault_lasts(exc)) else FetchError
        raise fault(f"{text}: {shown_url(url)}{_detail(exc)}") from exc


def status_in_words(status: int) -> str:
    """A status of HTTP with its name, which is ours, and not what the server calls it."""
    return f"{status} {_PHRASES.get(status, '(unknown)')}"


def _words_for(exc: Exception, url: str) -> tuple[str, bool]:
    """What is wrong, and whether it may pass."""
    if isinstance(exc, aiohttp.ClientConnectorDNSError) and exc.host != URL(url).raw_host:
        return "the proxy's name cannot be resolved", True
    if isinstance(exc, OSError) and not isinstance(exc, aiohttp.ClientError) and exc.errno in _OF_THIS_MACHINE:
        return "this machine cannot read the list now", True
    return next((text, passes) for kind, text, passes in _FAULTS if isinstance(exc, kind))


def _proxy_fault(status: int, url: str) -> FetchError:
    """The proxy makes no connection to the server."""
    fault = PassingError if status in PASSING_STATUSES else FetchError
    return fault(f"the proxy refused: {status_in_words(status)}: {shown_url(url)}", _PROXY_HINTS.get(status, ""))


def _head_fault(message: str) -> tuple[str, str]:
    """What is wrong with the head of an answer, by aiohttp's message, which quotes the head and is not shown."""
    if message.startswith("Got more than"):
        return (
            f"the answer has a header of more than {LONGEST_HEADER} bytes",
            "no more is read of one: its server must send less",
        )
    if message.startswith("Too many headers"):
        return "the answer has more than 128 headers", "no more are read: its server must send fewer"
    return "the answer is not proper HTTP", ""


def concealed(error: FetchError | ParseError, secrets: Iterable[str]) -> FetchError | ParseError:
    """The same fault without a secret in its text."""
    message = conceal(error.message, secrets)
    if isinstance(error, FetchError):
        shown = FetchError(message, conceal(error.hint, secrets), error.retry_after)
        shown.was_sent = error.was_sent
        return shown
    # The parser's own hint may quote the list.
    return ParseError(message, "no text of the list is shown, because its server may echo a secret")


def _detail(exc: Exception) -> str:
    """The reason that the system or OpenSSL gives; aiohttp's own would show addresses and objects."""
    if not isinstance(exc, OSError):
        return ""
    if reason := tls_reason(exc):
        return f" ({quoted(reason)})"
    if not exc.errno:
        return " (the server hung up)" if isinstance(exc, aiohttp.ClientConnectorError) else ""
    # Faults of the name service have negative numbers and a text of their own.
    return f" ({quoted(os.strerror(exc.errno) if exc.errno > 0 else str(exc.strerror))})"


# Why no TLS connection came about, as OpenSSL says it. The errno of its errors is none of the system: 1 would read EPERM.

_TRUST = (
    "put the certificate of its authority into /usr/local/share/ca-certificates and run update-ca-certificates, or name it as "
    "`ca` of the source"
)

_STRICT = "Python 3.13 and later ask for what RFC 5280 asks for"

# By number: X509_V_ERR in x509_vfy.h of OpenSSL.
_CERTIFICATE_FAULTS = {
    2: ("was issued by an authority that this machine does not know", _TRUST),
    9: ("is not valid yet", "is the clock of this machine right?"),
    10: ("has expired", "the server's administrator must renew it; is the clock of this machine right?"),
    18: ("is self-signed", f"if it is the right one, {_TRUST}"),
    19: ("was issued by an authority that this machine does not know", _TRUST),
    20: ("was issued by an authority that this machine does not know", _TRUST),
    21: ("was issued by an authority that this machine does not know", _TRUST),
    62: ("is for another host name", "write the name that the certificate has into the source's url"),
    64: ("is for another address", "write the name that the certificate has into the source's url"),
    92: (
        "was issued by an authority whose own certificate lacks the extension keyUsage",
        f"{_STRICT}: make the authority's certificate anew with critical keyUsage keyCertSign, and install it on this machine",
    ),
}

# What only X509_V_FLAG_X509_STRICT asks for, from X509_V_ERR_PATHLEN_INVALID_FOR_NON_CA on.
_STRICT_FAULTS = range(80, 95)

_HUNG_UP = "the server hung up in the middle of TLS"

_CLIENT_CERTIFICATE = "the server demands a client certificate: see client_certificate of the source"

_REASON = re.compile(r"\[SSL: ([A-Z0-9_]+)\]")

_REASONS = {
    "WRONG_VERSION_NUMBER": "the server does not speak TLS on this port",
    "HTTP_REQUEST": "the server does not speak TLS on this port",
    "PACKET_LENGTH_TOO_LONG": "the server does not speak TLS on this port",
    "RECORD_LAYER_FAILURE": "the server does not speak TLS on this port",
    "UNSUPPORTED_PROTOCOL": "the server speaks only old versions of TLS",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server and this machine have no version of TLS in common",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _CLIENT_CERTIFICATE,
    "UNEXPECTED_EOF_WHILE_READING": _HUNG_UP,
}


def certificate_fault(error: Exception) -> tuple[str, str]:
    """What is wrong with the server's certificate, and what to do about it."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return "the server's certificate is not valid", ""
    known = _CERTIFICATE_FAULTS.get(error.verify_code)
    if known is not None:
        return f"the server's certificate {known[0]}", known[1]
    if error.verify_code in _STRICT_FAULTS:
        hint = f"{_STRICT}: it or the certificate of its authority must be made anew"
        return f"the server's certificate is not valid by RFC 5280: {quoted(error.verify_message)}", hint
    return f"the server's certificate is not valid: {quoted(error.verify_message)}", ""


def tls_reason(error: OSError) -> str:
    """OpenSSL's reason in words; empty for an error that is none of OpenSSL's."""
    found = _REASON.search(f"{error.strerror} {error}")
    if found is None:
        return "the TLS connection failed" if isinstance(error, ssl.SSLError) else ""
    return _REASONS.get(found[1], found[1].lower().replace("_", " "))


def tls_fault_lasts(error: OSError) -> bool:
    """Whether another try would end the same: the two sides do not fit, and no packet was lost."""
    found = _REASON.search(f"{error.strerror} {error}")
    return found is not None and _REASONS.get(found[1], _HUNG_UP) is not _HUNG_UP
