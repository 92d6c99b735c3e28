"""A real nginx on loopback, with the configuration for lists of a fleet that is shipped."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.ports import await_listener, reserved_port

_SHIPPED = Path(__file__).resolve().parents[2] / "packaging/nginx/banlistd-fleet.conf"
_AROUND = """
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile 40000;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 20000; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""


@contextmanager
def nginx(folder: Path, certificate: Path) -> Iterator[str]:
    """Serves a folder; the address of what is in it. `certificate`: with its key, in one file (`certificates.self_signed`)."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        pytest.skip("nginx is not installed")
    place = certificate.with_suffix(".nginx")
    (place / "srv").mkdir(parents=True)
    (place / "srv" / "fleet").symlink_to(folder)
    with reserved_port() as port:
        (place / "nginx.conf").write_text(_AROUND.format(folder=place, server=_server(place / "srv", certificate, port)))
        process = subprocess.Popen([program, "-c", place / "nginx.conf"], stderr=subprocess.DEVNULL)
        try:
            await_listener(process, port)
            yield f"https://127.0.0.1:{port}/fleet"
        finally:
            process.terminate()
            process.wait()


def _server(root: Path, certificate: Path, port: int) -> str:
    text = _SHIPPED.read_text()
    for shipped, here in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl backlog=4096;"),
        ("listen [::]:443 ssl;", ""),
        ("/etc/nginx/fleet.pem", str(certificate)),
        ("/etc/nginx/fleet.key", str(certificate)),
        ("root /srv;", f"root {root};"),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    return text
