"""A root key in a token of PKCS#11: made there, and a root signed by it is proven like any other. SoftHSM is the token."""

import json
import subprocess
from pathlib import Path

import pytest

from banlistd.errors import FleetError, UsageError
from banlistd.trust.ceremony.keys import read_key_line
from banlistd.trust.ceremony.making import SigningRole
from banlistd.trust.ceremony.tokens import TokenKey, TokenSigner, make_token_key, token_key
from ctl.conftest import CtlCall
from support.fleet import Owners

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = b"1234"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TokenKey:
    """An empty token, and a key that is not there yet."""
    pytest.importorskip("PyKCS11", reason="PyKCS11 is not installed (pip install 'banlistd[token]')")
    if not MODULE.exists():
        pytest.skip("SoftHSM is not installed (Debian's package softhsm2)")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    words = ["softhsm2-util", "--init-token", "--free", "--label", "dora's", "--pin", PIN.decode(), "--so-pin", "4321"]
    subprocess.run(words, check=True, capture_output=True)
    return TokenKey(MODULE, "dora's", "dora")


def test_a_root_that_a_token_has_signed_is_proven(tmp_path: Path, place: TokenKey) -> None:
    owners = Owners(tmp_path / "owners", "hub-a")
    public = make_token_key(place, owners.keys / "dora.key", "dora", PIN)
    assert read_key_line((owners.keys / "dora.key.pub").read_text(), "") == public
    (owners.keys / "dora.key").touch()  # that it is not made here
    owners.revoke("anna", new=((SigningRole.ROOT, "dora"),))
    owners.sign("ben", "cleo", "targets")
    assert owners.folder.sign(TokenSigner(place, lambda: PIN)) == ["2.root.json"]
    assert "dora" in owners.folder.states()[0].signed


def test_what_the_token_does_not_do_is_said(tmp_path: Path, place: TokenKey) -> None:
    with pytest.raises(FleetError, match="has no key dora"):
        TokenSigner(place, lambda: PIN)
    with pytest.raises(FleetError, match="CKR_PIN_INCORRECT"):
        make_token_key(place, tmp_path / "dora.key", "dora", b"0000")
    make_token_key(place, tmp_path / "dora.key", "dora", PIN)
    with pytest.raises(UsageError, match="has a key dora already"):
        make_token_key(place, tmp_path / "other.key", "dora", PIN)
    with pytest.raises(FleetError, match="CKR_PIN_INCORRECT"):
        TokenSigner(place, lambda: b"0000").sign(b"root")
    with pytest.raises(FleetError, match="there is no token"):
        TokenSigner(TokenKey(MODULE, "another", "dora"), lambda: PIN)
    with pytest.raises(FleetError, match="does not do it"):
        TokenSigner(TokenKey(tmp_path / "no-library.so", "dora's", "dora"), lambda: PIN)


def test_the_commands_make_a_key_in_a_token_and_sign_with_it(tmp_path: Path, place: TokenKey, call: CtlCall) -> None:
    owners = Owners(tmp_path / "owners", "hub-a")
    uri, pin = f"pkcs11:token=dora%27s;object=dora?module-path={MODULE}", tmp_path / "pin"
    pin.write_bytes(PIN)
    more = ("--passphrase-file", str(pin), "--config", str(tmp_path / "etc"))
    key = str(owners.keys / "dora.key")
    code, out, err = call("--json", "fleet", "new-key", key, "--role", "root", "--token", uri, *more)
    assert (code, err, json.loads(out)["name"]) == (0, "", "dora")
    assert not Path(key).exists()
    keys = ("--root-keys", f"{key}.pub")
    assert call("fleet", "rotate", str(owners.folder.path), *keys)[0] == 0
    code, out, err = call("fleet", "sign", str(owners.folder.path), "--key", uri, "--yes", *more)
    assert (code, err) == (0, "")
    assert "2.root.json: signed by dora" in out


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("pkcs11:", "does not say module-path"),
        ("pkcs11:token=a?module-path=/x.so", "does not say object"),
        ("pkcs11:token=a;object=b;pin-value=1?module-path=/x.so", "has pin-value"),
    ],
)
def test_an_address_that_names_no_key_is_refused(uri: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        token_key(uri)


def test_the_key_of_a_hub_is_in_no_token(tmp_path: Path, call: CtlCall) -> None:
    words = ("fleet", "new-key", str(tmp_path / "hub.key"), "--role", "hub", "--token", "pkcs11:")
    code, _, err = call(*words, "--config", str(tmp_path))
    assert (code, "in no token" in err) == (64, True)
