"""Looks at what another hub wants signed, and what it has signed. Arguments: `first`, and the pid of the parent.

As `trust/pull`, it has no right but to read system files, to write one folder and to open TCP, and it has no key. What is
proposed is read only if a hub of the fleet has signed it, and the content of a list goes into a file in memory. Shapes of
order and answer, both JSON: `adapters/fetch/fleet/other_hubs`.
"""

import base64
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.api.metadata import Metadata, Targets
from tuf.api.serialization import DeserializationError

from banlistd.adapters.parser_process.confinement import ConfinementError
from banlistd.adapters.parser_process.network_program import ProgramBounds, become_unprivileged, confine
from banlistd.errors import FleetError, ParseError
from banlistd.trust.ceremony.keys import use_openssl
from banlistd.trust.ceremony.making import HUB
from banlistd.trust.columns import write_columns
from banlistd.trust.mirrors import Mirrors
from banlistd.trust.repository.online import FULL
from banlistd.trust.repository.proposals import COSIGNED, PENDING, proposal_of

_LARGEST_ORDER = 2**20
LARGEST_PENDING, _LARGEST_COSIGNED = 4 * 2**20, 2**20
_MORE_THAN_A_LIST = 2**20
_MOST_REASON, _MOST_REFUSED, _MOST_ASKED = 400, 1000, 1000
_MISSING = (403, 404)
_FAULTS = (DownloadError, OSError)
_UNFIT = (
    *(FleetError, RepositoryError, DeserializationError, ParseError, ValueError, LookupError, TypeError, AttributeError),
    RecursionError,
)
"""What a proposal raises that is not as hubs write it. It keeps no other one from being looked at."""


class HubLook:
    """One order."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self._order = order
        self._mirrors = Mirrors([order["url"]], order["ca"], order["agent"])
        self._targets = Metadata[Targets].from_bytes(base64.b64decode(order["targets"]))
        self._lists = {one["name"]: one for one in order["lists"]}

    def run(self) -> dict[str, Any]:
        url, within = self._order["url"], self._order["within"]
        with closing(self._mirrors):
            self._mirrors.begin(url, within, within, 0.0)
            try:
                return self._hub(url)
            except _FAULTS as error:
                cause = error.__cause__ if isinstance(error, DownloadError) and error.__cause__ else error
                return {"fault": (str(cause) or type(cause).__name__)[:_MOST_REASON]}

    def _hub(self, url: str) -> dict[str, Any]:
        cosigned = self._file(f"{url}/{COSIGNED}", _LARGEST_COSIGNED).decode("utf-8", "replace")
        said = {"cosigned": cosigned, "refused": _refused(cosigned)}
        try:
            pending = json.loads(self._file(f"{url}/{PENDING}", LARGEST_PENDING) or b'{"metadata": {}}')
            asked = {str(role): one for role, one in islice(pending["metadata"].items(), _MOST_ASKED)}
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return {**said, "fault": f"{PENDING} cannot be read"}
        return {**said, "asked": [self._asked(url, role, one) for role, one in asked.items()]}

    def _file(self, url: str, most: int) -> bytes:
        """Empty where there is none."""
        try:
            return self._mirrors.download_bytes(url, most)
        except DownloadHTTPError as error:
            if error.status_code in _MISSING:
                return b""
            raise

    def _asked(self, url: str, role: str, document: Any) -> dict[str, Any]:
        about: dict[str, Any] = {"role": role, "version": 0, "metadata": "", "content": ""}
        try:
            about["metadata"] = json.dumps(document)
            metadata = proposal_of(document)
            about["version"] = metadata.signed.version
            by = self._targets.signed.get_verification_result(HUB, metadata.signed_bytes, metadata.signatures)
            if not by.signed:
                return {**about, "fault": "no hub of the fleet has signed it"}
            return about if role == HUB or role not in self._lists else {**about, **self._list(url, role, metadata.signed)}
        except (*_UNFIT, *_FAULTS) as error:
            return {**about, "fault": (str(error) or type(error).__name__)[:_MOST_REASON]}

    def _list(self, url: str, name: str, signed: Targets) -> dict[str, Any]:
        wanted, whole = self._lists[name], signed.targets[f"{name}/{FULL}"]
        content = str((whole.custom or {}).get("content", ""))
        if content in wanted["known"]:
            return {"content": content}
        if whole.length > wanted["max_bytes"]:
            return {"fault": f"{FULL} has {whole.length} bytes, more than max_bytes"}
        # Only now: numpy takes longer than all else.
        from banlistd.core.addresses.fleet_files.files import whole_list  # noqa: PLC0415

        digest = whole.hashes["sha256"]
        octets = self._mirrors.download_bytes(f"{url}/targets/{name}/{digest}.{FULL}", whole.length)
        whole.verify_length_and_hashes(octets)
        addresses = whole_list(octets, wanted["max_bytes"])
        if addresses.content_hash() != content:
            return {"fault": "its file is not the content that it says"}
        return {"content": content, "counts": write_columns(wanted["result"], addresses)}


def _refused(cosigned: str) -> list[tuple[str, int, str]]:
    """What the other hub says that it does not sign: only shown."""
    try:
        found = json.loads(cosigned)["refused"][:_MOST_REFUSED] if cosigned else []
        return [(str(one["role"]), int(one["version"]), str(one["reason"])[:_MOST_REASON]) for one in found]
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return []


def run_look(arguments: list[str]) -> int:
    stage, parent = arguments
    try:
        become_unprivileged(int(parent), is_first=stage == "first")
        order = json.loads(sys.stdin.buffer.read(_LARGEST_ORDER))
        tempfile.tempdir = order["folder"]
        largest = max((one["max_bytes"] for one in order["lists"]), default=0)
        reads = tuple(filter(None, [order["ca"]]))
        confine(ProgramBounds(Path(order["folder"]), largest + _MORE_THAN_A_LIST, order["seconds"], reads))
    except ConfinementError as error:
        sys.stdout.write(json.dumps({"fault": f"it cannot give up its rights: {error}"}))
        return 78
    use_openssl()
    sys.stdout.write(json.dumps({"hub": HubLook(order).run()}))
    return 0


if __name__ == "__main__":
    sys.exit(run_look(sys.argv[1:]))
