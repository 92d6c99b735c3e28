"""Against the test vectors of RFC 8032 7.1."""

import pytest

from banlistd.adapters.signatures.ed25519 import is_signed_by, public_key_of, signature_of
from banlistd.errors import VerificationError

VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize("vector", VECTORS)
def test_a_key_and_a_signature_are_those_of_the_standard(vector: tuple[str, str, str, str]) -> None:
    seed, public, message, signature = (bytes.fromhex(text) for text in vector)
    assert public_key_of(seed) == public
    assert signature_of(seed, message) == signature
    assert is_signed_by(public, signature, message)
    assert not is_signed_by(public, signature, message + b"x")
    assert not is_signed_by(public, bytes(64), message)


def test_a_signature_whose_scalar_is_not_reduced_is_refused() -> None:
    """RFC 8032 5.1.7: otherwise one order would have two signatures."""
    order = 2**252 + 27742317777372353535851937790883648493
    seed, message = bytes(32), b"message"
    signature = signature_of(seed, message)
    scalar = int.from_bytes(signature[32:], "little") + order
    assert is_signed_by(public_key_of(seed), signature, message)
    assert not is_signed_by(public_key_of(seed), signature[:32] + scalar.to_bytes(32, "little"), message)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(VerificationError, match="no private key"):
        public_key_of(b"short")
