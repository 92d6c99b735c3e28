"""How a source's requests travel: through which proxy, and with which certificates."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from banlistd.adapters.fetch.credentials import credential_file
from banlistd.core.config.kinds import OFF
from banlistd.core.config.model import Source
from banlistd.core.credentials import credential_names, fill_url
from banlistd.core.download.proxies import proxy_of
from banlistd.core.printing import quoted
from banlistd.errors import FetchError


@dataclass(frozen=True, slots=True)
class Route:
    """`proxy`: of the source, with its login; `off`: none; empty: that of the environment. `tls`: for its own origin.

    `elsewhere`: for other origins, to which no certificate is shown. None: the system's authorities.
    """

    proxy: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None
    elsewhere: ssl.SSLContext | None = None

    def proxy_for(self, url: str) -> str:
        """Empty: none."""
        if self.proxy:
            return "" if self.proxy == OFF else self.proxy
        return proxy_of(url, os.environ)


def route_of(source: Source, secrets: Mapping[str, str], credentials: Path | None) -> Route:
    """Reads the certificates that a source names. Raises FetchError. Made to run in a worker thread."""
    proxy = fill_url(source.proxy, secrets)
    if source.ca is None and source.client_certificate is None:
        return Route(proxy)
    elsewhere = _context(source.ca)
    if source.client_certificate is None:
        return Route(proxy, elsewhere, elsewhere)
    tls = _context(source.ca)
    names = credential_names(source.client_key)
    key = credential_file(credentials, names[0]) if names and credentials is not None else None
    _show(tls, source.client_certificate, key)
    return Route(proxy, tls, elsewhere)


def _context(authorities: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authorities)
    except ssl.SSLError as exc:
        hint = "it must have certificates in PEM: -----BEGIN CERTIFICATE-----"
        raise FetchError(f"the ca {quoted(str(authorities))} has no certificate that can be read", hint) from exc
    except OSError as exc:
        hint = "the account of the service must be able to read the file"
        raise FetchError(f"cannot read the ca {quoted(str(authorities))}: {exc.strerror}", hint) from exc


def _show(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Without a password, OpenSSL would ask on the terminal for that of an encrypted key."""
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as exc:
        hint = "both must be PEM, the key must belong to the certificate, and it must not be encrypted"
        raise FetchError(f"the client_certificate {quoted(str(certificate))} and its key cannot be used", hint) from exc
    except OSError as exc:
        hint = "the account of the service must be able to read the file"
        raise FetchError(f"cannot read the client_certificate {quoted(str(certificate))}: {exc.strerror}", hint) from exc
