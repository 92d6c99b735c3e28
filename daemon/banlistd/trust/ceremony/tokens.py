"""Keys of people that are in a token, and never leave it: PKCS#11, Ed25519 (CKM_EDDSA, PKCS #11 3.0).

The signers of securesystemslib for PKCS#11 know ECDSA only, which would make every node need a library more; here a key in a
token is a key like any other, and only the signature is made elsewhere. `PyKCS11` is imported only where a token is used.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn
from urllib.parse import unquote

from securesystemslib.signer import Key, SecretsHandler, Signature, Signer

from banlistd.core.printing import quoted
from banlistd.errors import FleetError, FleetFileError, UsageError
from banlistd.trust.ceremony.key_files import public_file, write_public
from banlistd.trust.ceremony.keys import FleetKey, key_label

SCHEME = "pkcs11:"
_CURVE = bytes.fromhex("130c656477617264733235353139")
"""`edwards25519` as a PrintableString: CKA_EC_PARAMS of PKCS #11 3.0."""

_OCTETS = 32
_HINT = "pkcs11:token=anna;object=anna?module-path=/usr/lib/softhsm/libsofthsm2.so"


@dataclass(frozen=True, slots=True)
class TokenKey:
    """Where a key is (RFC 7512): `token`: label of the token, `label`: of the key. `module`: the library of the token."""

    module: Path
    token: str
    label: str


def token_key(uri: str) -> TokenKey:
    """Raises UsageError."""
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    parts = dict(part.partition("=")[::2] for part in (*path.split(";"), *query.split("&")) if part)
    try:
        if unknown := parts.keys() - {"token", "object", "module-path"}:
            raise UsageError(f"{quoted(uri)} has {quoted(min(unknown))}, which is not known here", _HINT)
        return TokenKey(Path(unquote(parts["module-path"])), unquote(parts["token"]), unquote(parts["object"]))
    except KeyError as error:
        raise UsageError(f"{quoted(uri)} does not say {error.args[0]}", _HINT) from error


class TokenSigner(Signer):
    """Signs in the token. `pin`: asked for once for each signature."""

    def __init__(self, place: TokenKey, pin: Callable[[], bytes]) -> None:
        self._place = place
        self._pin = pin
        with _session(place, b"") as (library, session):
            self._key = FleetKey("signer", _public(library, session, place))

    @property
    def public_key(self) -> Key:
        return self._key.in_metadata

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None) -> NoReturn:  # noqa: ARG003 - securesystemslib's own parameters
        raise UsageError(f"the key {key_label(public_key)} is not found by its address", "name it with --key")

    def sign(self, payload: bytes) -> Signature:
        """Raises FleetError."""
        with _session(self._place, self._pin()) as (library, session):
            private = _found(session, [(library.CKA_CLASS, library.CKO_PRIVATE_KEY), (library.CKA_LABEL, self._place.label)])
            if private is None:
                raise FleetError(f"the token {quoted(self._place.token)} has no private key {quoted(self._place.label)}")
            octets = bytes(session.sign(private, payload, library.Mechanism(library.CKM_EDDSA)))
        return Signature(self._key.id, octets.hex())


def make_token_key(place: TokenKey, path: Path, name: str, pin: bytes) -> FleetKey:
    """A new key in the token, which it never leaves, and its public half in `path`.pub. Raises UsageError and FleetError."""
    with _session(place, pin) as (library, session):
        if _found(session, [(library.CKA_LABEL, place.label)]) is not None:
            raise UsageError(f"the token {quoted(place.token)} has a key {quoted(place.label)} already", "name another object")
        if public_file(path).exists():
            raise UsageError(f"{quoted(str(public_file(path)))} is there already, and would be lost", "name another file")
        common = [(library.CKA_KEY_TYPE, library.CKK_EC_EDWARDS), (library.CKA_TOKEN, library.CK_TRUE)]
        common.append((library.CKA_LABEL, place.label))
        session.generateKeyPair(
            [*common, (library.CKA_VERIFY, library.CK_TRUE), (library.CKA_EC_PARAMS, _CURVE)],
            [
                *common,
                *((what, library.CK_TRUE) for what in (library.CKA_SIGN, library.CKA_PRIVATE, library.CKA_SENSITIVE)),
                (library.CKA_EXTRACTABLE, library.CK_FALSE),
            ],
            mecha=library.Mechanism(library.CKM_EC_EDWARDS_KEY_PAIR_GEN),
        )
        public = FleetKey(name, _public(library, session, place))
    write_public(path, public)
    return public


def _public(library: ModuleType, session: Any, place: TokenKey) -> bytes:
    found = _found(session, [(library.CKA_CLASS, library.CKO_PUBLIC_KEY), (library.CKA_LABEL, place.label)])
    if found is None:
        raise FleetError(
            f"the token {quoted(place.token)} has no key {quoted(place.label)}", "banlistctl fleet new-key --token"
        )
    # The point may be an OCTET STRING, as PKCS #11 3.0 has it, or plain: the key is its end.
    point = bytes(session.getAttributeValue(found, [library.CKA_EC_POINT])[0])
    if len(point) not in (_OCTETS, _OCTETS + 2):
        raise FleetError(f"the key {quoted(place.label)} is no key of Ed25519")
    return point[-_OCTETS:]


def _found(session: Any, template: list[tuple[int, Any]]) -> Any:
    found = session.findObjects(template)
    return found[0] if found else None


@contextmanager
def _session(place: TokenKey, pin: bytes) -> Iterator[tuple[ModuleType, Any]]:
    """The library, and a session with the token; without a PIN only public objects are seen. Raises FleetError."""
    try:
        import PyKCS11  # noqa: PLC0415 - most people have their keys in files
    except ModuleNotFoundError as error:
        raise FleetError("a key in a token needs PyKCS11, which is not installed", "pip install 'banlistd[token]'") from error
    try:
        loaded = PyKCS11.PyKCS11Lib()
        loaded.load(str(place.module))
        slots = [
            slot
            for slot in loaded.getSlotList(tokenPresent=True)
            if str(loaded.getTokenInfo(slot).label).rstrip("\0 ") == place.token
        ]
        if len(slots) != 1:
            raise FleetError(f"there is no token {quoted(place.token)}, or several are called so")
        session = loaded.openSession(slots[0], PyKCS11.CKF_SERIAL_SESSION | PyKCS11.CKF_RW_SESSION)
        try:
            if pin:
                session.login(pin.decode())
            yield PyKCS11, session
            if pin:
                session.logout()
        finally:
            session.closeSession()
    except (PyKCS11.PyKCS11Error, UnicodeDecodeError) as error:
        raise FleetFileError(
            f"the token {quoted(place.token)} does not do it: {quoted(str(error))}", "is the PIN right?"
        ) from error
