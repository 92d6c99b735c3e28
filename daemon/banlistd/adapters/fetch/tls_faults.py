"""Why no TLS connection came about, as OpenSSL says it. The errno of its errors is none of the system: 1 would read EPERM."""

import re
import ssl

from banlistd.core.printing import quoted

_TRUST = "put the certificate of its authority into /usr/local/share/ca-certificates and run update-ca-certificates"

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

_CLIENT_CERTIFICATE = "the server demands a client certificate, and banlistd sends none"

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
