"""How a list proves that it is its publisher's: what is published beside it, and whose key signs it."""

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from banlistd.core.config import kinds, web
from banlistd.core.config.keys import Key, Section
from banlistd.core.config.values import Unfit
from banlistd.core.printing import shown


class CheckKind(StrEnum):
    """What is checked; each kind is a key of its own."""

    SHA256 = "sha256"
    MINISIGN = "minisign"
    PGP = "pgp"

    @property
    def noun(self) -> str:
        return "checksum" if self is CheckKind.SHA256 else "signature"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key of minisign or signify: 8 bytes that name it, and 32 of Ed25519."""

    key_id: bytes
    ed25519: bytes


@dataclass(frozen=True, slots=True)
class Check:
    """`place`: a url, or an ending that begins with a dot and is added to the path of the list's own url."""

    kind: CheckKind
    place: str


_ENDING = re.compile(r"\.[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)


def sidecar_place(text: str) -> str:
    """The place of a `Check`, as written."""
    if not text.startswith("."):
        return web.url(text)
    if not _ENDING.fullmatch(text):
        raise Unfit(f"{shown(text)} is no ending of a file's name", "write .sha256, or an address: https://host/path")
    return text


# Two letters for the algorithm, the id and the key; base64 of them begins with RW.
_LENGTH = 2 + 8 + 32
_ALGORITHM = b"Ed"


def public_key(text: str) -> PublicKey:
    """Of the one line that minisign -G and signify -G print, and write as the second line of the public key file."""
    hint = "write the line of its file that begins with RW"
    try:
        octets = b64decode(text, validate=True)
    except ValueError:
        raise Unfit(f"{shown(text)} is no key of minisign or signify", hint) from None
    if len(octets) != _LENGTH or not octets.startswith(_ALGORITHM):
        raise Unfit(f"{shown(text)} is no key of minisign or signify", hint)
    return PublicKey(octets[2:10], octets[10:])


_PLACE = kinds.scalar(
    sidecar_place,
    {**kinds.TEXT, "pattern": r"^(https?://|\.)"},
    "a url, or an ending as `.sha256`",
    examples=(".beside", "https://mirror.example/sums"),
)
_KEY = kinds.scalar(
    public_key,
    {**kinds.TEXT, "pattern": "^RW"},
    "one line that begins with RW",
    show=lambda _: "",
    examples=("RWQAAQIDBAUGByAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify(Section):
    """Everything that is written is checked, and all of it must fit."""

    title = "verify"
    intro = (
        "At least one check; all must pass. What is checked is the file as its publisher has it: of `list.txt.gz` the packed "
        "bytes. Its server is therefore asked for no compression of its own. Where a check fails, or what it needs cannot be "
        "fetched, nothing of the list is read, and the last good version stays."
    )

    sha256: Annotated[
        str,
        Key(
            _PLACE,
            "Where the SHA-256 of the list is: a url, or an ending that is added to the list's own. It finds damage; against "
            "a forged list it helps only if it is on another server.",
        ),
    ] = ""
    minisign: Annotated[
        str, Key(_PLACE, "Where the signature of minisign or signify is. Without it, `.minisig` where there is a `key`.")
    ] = ""
    key: Annotated[PublicKey | None, Key(_KEY, "The publisher's public key of minisign or signify.")] = None
    pgp: Annotated[
        str,
        Key(_PLACE, "Where the detached OpenPGP signature is. Without it, `.asc` where there is a `keyring`. It needs gpgv."),
    ] = ""
    keyring: Annotated[
        Path | None,
        Key(
            kinds.PATH,
            "A file with the publisher's OpenPGP keys, as `gpg --export` writes it. Each of them is trusted.",
        ),
    ] = None

    def complaints(self) -> Iterator[tuple[str, str]]:
        if not self.checks:
            yield "checks nothing", "write {sha256: .sha256}, {key: RW...}, or {keyring: keys/a.gpg}"
        if self.minisign and self.key is None:
            yield "has no key for minisign", "add key: the line of the publisher's public key that begins with RW"
        if self.pgp and self.keyring is None:
            yield "has no keyring for pgp", "add keyring: the file with the publisher's keys"

    @property
    def checks(self) -> tuple[Check, ...]:
        places = (
            (CheckKind.SHA256, self.sha256),
            (CheckKind.MINISIGN, self.minisign or (".minisig" if self.key else "")),
            (CheckKind.PGP, self.pgp or (".asc" if self.keyring else "")),
        )
        return tuple(Check(kind, place) for kind, place in places if place)

    @property
    def urls(self) -> tuple[str, ...]:
        """Those that are written, as they are written."""
        return tuple(place for place in (self.sha256, self.minisign, self.pgp) if place and not place.startswith("."))


VERIFY = kinds.section(Verify, "verify", may_be_empty=False)
