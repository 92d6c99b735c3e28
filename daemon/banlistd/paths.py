"""Where things are on this machine."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things are. `credentials`: the folder that systemd's LoadCredential= fills, if any. `root`: where the
    files of other programs are looked for.
    """

    config: Path
    state: Path
    runtime: Path
    credentials: Path | None = None
    root: Path = Path("/")

    @property
    def database(self) -> Path:
        return self.state / "banlistd.db"

    @property
    def fleet(self) -> Path:
        """Of a hub: what it publishes, and what the owners of the fleet signed."""
        return self.state / "fleet"

    @property
    def secret_folders(self) -> tuple[Path, ...]:
        """Where credentials are: no list is read from there."""
        return (self.config / "credentials", self.notify_credentials, *((self.credentials,) if self.credentials else ()))

    @property
    def notify_credentials(self) -> Path:
        """Those of banlistd-notify, which the daemon does not get."""
        return self.config / "notify-credentials"

    @property
    def scratch(self) -> Path | None:
        """Where a passing copy of the database may be made if its own disk cannot be written; None: where the system says."""
        return self.runtime if self.runtime.is_dir() else None

    @property
    def socket(self) -> Path:
        return self.runtime / "control.sock"
