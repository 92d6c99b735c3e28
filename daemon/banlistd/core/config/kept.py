"""The files of a configuration as they were, and which of them a start puts in force. Pure."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from banlistd.core.config.model import Config

Files = Mapping[str, bytes]
"""Content by name, relative to the folder of the configuration, in the order in which they are read."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """`files`: what `config` was read from."""

    config: Config
    files: Files


@dataclass(frozen=True, slots=True)
class Kept:
    """What is written down. `in_force`: the configuration in force last, empty if none is known. `tried`: waits for its
    confirmation. `refused`: was not confirmed in time.
    """

    in_force: Files = field(default_factory=dict)
    tried: Files = field(default_factory=dict)
    refused: Files = field(default_factory=dict)


def unconfirmed(files: Files, kept: Kept) -> bool:
    """Whether a start must not put these files in force: a trial was under way, or exactly they were not confirmed. Not where
    they are those that were in force.
    """
    return bool(kept.in_force) and files != kept.in_force and (bool(kept.tried) or files == kept.refused)


def text_of_files(files: Files) -> str:
    return json.dumps({name: base64.b64encode(content).decode() for name, content in files.items()})


def files_of_text(text: str) -> Files:
    """The files; none for a text that is damaged."""
    try:
        return {str(name): base64.b64decode(content, validate=True) for name, content in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        return {}
