"""Which lists one parser process may read one after the other: short texts that the same account writes into the same folder.

A process that has read a hostile list may be the attacker's from then on, and answer as he likes for what it reads later. So it
may read only what he could have written himself, and as little as possible of it is left to chance:

* Who may write one of the files may write the others: they have the same owner, no other account may write to them, and no link
  leads from one folder to another, because folders are compared after all links.
* The lists are text, which Python and numpy read. What a library of C unpacks, scans or searches (zlib, xz, zstd, JSON, RE2),
  the likelier prey, is in a process of its own.
* They are short, so that no list leaves much memory behind.

URLs never share. The folder of a URL is not its publisher: `pastebin.com/raw/` has the lists of as many people as it has names,
another server decides by the query, and a redirect leads elsewhere.
"""

import stat

from banlistd.core.download.archives.members import ZIP_MAGICS
from banlistd.core.download.codecs import kind_of
from banlistd.formats import Format, FormatType

SHORT = 1 << 16
"""Bytes of a body: what an empty pipe takes."""

_TEXTS = frozenset(
    {
        *(FormatType.AUTO, FormatType.PLAIN, FormatType.CSV, FormatType.P2P, FormatType.DAT),
        *(FormatType.RBLDNSD, FormatType.DNS_ZONE, FormatType.HOSTS),
    }
)

_NO_ACCOUNT = 65534
"""The owner that the kernel shows where it knows none: the overflow uid of user namespaces and of NFS (user_namespaces(7))."""


def publisher_of_file(folder: str, owner: int, mode: int) -> str:
    """A key of who writes a file, for lists that may share a process; empty where that is not one account.

    `folder`: without links. `owner`: its uid. `mode`: as stat(2) gives it.
    """
    others = mode & (stat.S_IWGRP | stat.S_IWOTH)
    return "" if others or owner == _NO_ACCOUNT or not folder.startswith("/") else f"{owner} {folder}"


def may_share(form: Format, body: bytes) -> bool:
    """Whether a list is a short text that no library of C unpacks, scans or searches."""
    if form.type not in _TEXTS or len(body) > SHORT or not body.isascii() or b"\0" in body:
        return False
    is_packed = kind_of(body) is not None or body.startswith(ZIP_MAGICS)
    may_have_json = b"{" in body or b"[" in body  # `auto` may see JSON lines behind comments
    return not is_packed and not may_have_json
