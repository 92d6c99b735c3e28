"""Whatever is published beside a list, reading it ends in a value or in the one error that says so."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.download.verifying.checksums import sha256_of
from banlistd.core.download.verifying.minisign import detached_signature
from banlistd.core.download.verifying.openpgp import binary_keyring, must_be_good
from banlistd.errors import MismatchError, VerificationError

_LINES = st.sampled_from(
    [
        *(b"ab" * 32 + b"  list\n", b"AB" * 32 + b"\n", b"SHA256 (list) = " + b"0" * 64 + b"\n", b"untrusted comment: a\n"),
        *(b"trusted comment: a\n", b"RW" * 50 + b"\n", b"\n", b"[GNUPG:] GOODSIG A\n", b"[GNUPG:] NO_PUBKEY\n"),
        *(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", b"-----END PGP PUBLIC KEY BLOCK-----\n", b"AAAA\n", b"=\n"),
    ]
)
_SIDECARS = st.one_of(st.binary(max_size=300), st.lists(st.one_of(_LINES, st.binary(max_size=20)), max_size=8).map(b"".join))


@given(_SIDECARS, st.integers(0, 2))
def test_a_sidecar_is_read_or_refused(sidecar: bytes, exit_code: int) -> None:
    with suppress(VerificationError):
        assert len(sha256_of(sidecar, "list")) == 64
    with suppress(VerificationError):
        assert len(detached_signature(sidecar).signature) == 64
    with suppress(VerificationError):
        assert isinstance(binary_keyring(sidecar), bytes)
    with suppress(VerificationError, MismatchError):
        must_be_good(exit_code, sidecar)
