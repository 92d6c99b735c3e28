"""The credentials of banlistd-notify: those of systemd, else the files that it would have been given."""

from collections.abc import Iterable
from pathlib import Path

from banlistd.core.credentials import credential_names
from banlistd.errors import DeliveryError

_LARGEST = 65_536


class Secrets:
    """`folders`: where they are looked for, in order. systemd names the files of a folder `banlistd_NAME` (systemd.exec(5))."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)

    def of(self, texts: Iterable[str]) -> dict[str, str]:
        """Those that the texts refer to, by name. Raises DeliveryError."""
        return {name: self._read(name) for text in texts for name in credential_names(text)}

    def _read(self, name: str) -> str:
        for path in (folder / file for folder in self._folders for file in (name, f"banlistd_{name}")):
            try:
                with path.open("rb") as file:
                    content = file.read(_LARGEST + 1)
                return content.decode().strip()
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError) as exc:
                reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
                raise DeliveryError(f"the credential {name} cannot be read: {reason}") from exc
        raise DeliveryError(
            f"there is no credential {name}",
            f"put it into /etc/banlistd/notify-credentials/{name}, then: systemctl restart banlistd-notify",
        )
