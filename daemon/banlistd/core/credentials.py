"""Secrets in URLs and headers: where they are put in, and how they are kept out of every message.

`${credential:NAME}` is replaced by the content of the file NAME in systemd's credentials directory.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlsplit, urlunsplit

from banlistd.core.printing import printable, quoted

_PLACEHOLDER = re.compile(r"\$\{credential:([^}]*)\}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_DOTS = frozenset({".", ".."})

_CONCEALED = "***"
_CUT = "..."
_RECOGNISABLE = 4
"""Characters: what is shorter tells nothing about a secret."""


def credential_names(text: str) -> tuple[str, ...]:
    """The names that `text` asks for, in order, well-formed or not."""
    return tuple(_PLACEHOLDER.findall(text))


def is_credential_name(name: str) -> bool:
    """Whether a name can only ever mean a file directly in the credentials directory."""
    return bool(_NAME.fullmatch(name)) and name not in _DOTS


def fill(text: str, secrets: Mapping[str, str]) -> str:
    """`text` with each placeholder replaced by its secret."""
    return _PLACEHOLDER.sub(lambda match: secrets[match[1]], text)


def fill_url(url: str, secrets: Mapping[str, str]) -> str:
    """As `fill`, with each secret percent-encoded, so that it cannot change host, path or query around it."""
    return fill(url, {name: quote(secret, safe="") for name, secret in secrets.items()})


def may_contain_secret(url: str) -> bool:
    """Whether a URL has what a server could echo and readers of a journal should not see: a credential, a login, a query."""
    return bool(credential_names(url)) or "@" in url or "?" in url


def conceal(text: str, secrets: Iterable[str]) -> str:
    """`text` without any secret: plain, percent-encoded or escaped, in any case, and with its end cut off by `quoted`."""
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), quote(secret), printable(secret))}
    longest_first = sorted(forms - {""}, key=len, reverse=True)
    for form in longest_first:
        text = re.sub(re.escape(form), _CONCEALED, text, flags=re.IGNORECASE)
    *cut, end = text.split(_CUT)
    return _CUT.join([*(_without_beginning(part, longest_first) for part in cut), end])


def _without_beginning(text: str, secrets: Iterable[str]) -> str:
    """`text` without the beginning of a secret at its end."""
    for secret in secrets:
        for length in range(min(len(secret), len(text)), _RECOGNISABLE - 1, -1):
            if text[-length:].lower() == secret[:length].lower():
                return text[:-length] + _CONCEALED
    return text


def shown_url(url: str) -> str:
    """A URL for a message: no user, no password, no query, no fragment, nothing unprintable."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return quoted(url.partition("?")[0].rpartition("@")[2])
    return quoted(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))
