"""The Verifier of `ports`: SHA-256, minisign and signify, OpenPGP."""

import asyncio
import ctypes
import hashlib
import mmap

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.adapters.signatures.gpgv import verify_openpgp
from banlistd.adapters.system.own_threads import OwnThreads
from banlistd.core.config.sections.verify import CheckKind, PublicKey, Verify
from banlistd.core.download.verifying.checksums import sha256_of
from banlistd.core.download.verifying.minisign import DetachedSignature, detached_signature, must_be_by
from banlistd.errors import MismatchError, VerificationError
from banlistd.ports import WholeBody

_KEYRINGS_AT_ONCE = 4


class PublisherProofs:
    """Bodies are read from their descriptors, in a worker thread where that takes time. Keyrings are files, and may be on a
    network disk that does not answer: they are read in threads of their own.
    """

    def __init__(self) -> None:
        self._keyrings = OwnThreads("keyring", _KEYRINGS_AT_ONCE)

    async def verify(self, kind: CheckKind, settings: Verify, body: WholeBody, sidecar: bytes) -> None:
        match kind:
            case CheckKind.SHA256:
                wanted = sha256_of(sidecar, body.name)
                if wanted != body.sha256:
                    raise MismatchError(f"its SHA-256 is {body.sha256[:16]}... and not {wanted[:16]}... as its checksum says")
            case CheckKind.MINISIGN:
                if settings.key is None:
                    raise VerificationError("its signature cannot be checked: there is no key")
                signature = detached_signature(sidecar)
                must_be_by(settings.key, signature)
                await asyncio.to_thread(_must_be_signed, settings.key, signature, body)
            case CheckKind.PGP:
                if settings.keyring is None:
                    raise VerificationError("its signature cannot be checked: there is no keyring")
                await verify_openpgp(settings.keyring, body.descriptor, sidecar, self._keyrings)


def _must_be_signed(key: PublicKey, signature: DetachedSignature, body: WholeBody) -> None:
    if not _is_signed(key, signature, body):
        raise MismatchError("it is not what its signature is of")
    if signature.comment_signature is not None and not is_signed_by(
        key.ed25519, signature.comment_signature, signature.signed_comment
    ):
        raise VerificationError("the trusted comment of its signature is forged")


def _is_signed(key: PublicKey, signature: DetachedSignature, body: WholeBody) -> bool:
    if not body.size:  # nothing cannot be mapped
        message = hashlib.blake2b(b"").digest() if signature.is_prehashed else b""
        return is_signed_by(key.ed25519, signature.signature, message)
    with mmap.mmap(body.descriptor, body.size) as memory:
        if signature.is_prehashed:
            return is_signed_by(key.ed25519, signature.signature, hashlib.blake2b(memory).digest())
        view = (ctypes.c_char * body.size).from_buffer(memory)
        try:
            return is_signed_by(key.ed25519, signature.signature, view)
        finally:
            del view  # the mapping cannot be closed before
