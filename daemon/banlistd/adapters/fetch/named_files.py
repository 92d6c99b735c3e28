"""The files that a configuration names, looked at as the account of the service would: what of it will fail once it is used."""

import json
import os
import pwd
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

from banlistd.adapters.fetch.list_path import open_list
from banlistd.core.config.model import STDIN, Config, Source
from banlistd.core.credentials import credential_names
from banlistd.core.mqtt.certificate_names import common_name
from banlistd.core.mqtt.topics import fit_node_id
from banlistd.core.printing import quoted
from banlistd.errors import FetchError
from banlistd.model import Remark

ACCOUNT = "banlistd"
"""That of the units."""

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))


def remarks_on_named_files(config: Config, credentials: Sequence[Path], account: str = ACCOUNT) -> Sequence[Remark]:
    """What will fail: list files, credentials (in these folders), databases of a `block`, the certificate for the broker.

    root looks as `account` where there is one, anybody else as himself. Call it in a process without other threads.
    """
    sources = [source for source in config.sources if source.enabled]
    return [
        *_as_account(
            account,
            lambda: [
                *(fault for source in sources for fault in _faults_of(source, config, credentials)),
                *_faults_of_certificate(config),
            ],
        ),
        *(remark for source in sources for remark in _missing_credentials(source, credentials)),
    ]


def _faults_of(source: Source, config: Config, closed: Sequence[Path]) -> Sequence[Remark]:
    keyring = source.verify.keyring if source.verify else None
    for key, path in (("ca", source.ca), ("client_certificate", source.client_certificate), ("keyring", keyring)):
        if path is not None and (words := _unreadable(path, closed)):
            return [Remark(f"will fail: {source.id}: {key}: {words}", "the daemon's account must be able to read it")]
    if source.path == STDIN:
        hint = "banlistd --once and --dry-run read it; name a file for the service"
        return [Remark(f"will fail: {source.id}: the service has no standard input", hint)]
    if source.path is not None:
        words = _unreadable(source.path, closed)
        hint = (
            "create the file, or correct its path"
            if "no such file" in words
            else "the daemon's account must be able to read it"
        )
        return [Remark(f"will fail: {source.id}: {words}", hint)] if words else []
    if source.geography is not None and all(_unreadable(path, closed) for path in config.geo.databases):
        words = "; ".join(_unreadable(path, closed) for path in config.geo.databases) or "none is named"
        return [Remark(f"will fail: {source.id}: no database of addresses: {words}", "name one below geo: databases:")]
    return []


def _faults_of_certificate(config: Config) -> Sequence[Remark]:
    """Its name is not that of this host: the access list of the broker goes by the name."""
    mqtt = config.mqtt
    if mqtt is None or mqtt.tls.certificate is None:
        return []
    path = mqtt.tls.certificate
    try:
        name = common_name(ssl.PEM_cert_to_DER_cert(_first_certificate(path.read_bytes().decode("ascii"))))
    except OSError as error:
        words = f"cannot read {path}: {(error.strerror or '').lower()}"
        return [Remark(f"will fail: mqtt: tls: certificate: {words}", "the daemon's account must be able to read it")]
    except ValueError:
        return [Remark(f"will fail: mqtt: tls: certificate: {path} is no certificate", "it must be PEM")]
    node = mqtt.id or fit_node_id(socket.gethostname())
    if name == node or mqtt.user:  # the broker goes by the user
        return []
    words = f"{path} is for {quoted(name, 64)} (CN), and this host is {node} in the topics"
    return [Remark(f"mqtt: {words}", "a broker that goes by the CN takes no message of this host: correct id, or user")]


def _first_certificate(text: str) -> str:
    """Others may follow it, those of authorities. Raises ValueError."""
    begin, end = text.index(_BEGIN), text.index(_END)
    return text[begin : end + len(_END)] + "\n"


def _unreadable(path: Path, closed: Sequence[Path]) -> str:
    """Why a file cannot be read; empty if it can."""
    if os.geteuid() != 0 and any(path.is_relative_to(home) for home in _HOMES) and _is_account():
        return f"{path} is in a home folder, which the service cannot see"
    try:
        os.close(open_list(path, closed, frozenset({0, os.geteuid()})))
    except FetchError as error:
        return error.message
    except OSError as error:
        return f"cannot read {path}: {(error.strerror or '').lower()}"
    return ""


def _is_account() -> bool:
    try:
        return pwd.getpwnam(ACCOUNT).pw_uid == os.geteuid()
    except KeyError:
        return False


def _missing_credentials(source: Source, folders: Sequence[Path]) -> Sequence[Remark]:
    names = dict.fromkeys(name for text in source.texts_with_secrets for name in credential_names(text))
    return [
        Remark(
            f"will fail: {source.id}: there is no credential {name} in {folders[0]}",
            f"put it there, or add LoadCredential={name}:/the/file to the unit; then restart",
        )
        for name in names
        if not any(_may_be_there(folder / file) for folder in folders for file in (name, f"banlistd_{name}"))
    ]


def _may_be_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # only root may look


def _as_account(account: str, look: Callable[[], Sequence[Remark]]) -> Sequence[Remark]:
    """What `look` returns in a process of the account; in this one if it cannot become another."""
    try:
        entry = pwd.getpwnam(account)
    except KeyError:
        return look()
    if os.geteuid() != 0:
        return look()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.initgroups(account, entry.pw_gid)
            os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
            os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
            with os.fdopen(writer, "w") as answer:
                json.dump([(remark.message, remark.hint) for remark in look()], answer)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return [Remark(*remark) for remark in json.loads(text or "[]")]
