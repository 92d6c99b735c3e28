"""One order of the program `trust/pull`: the newest lists of a fleet, from its mirrors.

What is signed is verified by python-tuf, unchanged, against the root of trust. The contents of lists go into files in memory
that the caller made; the answer has what was verified on the way, also where a mirror was refused, so that it is never asked
for less again. Shapes of order and answer: `adapters/fetch/fleet/pulling`.
"""

import base64
import os
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tuf.api.exceptions import DownloadError, DownloadLengthMismatchError, ExpiredMetadataError, RepositoryError
from tuf.api.metadata import Metadata
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from banlistd.core.fleet.kept_rows import LARGEST_ROLE, rows_to_keep
from banlistd.trust.columns import write_columns
from banlistd.trust.metadata_folder import MetadataFolder
from banlistd.trust.mirrors import Mirrors, NoMirrors

_TOP = ("timestamp", "snapshot", "targets")
_MOST_DELEGATIONS = 3
"""Roles on the way to a file: targets, hub and that of the list."""

_MOST_WITHDRAWN = 64
"""Contents of a list; a hub names 16."""

_HIGHEST_VERSION = 2**63 - 1
"""The highest number that SQLite stores. Who has stolen the key of a hub may sign any."""

_FAULTS = (RepositoryError, DownloadError, OSError, ValueError)


class _UnfitContentError(Exception):
    """A file that is signed, and whose content is not what was signed for it."""


