"""One class per kind of fault: a message, a hint that offers the way out, and an exit code from sysexits.h."""

from typing import ClassVar


class BanlistdError(Exception):
    """Every fault that we know. `message` says what happened, `hint` what to do about it."""

    exit_code: ClassVar[int] = 70  # EX_SOFTWARE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(BanlistdError):
    """The configuration is wrong. `problems` has one readable line for each thing that is."""

    exit_code = 78  # EX_CONFIG

    def __init__(self, message: str, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems


class FetchError(BanlistdError):
    """A list could not be fetched. `retry_after`: seconds that the server asked us to wait, or None.

    `was_sent`: False where no connection was made, so that the server has seen no request.
    """

    exit_code = 69  # EX_UNAVAILABLE

    def __init__(self, message: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after
        self.was_sent = True


class PassingError(FetchError):
    """A fault that may well be gone in a moment: worth another try."""


class MissingError(FetchError):
    """The server has no such list (404)."""


class VerificationError(FetchError):
    """A list cannot be proven to be its publisher's: nothing of it is used."""

    exit_code = 65  # EX_DATAERR


class MismatchError(PassingError):
    """A list and the checksum or signature beside it do not fit together: one of them may just have been renewed."""

    exit_code = 65  # EX_DATAERR


class TrustError(FetchError):
    """What a mirror of a fleet gave is not proven by its root: forged, older than what was seen, mixed, or too large."""

    exit_code = 65  # EX_DATAERR


class ExpiredTrustError(TrustError):
    """What a mirror of a fleet gave was signed too long ago: its hub, or the mirror, has stopped."""


class DeferredError(BanlistdError):
    """A list is not asked for yet. `seconds`: until it may be."""

    exit_code = 75  # EX_TEMPFAIL

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class ParseError(BanlistdError):
    """A body could not be read at all in the format that the source names (a bad line is never this)."""

    exit_code = 65  # EX_DATAERR


class RefusedError(BanlistdError):
    """A guard refused the content; the last good one stays."""

    exit_code = 65  # EX_DATAERR


class ChangedContentError(RefusedError):
    """Content in quarantine is not what the operator looked at. `problems`: the present one, as lines for a person."""

    def __init__(self, message: str, hint: str, problems: tuple[str, ...]) -> None:
        super().__init__(message, hint)
        self.problems = problems


class ChangedExportError(BanlistdError):
    """The content changed while it was exported: what was printed so far is not the whole of any content."""

    exit_code = 75  # EX_TEMPFAIL


class FirewallError(BanlistdError):
    """The firewall did not accept a change; its state is the one before."""

    exit_code = 71  # EX_OSERR


class RefusedRuleError(FirewallError):
    """The kernel or its tool refused a rule that the present sources need; others may be possible."""


class TooLargeError(FirewallError):
    """A transaction does not fit into a socket buffer; parts of it may."""


class LostStructureError(FirewallError):
    """Another program removed what a change builds on: read the firewall again, then write all of it."""


class StaleGenerationError(FirewallError):
    """Another program changed the ruleset between our read and our write: read it again, then write."""


class LedgerError(BanlistdError):
    """The database cannot be used."""

    exit_code = 74  # EX_IOERR


class NewerLedgerError(LedgerError):
    """The database was written by a newer program; it is left alone."""


class ControlSocketError(BanlistdError):
    """The control socket cannot be made: its folder is full or absent, or another file has its name."""

    exit_code = 74  # EX_IOERR, which systemd restarts


class GeoError(BanlistdError):
    """The origin of addresses cannot be looked up: a database cannot be read, or a service does not answer."""

    exit_code = 69  # EX_UNAVAILABLE


class BusError(BanlistdError):
    """There is no connection to the MQTT broker."""

    exit_code = 69  # EX_UNAVAILABLE


class DeliveryError(BanlistdError):
    """A notice was not accepted. `is_final`: another try would not help."""

    exit_code = 69  # EX_UNAVAILABLE

    def __init__(self, message: str, hint: str = "", *, is_final: bool = False) -> None:
        super().__init__(message, hint)
        self.is_final = is_final


class AlreadyRunningError(BanlistdError):
    """Another banlistd works on the same state."""

    exit_code = 75  # EX_TEMPFAIL


class NotRunningError(BanlistdError):
    """No daemon answers on the control socket."""

    exit_code = 69  # EX_UNAVAILABLE


AS_ROOT = "run it as root, or as the account banlistd"
"""What to do where only they may."""


class NotAllowedError(BanlistdError):
    """The control socket is not for this user."""

    exit_code = 77  # EX_NOPERM


class TooManyConnectionsError(BanlistdError):
    """The control socket has as many connections of this user, or of all users, as it serves at a time."""

    exit_code = 75  # EX_TEMPFAIL


class NoSuchSourceError(BanlistdError):
    """A source that the configuration does not name."""

    exit_code = 64  # EX_USAGE


class UsageError(BanlistdError):
    """The command line asks for what cannot be."""

    exit_code = 64  # EX_USAGE


class FleetError(BanlistdError):
    """The repository of a fleet cannot be published, or signed."""

    exit_code = 65  # EX_DATAERR


class FleetFileError(FleetError):
    """A file of the repository, or of a key, cannot be read or written."""

    exit_code = 74  # EX_IOERR


class StoodDownError(FleetError):
    """Another hub of the fleet has been promoted: this one publishes nothing until it is promoted itself."""

    exit_code = 75  # EX_TEMPFAIL
