"""Errors as answers of the control socket: an HTTP status and a JSON document."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from banlistd.errors import (
    AlreadyRunningError,
    BanlistdError,
    ChangedContentError,
    ChangedExportError,
    ConfigError,
    FetchError,
    GeoError,
    NoSuchSourceError,
    NotAllowedError,
    NotRunningError,
    ParseError,
    RefusedError,
    StaleGenerationError,
    TooManyConnectionsError,
    UsageError,
)

# The first class that fits an error gives its status; an error of none of them is the daemon's own failure: 500.
_STATUSES: tuple[tuple[type[BanlistdError], int], ...] = (
    (UsageError, 400),
    (NotAllowedError, 403),
    (NoSuchSourceError, 404),
    (AlreadyRunningError, 409),
    (StaleGenerationError, 409),
    (ChangedExportError, 409),
    (ConfigError, 422),
    (ParseError, 422),
    (RefusedError, 422),
    (FetchError, 502),
    (GeoError, 503),
    (NotRunningError, 503),
    (TooManyConnectionsError, 503),
)


class Fault(TypedDict):
    """`kind`: the class of the error. `problems`: lines about a wrong configuration or about changed content."""

    kind: str
    message: str
    hint: str
    exit_code: int
    problems: NotRequired[list[str]]


class FaultAnswer(TypedDict):
    error: Fault


def status_of(kind: type[BanlistdError]) -> int:
    """The HTTP status of a class of errors."""
    return next((status for known, status in _STATUSES if issubclass(kind, known)), 500)


def fault_answer(error: BanlistdError) -> FaultAnswer:
    fault: Fault = {
        "kind": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    if isinstance(error, ConfigError | ChangedContentError):
        fault["problems"] = [*error.problems]
    return {"error": fault}


def protocol_fault(status: int, most_octets: int) -> str:
    """What an HTTP status that aiohttp gives means; empty for one that it does not give for a wrong request."""
    faults: Mapping[int, str] = {
        404: "no such path",
        405: "no such method on this path",
        413: f"the body is larger than {most_octets} bytes",
    }
    return faults.get(status, "")
