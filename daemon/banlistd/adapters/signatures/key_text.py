"""Private keys of Ed25519 as text: PKCS #8, under a passphrase, as `openssl pkey` reads it too. libcrypto does it."""

import ctypes
import os
from functools import cache

from banlistd.adapters.signatures.ed25519 import loaded
from banlistd.errors import UsageError, VerificationError

_ED25519 = 1087
"""EVP_PKEY_ED25519 of openssl/evp.h."""

_SEED = 32
_SCRYPT = (2**14, 8, 1)
"""N, r and p of scrypt (RFC 7914): 16 MiB for each guess of a passphrase; PKCS8_set0_pbe refuses 32."""

_LARGEST = 4096


def locked_key_text(seed: bytes, passphrase: bytes) -> str:
    """PEM of a private key of 32 bytes, encrypted: PBES2 with scrypt and AES-256 (RFC 8018). Raises VerificationError."""
    library = _library()
    key = library.EVP_PKEY_new_raw_private_key(_ED25519, None, seed, len(seed))
    plain = library.EVP_PKEY2PKCS8(key) if key else None
    salt = os.urandom(16)
    how = library.PKCS5_pbe2_set_scrypt(library.EVP_aes_256_cbc(), salt, len(salt), None, *_SCRYPT)
    locked = library.PKCS8_set0_pbe(passphrase, len(passphrase), plain, how) if plain and how else None
    output = library.BIO_new(library.BIO_s_mem())
    try:
        if not locked or not output or library.PEM_write_bio_PKCS8(output, locked) != 1:
            raise VerificationError("libcrypto cannot encrypt the key")
        found = ctypes.create_string_buffer(_LARGEST)
        length = library.BIO_read(output, found, _LARGEST)
        return found.raw[:length].decode("ascii")
    finally:
        library.BIO_free(output)
        library.X509_SIG_free(locked)
        library.PKCS8_PRIV_KEY_INFO_free(plain)
        library.EVP_PKEY_free(key)
        library.ERR_clear_error()


def is_locked(text: str) -> bool:
    """Whether a private key is encrypted."""
    return "BEGIN ENCRYPTED PRIVATE KEY" in text


def unlocked_key(text: str, passphrase: bytes) -> bytes:
    """The 32 bytes of an encrypted private key. Raises UsageError for a wrong passphrase or another kind of key."""
    library = _library()
    octets = text.encode("ascii", "replace")
    source = library.BIO_new_mem_buf(octets, len(octets))
    key = library.PEM_read_bio_PrivateKey(source, None, None, passphrase)
    try:
        found, length = ctypes.create_string_buffer(_SEED), ctypes.c_size_t(_SEED)
        if not key or library.EVP_PKEY_get_raw_private_key(key, found, ctypes.byref(length)) != 1 or length.value != _SEED:
            raise UsageError("the passphrase is wrong, or the file is not a private key of Ed25519")
        return found.raw
    finally:
        library.EVP_PKEY_free(key)
        library.BIO_free(source)
        library.ERR_clear_error()


@cache
def _library() -> ctypes.CDLL:
    library = loaded()
    pointer, octets, number, large = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint64
    for name, result, takes in (
        ("EVP_PKEY2PKCS8", pointer, [pointer]),
        ("EVP_aes_256_cbc", pointer, []),
        ("PKCS5_pbe2_set_scrypt", pointer, [pointer, octets, number, octets, large, large, large]),
        ("PKCS8_set0_pbe", pointer, [octets, number, pointer, pointer]),
        ("BIO_s_mem", pointer, []),
        ("BIO_new", pointer, [pointer]),
        ("BIO_new_mem_buf", pointer, [octets, number]),
        ("BIO_read", number, [pointer, octets, number]),
        ("BIO_free", number, [pointer]),
        ("PEM_write_bio_PKCS8", number, [pointer, pointer]),
        ("PEM_read_bio_PrivateKey", pointer, [pointer, pointer, pointer, octets]),
        ("EVP_PKEY_get_raw_private_key", number, [pointer, octets, pointer]),
        ("X509_SIG_free", None, [pointer]),
        ("PKCS8_PRIV_KEY_INFO_free", None, [pointer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, takes
    return library
