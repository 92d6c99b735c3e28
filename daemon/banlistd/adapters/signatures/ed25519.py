"""Signatures of Ed25519 (RFC 8032), checked and made by OpenSSL's libcrypto, which Python itself depends on for TLS."""

import ctypes
from functools import cache

from banlistd.errors import VerificationError

_ED25519 = 1087
"""EVP_PKEY_ED25519 of openssl/evp.h, since 1.1.1."""

_KEY, _SIGNATURE = 32, 64
"""Bytes (RFC 8032 5.1.5, 5.1.6)."""

_LIBRARIES = ("libcrypto.so.3", "libcrypto.so.1.1")


def is_signed_by(key: bytes, signature: bytes, message: "ctypes.Array[ctypes.c_char] | bytes") -> bool:
    """Whether a signature of 64 bytes is of the message, by the key of 32 bytes.

    `message`: bytes, or a view of memory that ctypes made. Raises VerificationError without libcrypto. It takes as long as
    SHA-512 of the message twice, and lets other threads run meanwhile.
    """
    library = loaded()
    place = library.EVP_PKEY_new_raw_public_key(_ED25519, None, key, len(key))
    context = library.EVP_MD_CTX_new()
    try:
        if not place or not context or library.EVP_DigestVerifyInit(context, None, None, None, place) != 1:
            return False
        return bool(library.EVP_DigestVerify(context, signature, len(signature), message, len(message)) == 1)
    finally:
        library.EVP_MD_CTX_free(context)
        library.EVP_PKEY_free(place)
        library.ERR_clear_error()


def public_key_of(seed: bytes) -> bytes:
    """The public key, 32 bytes, of a private one of 32 bytes. Raises VerificationError without libcrypto."""
    library = loaded()
    place = _private(library, seed)
    try:
        found, length = ctypes.create_string_buffer(_KEY), ctypes.c_size_t(_KEY)
        if library.EVP_PKEY_get_raw_public_key(place, found, ctypes.byref(length)) != 1:
            raise VerificationError("libcrypto cannot make the public key")
        return found.raw
    finally:
        library.EVP_PKEY_free(place)
        library.ERR_clear_error()


def signature_of(seed: bytes, message: bytes) -> bytes:
    """A signature, 64 bytes, by a private key of 32 bytes. Raises VerificationError without libcrypto."""
    library = loaded()
    place = _private(library, seed)
    context = library.EVP_MD_CTX_new()
    try:
        made, length = ctypes.create_string_buffer(_SIGNATURE), ctypes.c_size_t(_SIGNATURE)
        if (
            not context
            or library.EVP_DigestSignInit(context, None, None, None, place) != 1
            or library.EVP_DigestSign(context, made, ctypes.byref(length), message, len(message)) != 1
        ):
            raise VerificationError("libcrypto cannot sign")
        return made.raw
    finally:
        library.EVP_MD_CTX_free(context)
        library.EVP_PKEY_free(place)
        library.ERR_clear_error()


def _private(library: ctypes.CDLL, seed: bytes) -> int:
    place: int | None = library.EVP_PKEY_new_raw_private_key(_ED25519, None, seed, len(seed))
    if not place:
        raise VerificationError("this is no private key of Ed25519")
    return place


@cache
def loaded() -> ctypes.CDLL:
    """libcrypto, with the types of what this module calls. Raises VerificationError."""
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        pointer, size, octets = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
        library.EVP_PKEY_new_raw_public_key.restype = pointer
        library.EVP_PKEY_new_raw_public_key.argtypes = [ctypes.c_int, pointer, octets, size]
        library.EVP_MD_CTX_new.restype = pointer
        library.EVP_MD_CTX_new.argtypes = []
        library.EVP_DigestVerifyInit.argtypes = [pointer] * 5
        library.EVP_DigestVerify.argtypes = [pointer, octets, size, pointer, size]
        library.EVP_PKEY_new_raw_private_key.restype = pointer
        library.EVP_PKEY_new_raw_private_key.argtypes = [ctypes.c_int, pointer, octets, size]
        library.EVP_PKEY_get_raw_public_key.argtypes = [pointer] * 3
        library.EVP_DigestSignInit.argtypes = [pointer] * 5
        library.EVP_DigestSign.argtypes = [pointer, pointer, pointer, octets, size]
        library.EVP_MD_CTX_free.argtypes = library.EVP_PKEY_free.argtypes = [pointer]
        library.ERR_clear_error.argtypes = []
        return library
    raise VerificationError("its signature cannot be checked: there is no libcrypto", "install OpenSSL 3: the package libssl3")
