"""What can go wrong with a request, in words for an administrator."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from banlistd.adapters.fetch.tls_faults import certificate_fault, tls_fault_lasts, tls_reason
from banlistd.core.credentials import shown_url
from banlistd.core.printing import quoted
from banlistd.errors import FetchError, PassingError

# The first row that fits. The last value says whether the fault may pass.
_FAULTS: tuple[tuple[type[Exception], str, bool], ...] = (
    (aiohttp.ClientSSLError, "no TLS connection could be made", True),
    (aiohttp.ClientConnectorDNSError, "the server's name cannot be resolved", True),
    (aiohttp.ClientProxyConnectionError, "cannot connect to the proxy", True),
    (aiohttp.ClientHttpProxyError, "the proxy refused", False),
    (aiohttp.ClientConnectorError, "cannot connect", True),
    (aiohttp.ServerDisconnectedError, "the server hung up without an answer", True),
    (aiohttp.ClientPayloadError, "the body is cut short or malformed", True),
    (aiohttp.ClientResponseError, "the answer is not proper HTTP", False),
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
    except tuple(kind for kind, _, _ in _FAULTS) as exc:
        text, passes = next((text, passes) for kind, text, passes in _FAULTS if isinstance(exc, kind))
        fault = PassingError if passes and not (isinstance(exc, OSError) and tls_fault_lasts(exc)) else FetchError
        raise fault(f"{text}: {shown_url(url)}{_detail(exc)}") from exc


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
