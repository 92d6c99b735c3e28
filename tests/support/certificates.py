"""Certificates for servers on loopback, made by openssl: one authority, and a server with what a test wants to be wrong."""

import shutil
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

SIGNING = """
[ca]
default_ca = authority
[authority]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = names
copy_extensions = copy
default_crl_days = 30
x509_extensions = extensions
[names]
commonName = supplied
[extensions]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
"""For `openssl ca`, which takes dates in every version; `openssl x509` takes them since 3.4, and negative days before."""

KEY_USAGE = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
EXPIRED = ("-startdate", "20200101000000Z", "-enddate", "20210101000000Z")

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def self_signed(folder: Path, name: str, names: str = "IP:127.0.0.1", extensions: Sequence[str] = ()) -> Path:
    """Key and certificate in one file, signed by itself. `extensions`: more options of `openssl req`."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    path = folder / f"{name}.pem"
    subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={names}")
    _openssl("req", "-x509", *KEY, "-days", "2", *subject, *extensions, "-keyout", path, "-out", f"{path}.crt")
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


@dataclass(frozen=True)
class Authority:
    folder: Path
    path: Path

    @classmethod
    def made_in(cls, folder: Path, extensions: Sequence[str] = KEY_USAGE) -> "Authority":
        path = self_signed(folder, "authority", extensions=extensions)
        (folder / "index.txt").touch()
        (folder / "authority.conf").write_text(SIGNING.format(folder=folder))
        return cls(folder, path)

    def signed(self, name: str, names: str = "IP:127.0.0.1", validity: Sequence[str] = ("-days", "2")) -> Path:
        """Key and certificate in one file. `validity`: options of `openssl ca`."""
        path = self.folder / f"{name}.pem"
        subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={names}")
        _openssl("req", *KEY, *subject, "-keyout", path, "-out", f"{path}.csr")
        path.write_bytes(path.read_bytes() + self.granted(Path(f"{path}.csr"), validity).read_bytes())
        return path

    def granted(self, request: Path, validity: Sequence[str] = ("-days", "2")) -> Path:
        """The certificate that somebody asks for who has made the key."""
        path = request.with_suffix(".crt")
        _openssl("ca", "-batch", "-notext", *self._own, *validity, "-in", request, "-out", path)
        return path

    def withdraw(self, certificate: Path) -> None:
        """It counts no more for those who read what `write_withdrawn` writes from now on."""
        _openssl("ca", *self._own, "-revoke", f"{certificate}.crt")

    def write_withdrawn(self, path: Path, *validity: str) -> None:
        """`validity`: options of `openssl ca`."""
        _openssl("ca", *self._own, "-gencrl", *validity, "-out", path)

    @property
    def _own(self) -> tuple[str | Path, ...]:
        return "-config", self.folder / "authority.conf", "-cert", f"{self.path}.crt", "-keyfile", self.path

    def trusted(self) -> ssl.SSLContext:
        """What a client uses that knows this authority."""
        return ssl.create_default_context(cafile=f"{self.path}.crt")


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
