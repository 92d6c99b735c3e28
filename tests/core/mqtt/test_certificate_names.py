"""The name of a certificate, of real ones by openssl, and of anything else."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.mqtt.certificate_names import common_name


@pytest.mark.parametrize(
    ("subject", "name"),
    [("/CN=node-1", "node-1"), ("/O=Oslo/CN=næme/OU=x", "næme"), ("/O=Oslo", ""), (f"/CN={'n' * 64}", "n" * 64)],
)
def test_the_name_of_the_subject_is_found_and_not_that_of_the_issuer(tmp_path: Path, subject: str, name: str) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    made = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", tmp_path / "key")
    own = ("-utf8", "-subj", "/CN=authority", "-out", tmp_path / "ca")
    subprocess.run(["openssl", *made, *own], check=True, capture_output=True)
    request = ("req", "-new", "-key", tmp_path / "key", "-utf8", "-subj", subject, "-out", tmp_path / "csr")
    subprocess.run(["openssl", *request], check=True, capture_output=True)
    signed = ("x509", "-req", "-in", tmp_path / "csr", "-CA", tmp_path / "ca", "-CAkey", tmp_path / "key", "-set_serial", "7")
    done = subprocess.run(["openssl", *signed], check=True, capture_output=True, text=True)
    assert common_name(ssl.PEM_cert_to_DER_cert(done.stdout)) == name


@given(st.binary(max_size=200))
def test_any_octets_are_a_certificate_or_a_value_error(octets: bytes) -> None:
    try:
        common_name(octets)
    except ValueError:
        return
