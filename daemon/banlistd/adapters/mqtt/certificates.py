"""Certificates for the connection to the broker."""

import ssl
from collections.abc import Sequence
from pathlib import Path

from banlistd.core.printing import quoted
from banlistd.errors import BusError


def tls_context(ca: Path, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, the broker's name is checked. Raises BusError."""
    try:
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            # Without a password, OpenSSL would ask on the terminal for that of an encrypted key.
            context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        hint = "they must be PEM, the key must belong to the certificate, and it must not be encrypted"
        raise BusError("the certificates for the broker cannot be used", hint) from error
    except OSError as error:
        # OpenSSL does not say which of the three it is.
        name = quoted(str(_unreadable([ca, *(each for each in (certificate, key) if each is not None)]) or ca))
        raise BusError(f"cannot read {name}: {error.strerror}", "the account of the service must be able to read it") from error
    return context


def _unreadable(files: Sequence[Path]) -> Path | None:
    """The first one that cannot be read."""
    for file in files:
        try:
            with file.open("rb"):
                pass
        except OSError:
            return file
    return None
