"""The text of a file with SHA-256 sums -> the sum of one list. From outside: another line is refused."""

import re
from collections.abc import Iterator

from banlistd.core.printing import counted, quoted
from banlistd.errors import VerificationError

_SUM = re.compile(r"([0-9A-Fa-f]{64})(?:[ \t]+\*?(\S.*))?")
"""`HASH`, `HASH  name` or `HASH *name`, as sha256sum writes them."""

_TAGGED = re.compile(r"([A-Za-z0-9/-]{2,20}) ?\((.+)\) ?= ?([0-9A-Fa-f]{16,128})")
"""`SHA256 (name) = HASH`, as BSD's sha256 and openssl dgst write them; other algorithms may be in the same file."""


def sha256_of(text: bytes, name: str) -> str:
    """64 small hexadecimal digits: the only sum in the file, or the one for `name`, the last part of the list's URL.

    Raises VerificationError.
    """
    found = list(_sums(text))
    if len(found) > 1:
        found = [(named, digest) for named, digest in found if named.rpartition("/")[2] == name]
        if not found:
            raise VerificationError(f"its checksum is missing: the file of checksums does not name {quoted(name)}")
    if not found:
        raise VerificationError("its checksum is missing: the file of checksums has none of SHA-256")
    if len({digest for _, digest in found}) > 1:
        raise VerificationError(f"its checksum is not clear: the file of checksums names {quoted(name)} more than once")
    return found[0][1]


def _sums(text: bytes) -> Iterator[tuple[str, str]]:
    """Name, or nothing, and sum of each line."""
    try:
        lines = text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise VerificationError("its checksum cannot be read: the file of checksums is not text") from None
    unnamed = 0
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        if match := _SUM.fullmatch(line):
            unnamed += match[2] is None
            yield match[2] or "", match[1].lower()
        elif match := _TAGGED.fullmatch(line):
            if match[1].upper() in ("SHA256", "SHA2-256", "SHA-256") and len(match[3]) == 64:  # noqa: PLR2004 - digits of SHA-256
                yield match[2], match[3].lower()
        else:
            raise VerificationError(f"its checksum cannot be read: line {number} is no checksum: {quoted(line, 60)}")
    if unnamed > 1:
        raise VerificationError(f"its checksum is not clear: {counted(unnamed, 'line has', 'lines have')} no name")
