"""Certificates for servers on loopback, made by openssl: one authority, and a server with what a test wants to be wrong."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def self_signed(folder: Path, name: str, names: str = "IP:127.0.0.1") -> Path:
    """Key and certificate in one file, signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    path = folder / f"{name}.pem"
    subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={names}")
    _openssl("req", "-x509", *KEY, "-days", "2", *subject, "-keyout", path, "-out", f"{path}.crt")
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


@dataclass(frozen=True)
class Authority:
    folder: Path
    path: Path

    @classmethod
    def made_in(cls, folder: Path) -> "Authority":
        return cls(folder, self_signed(folder, "authority"))

    def signed(self, name: str, names: str = "IP:127.0.0.1", days: int = 2) -> Path:
        """Key and certificate in one file. Of negative `days`: it has expired."""
        path = self.folder / f"{name}.pem"
        subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={names}")
        _openssl("req", *KEY, *subject, "-keyout", path, "-out", f"{path}.csr")
        authority = ("-CA", f"{self.path}.crt", "-CAkey", self.path, "-CAcreateserial", "-copy_extensions", "copy")
        _openssl("x509", "-req", "-in", f"{path}.csr", *authority, "-days", str(days), "-out", f"{path}.crt")
        path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
        return path

    def trusted(self) -> ssl.SSLContext:
        """What a client uses that knows this authority."""
        return ssl.create_default_context(cafile=f"{self.path}.crt")


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
