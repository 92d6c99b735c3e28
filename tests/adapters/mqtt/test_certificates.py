"""What is said where a certificate for the broker cannot be read."""

import shutil
from pathlib import Path

import pytest

from banlistd.adapters.mqtt.certificates import tls_context
from banlistd.errors import BusError
from support.certificates import Authority


@pytest.mark.parametrize("missing", ["ca.pem", "own.pem", "own.key"])
def test_the_file_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    authority = Authority.made_in(tmp_path)
    shutil.copy(f"{authority.path}.crt", tmp_path / "ca.pem")
    own = authority.signed("web-1", "DNS:web-1")
    for name in ("own.pem", "own.key"):
        shutil.copy(own, tmp_path / name)
    files = [tmp_path / name for name in ("ca.pem", "own.pem", "own.key")]
    tls_context(*files)
    (tmp_path / missing).unlink()
    with pytest.raises(BusError, match=f"cannot read .*/{missing}: No such file"):
        tls_context(*files)