class Pull:
    """One order. `answer`: as far as it has come."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self._order = order
        self._folder = Path(order["folder"])
        self._given = {name: base64.b64decode(text) for name, text in order["rows"].items()}
        self._metadata = MetadataFolder(self._folder / "metadata")
        self._mirrors = Mirrors(order["urls"], order["ca"], order["agent"])
        self._waiting = {one["name"]: one for one in order["lists"]}
        self._now = max(order["now"], order["floor"])
        # What there was before the mirror that is asked.
        self._before: Mapping[str, bytes] = self._given
        self.answer: dict[str, Any] = {"mirror": "", "floor": order["floor"], "refused": [], "lists": {}}

    def run(self) -> None:
        with closing(self._mirrors):
            self._run()

    def _run(self) -> None:
        self._metadata.write(self._given)
        urls, end, asked = self._order["urls"], time.monotonic() + self._order["within"], set()
        if self._order["compares"] and len(urls) > 1:
            urls = self._mirrors.newest_first(self._order["within"] / 4)
        for number, url in enumerate(urls):
            # Each mirror may take its part of what is left, so that one that is slow keeps no other one from being asked.
            left = end - time.monotonic()
            self._mirrors.begin(url, left / (len(urls) - number), left, self._order["within"] / (2 * len(urls)))
            asked.add(url)
            if self._take_from(url):
                self.answer["mirror"] = url
                break
        silent = {url: error for url, error in self._mirrors.silent.items() if url not in asked}
        self.answer["refused"] += [_refusal(url, error) for url, error in silent.items()]
        self.answer |= {
            "rows": self._kept_rows(),
            "root": self._newest_root(),
            "timestamp": self._newest_timestamp(),
            "late": self._mirrors.late,
            "octets": self._mirrors.octets,
            "requests": self._mirrors.requests,
        }

    def add_root(self) -> None:
        """Whether a root that an administrator brings is proven by those before it: no mirror is asked."""
        self._metadata.write(self._given)
        given, version = base64.b64decode(self._order["new_root"]), 0
        try:
            version = Metadata.from_bytes(given).signed.version
            self._metadata.add_root(version, given)
            self._updater("https://invalid", NoMirrors()).refresh()
        except _FAULTS as error:
            self.answer["refused"].append(_refusal("", error))
        newest = self._newest_root()
        self.answer |= {"accepted": newest["version"] == version, "root": newest, "octets": 0, "requests": 0}
        self.answer["timestamp"] = self._newest_timestamp()
        self.answer["rows"] = self._kept_rows() if self.answer["accepted"] else {}

    def _take_from(self, url: str) -> bool:
        """Whether this mirror had everything that is still wanted."""
        while True:
            self._mirrors.root_from = ""
            try:
                updater = self._updater(url)
                updater.refresh()
                self._must_be_after_floor(_TOP)
                self._must_be_storable()
                self._mirrors.refuse_less(self._newest_timestamp()["version"])
            except _FAULTS as error:
                # A root that is not proven is the fault of the mirror that gave it; a file that does not come is not.
                culprit = url if isinstance(error, DownloadError) else self._mirrors.root_from or url
                self._refuse(culprit, error)
                if culprit == url or culprit not in self._mirrors.roots_from:
                    return False
                self._mirrors.roots_from.remove(culprit)
            else:
                break
        self.answer["floor"] = self._now
        for name in list(self._waiting):
            self._take_list(updater, url, name)
        return not self._waiting

    def _take_list(self, updater: Updater, url: str, name: str) -> None:
        """A list that cannot be taken keeps no other one away."""
        try:
            self.answer["lists"][name] = self._taken(updater, self._waiting[name])
        except _FAULTS as error:
            self._refuse(url, error, name)
        else:
            del self._waiting[name]
            self.answer["mirror"] = url

    def _refuse(self, mirror: str, error: Exception, name: str = "") -> None:
        self.answer["refused"].append(_refusal(mirror, error, name))
        # Nothing that is too old for us may be what we go by, and no version that cannot be kept. Anything else was verified,
        # and is not gone back from.
        is_expired = isinstance(error, ExpiredMetadataError)
        for row, octets in self._metadata.changed(self._before).items():
            is_too_old = is_expired and "/" not in row and self._metadata.end_of(octets) <= self._now
            if is_too_old or self._metadata.signed_in(octets)["version"] > _HIGHEST_VERSION:
                self._metadata.remove(row)
                self._metadata.write({row: self._before[row]} if row in self._before else {})
        self._before = self._metadata.rows()

    def _updater(self, url: str, mirrors: FetcherInterface | None = None) -> Updater:
        targets = self._folder / "targets"
        targets.mkdir(exist_ok=True)
        return Updater(
            str(self._metadata.place),
            f"{url}/metadata/",
            str(targets),
            f"{url}/targets/",
            mirrors or self._mirrors,
            UpdaterConfig(
                max_delegations=_MOST_DELEGATIONS,
                snapshot_max_length=LARGEST_ROLE,
                targets_max_length=LARGEST_ROLE,
                prefix_targets_with_hash=True,
            ),
            bootstrap=base64.b64decode(self._order["pinned"]),
        )

    def _must_be_after_floor(self, roles: tuple[str, ...]) -> None:
        """python-tuf believes the clock; one that has been set back must not make old metadata new."""
        for role in roles:
            octets = self._metadata.content(f"{role}.json")
            if octets and self._metadata.end_of(octets) <= self._now:
                raise ExpiredMetadataError(f"{role}.json is expired for a clock that was later before")

    def _must_be_storable(self) -> None:
        if (version := self._newest_timestamp()["version"]) > _HIGHEST_VERSION:
            raise RepositoryError(f"timestamp.json has version {version}, above {_HIGHEST_VERSION}")

    def _drop_if_old(self, name: str) -> None:
        """python-tuf would verify the role of a list only to find that the snapshot, verified before, names another version."""
        snapshot, role = (self._metadata.content(f"{one}.json") for one in ("snapshot", name))
        signed_in = self._metadata.signed_in
        if role and signed_in(snapshot)["meta"].get(f"{name}.json", {}).get("version") != signed_in(role)["version"]:
            self._metadata.remove(f"{name}.json")

    def _taken(self, updater: Updater, wanted: Mapping[str, Any]) -> dict[str, Any]:
        name, base = wanted["name"], wanted["hash"]
        self._drop_if_old(name)
        whole = updater.get_targetinfo(f"{name}/full.blz")
        self._must_be_after_floor(("hub", name))
        if whole is None:
            return {"state": "absent"}
        content, entries, seq = _custom(whole.custom)
        found = {"content": content, "entries": entries, "seq": seq, "withdrawn": _withdrawn(whole.custom)}
        if content == wanted["known"]:
            return {"state": "same", **found}
        delta = updater.get_targetinfo(f"{name}/{base[:16]}.bld") if base else None
        for target, is_delta in ((delta, True), (whole, False)):
            if target is None or (is_delta and _custom(target.custom)[0] != content):
                continue
            if target.length > wanted["max_bytes"]:
                raise DownloadLengthMismatchError(f"{target.path} has {target.length} bytes, more than max_bytes")
            path = updater.download_target(target, str(self._folder / "targets" / "taken"))
            try:
                counts = _decoded(Path(path).read_bytes(), wanted, content, is_delta=is_delta)
            except _UnfitContentError as error:
                if is_delta:
                    continue  # once more, whole
                raise RepositoryError(f"{target.path}: {error}") from error
            return {"state": "new", **found, "counts": counts, "octets": target.length, "is_delta": is_delta}
        raise RepositoryError(f"{name} has no file")  # not reached: a whole file gives its content, or raises

    def _kept_rows(self) -> dict[str, str]:
        """What is new of what a node keeps: a hub may have delegated to any number of roles."""
        changed = self._metadata.changed(self._given)
        kept = rows_to_keep(changed, [one["name"] for one in self._order["lists"]])
        return {name: _text(octets) for name, octets in kept.items()}

    def _newest_root(self) -> dict[str, Any]:
        root = self._metadata.content("root.json")
        return {"version": self._metadata.signed_in(root)["version"] if root else 0, "octets": _text(root)}

    def _newest_timestamp(self) -> dict[str, Any]:
        if not (octets := self._metadata.content("timestamp.json")):
            return {"version": 0, "expires": 0}
        return {"version": self._metadata.signed_in(octets)["version"], "expires": self._metadata.end_of(octets)}


def _custom(custom: Any) -> tuple[str, int, int]:
    """Content hash, entries and number of a content, as the hub has signed them. Raises RepositoryError."""
    match custom:
        case {"v": 1, "content": str(content), "entries": int(entries), "seq": int(seq)} if len(content) == 64:  # noqa: PLR2004 - SHA-256
            return content, entries, seq
    raise RepositoryError("a list has no content hash that is signed")


def _withdrawn(custom: Any) -> list[str]:
    """Digits of the contents that nodes must not take any more, as the hub has signed them; older hubs sign none."""
    found = custom.get("withdrawn", [])
    return [one for one in found[:_MOST_WITHDRAWN] if isinstance(one, str)] if isinstance(found, list) else []


def _decoded(file: bytes, wanted: Mapping[str, Any], content: str, *, is_delta: bool) -> tuple[int, int, int, int]:
    """Write the arrays of a list into the result file; their lengths. Raises _UnfitContentError."""
    # Only now: a pull without news does not wait for numpy.
    from banlistd.core.addresses.fleet_files.files import base_of, list_after, whole_list  # noqa: PLC0415
    from banlistd.core.addresses.sets import AddressSet  # noqa: PLC0415
    from banlistd.errors import ParseError  # noqa: PLC0415

    try:
        if is_delta:
            base = AddressSet.decode(_content_of(wanted["base"]))
            if base_of(file) != wanted["hash"] or base.content_hash() != wanted["hash"]:
                raise _UnfitContentError("it leads from another content")
            addresses = list_after(file, base, wanted["max_bytes"])
        else:
            addresses = whole_list(file, wanted["max_bytes"])
    except (ParseError, ValueError) as error:
        raise _UnfitContentError(str(error)) from error
    if addresses.content_hash() != content:
        raise _UnfitContentError("it is not the content that was signed")
    return write_columns(wanted["result"], addresses)


def _content_of(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        return file.read()


def _refusal(mirror: str, error: Exception, name: str = "") -> dict[str, str]:
    if isinstance(error, ExpiredMetadataError):
        kind = "expired"
    elif isinstance(error, RepositoryError | DownloadLengthMismatchError):
        kind = "refused"
    else:
        kind = "absent"
    cause = error.__cause__ if isinstance(error, DownloadError) and error.__cause__ else error
    return {"mirror": mirror, "kind": kind, "reason": (str(cause) or type(cause).__name__)[:400], "list": name}


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
