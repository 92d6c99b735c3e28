"""The validators of a list in several bodies: those of each URL, in the place of one ETag."""

import hashlib
import json
from collections.abc import Mapping

from banlistd.model import Validators


def url_key(url: str) -> str:
    """A short name of a URL as it is written, so that its validators never go to another one."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def split_validators(validators: Validators) -> Mapping[str, Validators]:
    """By `url_key`; none for validators of one body."""
    try:
        document = json.loads(validators.etag) if validators.etag.startswith("{") else {}
    except ValueError:
        return {}
    return {key: Validators(etag, last_modified) for key, (etag, last_modified) in document.items()}


def joint_validators(parts: Mapping[str, Validators], body_hash: str) -> Validators:
    """`parts` by `url_key`."""
    known = {key: (part.etag, part.last_modified) for key, part in parts.items() if part.etag or part.last_modified}
    return Validators(json.dumps(known, separators=(",", ":")) if known else "", "", body_hash)
