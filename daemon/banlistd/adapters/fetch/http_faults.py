"""What can go wrong with a request, in words for an administrator."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import aiohttp

from banlistd.adapters.fetch.tls_faults import certificate_fault, tls_fault_lasts, tls_reason
from banlistd.core.credentials import conceal, shown_url
from banlistd.core.printing import quoted
from banlistd.errors import FetchError, ParseError, PassingError

LONGEST_HEADER = 65_536
"""Bytes of one line in the head of an answer; aiohttp reads 128 of them at most. Content-Security-Policy may have 9,000."""

# The first row that fits. The last value says whether the fault may pass.
_FAULTS: tuple[tuple[type[Exception], str, bool], ...] = (
    (aiohttp.ClientSSLError, "no TLS connection could be made", True),
    (aiohttp.ClientConnectorDNSError, "the server's name cannot be resolved", True),
    (aiohttp.ClientProxyConnectionError, "cannot connect to the proxy", True),
    (aiohttp.ClientHttpProxyError, "the proxy refused", False),
    (aiohttp.ClientConnectorError, "cannot connect", True),
    (aiohttp.ServerDisconnectedError, "the server hung up without an answer", True),
    (aiohttp.ClientPayloadError, "the body is cut short or malformed", True),
    (aiohttp.InvalidURL, "the URL cannot be used", False),
    (aiohttp.ClientOSError, "the connection was lost", True),
    (aiohttp.ClientError, "the download failed", True),
    (OSError, "the connection was lost", True),
    (ValueError, "the request could not be made", False),
)


@contextmanager
def fetch_faults(url: str) -> Iterator[None]:
    """Every exception of aiohttp and of the sockets below it becomes a FetchError here."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as exc:
        text, hint = certificate_fault(exc.certificate_error)
        raise FetchError(f"{text}: {shown_url(url)}", hint) from exc
    except aiohttp.ClientResponseError as exc:
        words, hint = _head_fault(exc.message)
        raise FetchError(f"{words}: {shown_url(url)}", hint) from exc
    except tuple(kind for kind, _, _ in _FAULTS) as exc:
        text, passes = next((text, passes) for kind, text, passes in _FAULTS if isinstance(exc, kind))
        fault = PassingError if passes and not (isinstance(exc, OSError) and tls_fault_lasts(exc)) else FetchError
        raise fault(f"{text}: {shown_url(url)}{_detail(exc)}") from exc


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
