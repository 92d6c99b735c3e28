from base64 import b64encode

import pytest

from banlistd.core.config.sections.verify import PublicKey
from banlistd.core.download.verifying.minisign import DetachedSignature, detached_signature, must_be_by
from banlistd.errors import VerificationError

KEY_ID, SIGNED, SIGNED_COMMENT = bytes(range(8)), b"s" * 64, b"c" * 64


def line(algorithm: bytes) -> bytes:
    return b64encode(algorithm + KEY_ID + SIGNED)


UNTRUSTED = b"untrusted comment: a\n"
TRUSTED = b"trusted comment: timestamp:1\tfile:list\n" + b64encode(SIGNED_COMMENT)


def test_the_four_lines_of_minisign() -> None:
    found = detached_signature(UNTRUSTED + line(b"ED") + b"\n" + TRUSTED + b"\n")
    assert found == DetachedSignature(KEY_ID, True, SIGNED, b"timestamp:1\tfile:list", SIGNED_COMMENT)
    assert found.signed_comment == SIGNED + b"timestamp:1\tfile:list"


def test_the_older_algorithm_signs_the_file_itself() -> None:
    assert not detached_signature(UNTRUSTED + line(b"Ed") + b"\n" + TRUSTED).is_prehashed


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"\r\n"])
def test_the_two_lines_of_signify(end: bytes) -> None:
    assert detached_signature(UNTRUSTED + line(b"Ed") + end) == DetachedSignature(KEY_ID, False, SIGNED)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "no signature of minisign"),
        (b"<html>\n<body>\n", "no signature of minisign"),
        (UNTRUSTED, "no signature of minisign"),
        (UNTRUSTED + line(b"Ed") + b"\n" + TRUSTED + b"\nmore\n", "no signature of minisign"),
        (UNTRUSTED + line(b"ED"), "the trusted comment of minisign is missing"),
        (UNTRUSTED + line(b"XX"), "unknown algorithm"),
        (UNTRUSTED + line(b"Ed")[:-4], "not base64, or is cut"),
        (UNTRUSTED + b"%" * 100, "not base64, or is cut"),
        (UNTRUSTED + line(b"Ed") + b"\nuntrusted comment: a\n" + b64encode(SIGNED_COMMENT), "no trusted comment"),
        (UNTRUSTED + line(b"Ed") + b"\n" + TRUSTED[:-8], "not base64, or is cut"),
    ],
)
def test_what_is_no_signature_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(VerificationError, match=reason):
        detached_signature(text)


def test_a_signature_of_another_key_is_named_by_both_keys() -> None:
    signature = detached_signature(UNTRUSTED + line(b"Ed"))
    must_be_by(PublicKey(KEY_ID, bytes(32)), signature)
    with pytest.raises(VerificationError, match="by the key 0706050403020100, not by 0000000000000001") as caught:
        must_be_by(PublicKey(b"\1" + bytes(7), bytes(32)), signature)
    assert "new key" in caught.value.hint
