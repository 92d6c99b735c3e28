"""Secrets from systemd's credentials directory, by name.

Each under its own name (LoadCredential=NAME:FILE), or as one of a folder (LoadCredential=banlistd:FOLDER names the files
banlistd_NAME, systemd.exec(5)).
"""

from pathlib import Path

from banlistd.core.config.model import Source
from banlistd.core.credentials import credential_names, is_credential_name
from banlistd.core.printing import quoted
from banlistd.errors import FetchError

_LARGEST = 65_536


def read_credentials(folder: Path | None, source: Source) -> dict[str, str]:
    """The secrets that a source asks for, by name. Raises FetchError."""
    names = {name for text in source.texts_with_secrets for name in credential_names(text)}
    try:
        return {name: read_credential(folder, name) for name in sorted(names)}
    except FetchError as error:
        error.was_sent = False
        raise


def credential_file(folder: Path, name: str) -> Path:
    """Where a credential is, or would be."""
    alone = folder / name
    return alone if alone.exists() else folder / f"banlistd_{name}"


def read_credential(folder: Path | None, name: str) -> str:
    """The content of one credential, without its last line break. Raises FetchError."""
    if not is_credential_name(name):
        raise FetchError(f"{quoted(name)} is no name of a credential", "letters, digits, dot, dash and underscore")
    hint = f"put it into /etc/banlistd/credentials/{name}, or add LoadCredential={name}:/the/file to the unit; restart"
    if folder is None:
        raise FetchError(f"there is no credential {name}: the service was given none", hint)
    try:
        with credential_file(folder, name).open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise FetchError(f"the credential {name} is larger than {_LARGEST} bytes")
        return content.decode().removesuffix("\n")
    except FileNotFoundError as exc:
        raise FetchError(f"there is no credential {name}", hint) from exc
    except OSError as exc:
        raise FetchError(f"cannot read the credential {name}: {exc.strerror}", hint) from exc
    except UnicodeDecodeError:
        raise FetchError(f"the credential {name} is not text in UTF-8") from None
