"""The validators of a list in several bodies: those of each URL, in the place of one ETag."""

import hashlib
import json
from collections.abc import Mapping

from banlistd.model import Validators


def url_key(url: str) -> str:
    """A short name of a URL as it is written, so that its validators never go to another one."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def split_validators(validators: Validators) -> Mapping[str, Validators]:
    """By `url_key`; none for what `joint_validators` has not made: in the ETag of one body its server may write anything."""
    try:
        document = json.loads(validators.etag) if validators.etag.startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    return {key: Validators(*known) for key, known in document.items() if _are_validators(known)}


def _are_validators(known: object) -> bool:
    return isinstance(known, list) and len(known) == 2 and all(isinstance(one, str) for one in known)  # noqa: PLR2004 - two


def joint_validators(parts: Mapping[str, Validators], body_hash: str) -> Validators:
    """`parts` by `url_key`."""
    known = {key: (part.etag, part.last_modified) for key, part in parts.items() if part.etag or part.last_modified}
    return Validators(json.dumps(known, separators=(",", ":")) if known else "", "", body_hash)
