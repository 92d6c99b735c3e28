import subprocess
from pathlib import Path

import pytest

from banlistd.core.mqtt.orders.keys import key_id, private_key, private_key_text
from banlistd.errors import UsageError
from support.signing import program

SEED = bytes(range(32))


def test_a_private_key_is_read_back() -> None:
    assert private_key(private_key_text(SEED)) == SEED
    assert private_key("\n" + private_key_text(SEED).replace("\n", "\r\n")) == SEED


def test_a_key_of_openssl_is_read(tmp_path: Path) -> None:
    subprocess.run(
        [program("openssl"), "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "key"], check=True, capture_output=True
    )
    text = (tmp_path / "key").read_text()
    assert private_key_text(private_key(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        private_key_text(SEED[:31]),
        private_key_text(SEED).replace("PRIVATE", "PUBLIC"),
        private_key_text(SEED).replace("M", "é", 1),
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
    ],
)
def test_another_text_is_no_private_key(text: str) -> None:
    with pytest.raises(UsageError, match="not a private key"):
        private_key(text)


def test_a_key_is_named_by_digits_of_its_hash() -> None:
    assert key_id(b"") == "e3b0c44298fc1c14"
