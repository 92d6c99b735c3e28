"""The fleet that this machine belongs to: where its signed lists are, and what they are proven by."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from banlistd.core.config import kinds, values, web
from banlistd.core.config.keys import Key, Section
from banlistd.core.config.kinds import scalar
from banlistd.core.config.values import Unfit
from banlistd.core.printing import counted, shown

REPORTS = "reports"
"""The list that a hub makes of what machines report, by its name."""

MOST_COSIGNED = 500
"""Lists that may wait for the signature of another hub at once: all of them fit into the file that it reads, 4 MiB."""

_ID = {**kinds.TEXT, "pattern": "^[a-z0-9][a-z0-9-]{0,39}$"}
_ID_SAYS = "a-z, 0-9 and hyphens, at most 40"


def fleet_id(text: str) -> str:
    """The name of a fleet, or of a list of one."""
    try:
        return values.source_id(text)
    except Unfit as verdict:
        raise Unfit(f"{shown(text)} is no name of a fleet or of its lists", verdict.hint) from verdict


def mirror(text: str) -> str:
    """The address of a copy of the repository, without a slash at its end. It is not secret, and may not contain a secret."""
    found = web.url(text)
    parts = urlsplit(found)
    if parts.query or parts.fragment or parts.username is not None or "${" in found:
        raise Unfit("has more than a host and a path", "write https://mirror.example/fleet")
    if parts.scheme != "https" and not _is_local(parts.hostname or ""):
        raise Unfit(f"{shown(text)} is not encrypted", "write https://; http:// goes to this machine only")
    return found.rstrip("/")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


FLEET_LIST = scalar(fleet_id, _ID, _ID_SAYS, examples=("spamhaus-drop",))
_NAME = scalar(fleet_id, _ID, _ID_SAYS, show=lambda _: "", examples=("main",))
_MIRRORS = kinds.many(
    scalar(mirror, {**kinds.TEXT, "pattern": "^https?://"}, "https:// addresses", examples=("https://a.example/fleet",)),
    "https:// addresses",
)
_ORIGIN = re.compile(r"[A-Za-z0-9*?][A-Za-z0-9 ._/:@+*?-]{0,59}", re.ASCII)


def origin_pattern(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise Unfit(f"{shown(text)} is no pattern of origins", "write fail2ban/*, or operator")
    return text


_ORIGINS = kinds.many(
    scalar(
        origin_pattern,
        {**kinds.TEXT, "pattern": "^[A-Za-z0-9*?][A-Za-z0-9 ._/:@+*?-]{0,59}$"},
        "origins of manual bans, with * and ?",
        examples=("fail2ban/*",),
    ),
    "origins of manual bans, with * and ?",
)


_PUBLISHED = kinds.many(FLEET_LIST, "ids of sources")
_ROLE_NAMES = frozenset({"root", "targets", "snapshot", "timestamp", "hub"})
"""What TUF, and banlistd, call the roles of a repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Section):
    """What this machine publishes for the fleet."""

    title = "fleet.publish"
    intro = "These keys are set below `fleet: publish:`. They make this machine a hub of the fleet."

    lists: Annotated[
        tuple[str, ...],
        Key(_PUBLISHED, "Sources whose lists are published, under their ids, each time that an import of one is completed."),
    ]
    key: Annotated[str, Key(web.ONE_CREDENTIAL, "The private key of this hub, a credential (`banlistctl fleet new-key`).")]
    every: Annotated[
        float,
        Key(
            kinds.duration_between("1s", "1h"),
            "At least so long from one publication of changes to the next; what changes meanwhile is published together.",
        ),
    ] = 10.0
    cosigners: Annotated[
        tuple[str, ...],
        Key(
            _MIRRORS,
            "Where the other hubs of the fleet have their files, if more than one hub must sign each list (`banlistctl fleet "
            "init --hub-threshold 2`). This hub signs what they want to publish if its own source of that name has all of it, "
            "and publishes its own lists once they have signed them.",
        ),
    ] = ()

    def complaints(self) -> Iterator[tuple[str, str]]:
        for name in sorted(_ROLE_NAMES & {*self.lists}):
            yield f"publishes {name}, which no list of a fleet may be called", "give the source another id"
        if not self.lists:
            yield "publishes no list", "write lists: [ID]"
        if self.cosigners and len(self.lists) > MOST_COSIGNED:
            lists = counted(len(self.lists), "list", "lists")
            yield f"publishes {lists}, and hubs sign {MOST_COSIGNED} for each other", "combine some of them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet(Section):
    """One root of trust, and the mirrors of one repository."""

    title = "fleet"
    intro = "These keys are set below `fleet:`. Without it, no source may have `hub`, and nothing of it is in memory."

    name: Annotated[str, Key(_NAME, "The name of the fleet. A change needs a restart; all else may change with a reload.")]
    root: Annotated[
        Path | None,
        Key(
            kinds.ABSOLUTE,
            "The file with the root of trust, as the owner of the fleet gives it (TUF's root.json). Every later root is proven "
            "from it.",
        ),
    ] = None
    urls: Annotated[
        tuple[str, ...],
        Key(_MIRRORS, "The mirrors of the repository, asked in this order. None of them is trusted: what they give is signed."),
    ] = ()
    ca: Annotated[
        Path | None,
        Key(
            kinds.ABSOLUTE,
            "A file with the certificates of the authorities that count for the mirrors, in place of the system's (PEM).",
        ),
    ] = None
    spread: Annotated[
        float,
        Key(
            kinds.duration_between("0s", "1h"),
            "When many machines hear of a new version at once, each waits for a random part of this time.",
        ),
    ] = 30.0
    publish: Annotated[
        Publish | None,
        Key(kinds.section(Publish, "fleet-publish", may_be_empty=False), "The lists that this machine publishes, as a hub."),
    ] = None

    hold: Annotated[
        float,
        Key(
            kinds.duration_between("0s", "7d"),
            "For how long a new version of a list waits in quarantine, so that machines with `hold: 0s` try it first. Then, or "
            "after `banlistctl approve`, it is taken, unless the fleet has withdrawn it. Meanwhile nothing newer is fetched.",
        ),
    ] = 0.0
    report: Annotated[
        tuple[str, ...],
        Key(
            _ORIGINS,
            "Origins of manual bans, with * and ?, that are reported to the hub over MQTT, which lists what enough sites "
            "have reported. Only single addresses are; of IPv6, their /64. Without the key, no address leaves this machine.",
        ),
    ] = ()
    node_key: Annotated[
        str,
        Key(
            web.ONE_CREDENTIAL, "The private key that reports are signed with, a credential; `banlistctl fleet join` makes one."
        ),
    ] = ""

    def complaints(self) -> Iterator[tuple[str, str]]:
        if self.report and not self.node_key:
            yield "has report and no node_key", "add node_key: ${credential:node-key}; banlistctl fleet join makes the key"
        if (self.root is None) != (not self.urls):
            yield "has only one of root and urls", "write both where lists are taken from the fleet, or neither"
