"""Connections through a proxy of SOCKS. Imported where one is named: few hosts have one, and its library has many modules."""

import re
import ssl

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError
from python_socks import parse_proxy_url

from banlistd.core.credentials import shown_url
from banlistd.core.download.redirects import literal_address
from banlistd.core.printing import quoted
from banlistd.errors import FetchError, PassingError

_SOCKS5 = re.compile(r"(?i)^socks5h?://")

_FAULTS: tuple[tuple[type[Exception], str, type[FetchError]], ...] = (
    (ProxyConnectionError, "cannot connect to the proxy", PassingError),
    (ProxyTimeoutError, "the proxy did not answer", PassingError),
    (ProxyError, "the proxy refused", FetchError),
    (EOFError, "the proxy hung up", PassingError),
)


class _Connector(ProxyConnector):
    """Its faults are ours, or aiohttp's: that does not know those of the library."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> Connection:
        try:
            return await super().connect(req, traces, timeout)
        except ssl.SSLCertVerificationError as exc:
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, exc) from exc
        except ssl.SSLError as exc:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, exc) from exc
        except tuple(kind for kind, _, _ in _FAULTS) as exc:
            text, fault = next((text, fault) for kind, text, fault in _FAULTS if isinstance(exc, kind))
            raise fault(f"{text}: {shown_url(str(req.url))}") from exc


async def through_socks(resolver: AbstractResolver, proxy: str, tls: ssl.SSLContext | bool) -> aiohttp.BaseConnector:
    """The name of the proxy is resolved here: its library takes the threads of the event loop for that.

    Raises FetchError for a proxy that is written wrongly, and from each connection.
    """
    try:
        kind, host, port, user, password = parse_proxy_url(_SOCKS5.sub("socks5://", proxy))
    except ValueError as exc:
        raise FetchError("the proxy cannot be used", "write socks5://host:1080") from exc
    try:
        address = host if literal_address(host) else (await resolver.resolve(host, port))[0]["host"]
    except OSError as exc:
        raise PassingError(f"the proxy's name cannot be resolved ({quoted(str(exc.strerror))})") from exc
    return _Connector(
        address,
        port,
        proxy_type=kind,
        username=user,
        password=password,
        rdns=True,
        use_dns_cache=False,
        force_close=True,
        ssl=tls,
    )
