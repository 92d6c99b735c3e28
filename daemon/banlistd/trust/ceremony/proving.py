"""Which signatures an offline file of a fleet has, and which it lacks. TUF's own verification decides."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.metadata import VerificationResult as Result

from banlistd.core.printing import counted
from banlistd.errors import FleetError
from banlistd.trust.ceremony.keys import key_label
from banlistd.trust.ceremony.making import hub_role


@dataclass(frozen=True, slots=True)
class SignatureState:
    """`file`: its name. `signed`, `missing`: names of keys. `lacking`: how many more signatures it needs."""

    file: str
    signed: tuple[str, ...]
    missing: tuple[str, ...]
    lacking: int

    def __str__(self) -> str:
        by = f"signed by {', '.join(self.signed)}" if self.signed else "not signed yet"
        if not self.lacking:
            return f"{self.file}: {by}: complete"
        return f"{self.file}: {by}: needs {counted(self.lacking, 'signature', 'signatures')} more of {', '.join(self.missing)}"


def root_state(root: Metadata[Root], before: Metadata[Root] | None) -> SignatureState:
    """A root needs the signatures that it asks for itself, and those that the root before asks for."""
    delegators = [root.signed, *([before.signed] if before else [])]
    results = [each.get_verification_result("root", root.signed_bytes, root.signatures) for each in delegators]
    return _state(f"{root.signed.version}.root.json", results)


def targets_state(targets: Metadata[Targets], root: Metadata[Root]) -> SignatureState:
    result = root.signed.get_verification_result("targets", targets.signed_bytes, targets.signatures)
    return _state(f"{targets.signed.version}.targets.json", [result])


def changes_of(roots: Sequence[Metadata[Root]]) -> list[str]:
    """For the person who signs: the keys of the newest root, and which are new or gone since the one before."""
    after = _roles(roots[-1])
    before = _roles(roots[-2]) if len(roots) > 1 else {}
    lines = [f"{'= ' if key in before else '+ '}{text}" for key, text in after.items()]
    lines += [f"- {text}" for key, text in before.items() if key not in after]
    root = roots[-1].signed
    return [*lines, f"{root.roles['root'].threshold} root keys sign; valid until {root.expires:%Y-%m-%d}"]


def hubs_that_sign(targets: Metadata[Targets]) -> str:
    """For the person who signs. Raises FleetError."""
    hubs = hub_role(targets)
    return f"{hubs.threshold} of {counted(len(hubs.keyids), 'hub', 'hubs')} must sign each list"


def _roles(root: Metadata[Root]) -> dict[tuple[str, str], str]:
    named = (("root", "root"), ("targets", "targets"), ("timestamp", "hub"))
    keys = root.signed.keys
    return {
        (role, identity): f"{shown} {key_label(keys[identity])} {identity[:16]}"
        for role, shown in named
        for identity in root.signed.roles[role].keyids
        if identity in keys
    }


def must_follow(roots: Sequence[Metadata[Root]]) -> None:
    """Whether each root is proven by the one before it and by itself. Raises FleetError."""
    for before, root in zip([None, *roots], roots, strict=False):
        if before and root.signed.version != before.signed.version + 1:
            raise FleetError(f"the root {before.signed.version + 1} is missing", "take the folder from where it is whole")
        state = root_state(root, before)
        if state.lacking:
            raise FleetError(f"not proven: {state}", "banlistctl fleet sign FOLDER --key FILE adds a signature")


def must_be_signed(targets: Metadata[Targets], root: Metadata[Root]) -> None:
    """Raises FleetError."""
    state = targets_state(targets, root)
    if state.lacking:
        raise FleetError(f"not proven: {state}", "banlistctl fleet sign FOLDER --key FILE adds a signature")


def _state(file: str, results: Sequence[Result]) -> SignatureState:
    signed = dict.fromkeys(key_label(key) for result in results for key in result.signed.values())
    missing = dict.fromkeys(key_label(key) for result in results if not result for key in result.unsigned.values())
    lacking = max((max(result.threshold - len(result.signed), 0) for result in results), default=0)
    return SignatureState(file, tuple(signed), tuple(missing), lacking)
