"""What is declared of an event, and the journal fields that events carry."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Self


class Priority(IntEnum):
    """The levels of syslog(3) that are used. The name in lower case is the `level` of logfmt and JSON."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7

    @property
    def level(self) -> str:
        return self.name.lower()


class Field(StrEnum):
    """A journal field that an event may carry, and what it says. Fields without a value are left out."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    SOURCE_ID = "SOURCE_ID", "The id of the source in the configuration; `manual` for manual bans."
    CONTENT_HASH = "CONTENT_HASH", "The SHA-256 of the parsed content in canonical form."
    RUN_ID = "RUN_ID", "The id of the import run, as in `banlistctl history`."
    ADDED = "ADDED", "The number of ranges that were added to the firewall."
    REMOVED = "REMOVED", "The number of ranges that were removed from the firewall."
    ENTRIES = "ENTRIES", "The number of ranges in the list."
    REJECTED = "REJECTED", "The number of lines in the list without a usable address."
    MIRROR = "MIRROR", "The address of the mirror of the fleet."
    REASON = "REASON", "The reason as text; for a manual ban, its comment."
    REPAIRS = "REPAIRS", "The number of repairs since the first one of recurring drift."
    GUARD = "GUARD", "The guard that refused the content."
    CULPRIT = "CULPRIT", "The process that changed the firewall, as the kernel reports it: `nft[4711]`."
    ADDRESS = (
        "ADDRESS",
        "The address or range that was carved out, allowed or banned manually, or a host name that was allowed.",
    )
    ORIGIN = "ORIGIN", "The origin of a manual ban: the program or person that asked for it."
    EXPIRES_AT = "EXPIRES_AT", "The end of a manual ban, in seconds since the epoch; absent: it does not expire."
    CONFIRM_BY = (
        "CONFIRM_BY",
        "The time by which a manual ban must be confirmed, in seconds since the epoch; absent: it needs not.",
    )
    ORDER = "ORDER", "The command that was sent to the control socket, or over MQTT."
    OPERATOR = "OPERATOR", "The name of the operator who signed an order over MQTT; `button` for a button of Home Assistant."
    NODE = "NODE", "The id of a node of the fleet."
    UID = "UID", "The user id of the process that sent the command, as the kernel reports it."
    FILE = "FILE", "The file, relative to the folder of the configuration."
    LINE = "LINE", "The line in it, counted from 1."
    DURATION_MS = "DURATION_MS", "The duration in milliseconds."
    PACKETS = "PACKETS", "The number of packets that were counted."
    NETWORKS = "NETWORKS", "The number of networks that were looked up."
    UNKNOWN = "UNKNOWN", "The number of networks that no database or service knows."
    GOOD_AT = "GOOD_AT", "The time when the list was last good, in seconds since the epoch."
    CHANGED_AT = "CHANGED_AT", "The time when the content of the list last changed, in seconds since the epoch."
    RECEIVER = "RECEIVER", "The receiver of a notice: the name of its credential, or the command of a hook."
    VERSION = "VERSION", "The version of what a hub publishes for its fleet, or of the fleet's root of trust."
    ERROR_CLASS = "ERROR_CLASS", "The class of the error, for a bug report."


@dataclass(frozen=True, slots=True)
class EventKind:
    """One event.

    `message_id`: fixed for ever, because filters and the catalogue use it; a new one comes from `systemd-id128 new`.
    `subject`: one line without a full stop. `explanation`: for `journalctl -x`, ends with the next step; each line is a
    paragraph, or an example if it begins with four blanks (two blanks before its comment). Both may contain `@FIELD@`.
    """

    name: str
    message_id: str
    priority: Priority
    fields: tuple[Field, ...]
    subject: str
    explanation: str
