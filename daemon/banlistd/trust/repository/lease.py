"""Which hub of a fleet publishes: the one that was promoted last. Nodes refuse versions below those that they have seen.

A lease has a term, and every version that a hub signs under it is at least `term * STRIDE + 1`. A promotion takes the term
after the highest one seen, so whatever the former hub signs from then on is below it: where both publish by mistake, no node
goes back.
A hub that sees a version of a later term, or one above its own, publishes nothing more.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from banlistd.core.printing import quoted
from banlistd.errors import FleetError, FleetFileError
from banlistd.trust.repository.files import write_whole

STRIDE = 1_000_000
"""Versions of one term: one every 10 s for 115 days; then a hub is promoted again. 2,146 terms fit 31 bits."""

TERMS = 2**31 // STRIDE

_LARGEST = 4096


@dataclass(frozen=True, slots=True)
class Lease:
    """`term`: 0 for the first hub of a fleet."""

    term: int

    @property
    def least(self) -> int:
        """The lowest version of the term."""
        return self.term * STRIDE + 1


def term_of(version: int) -> int:
    """The term that a version was signed in."""
    return (version - 1) // STRIDE


def read_lease(folder: Path) -> Lease | None:
    """None where this hub was never promoted. Raises FleetError."""
    path = folder / "lease.json"
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_LARGEST))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FleetFileError(f"cannot read {quoted(str(path))}: {error.strerror}") from error
    except ValueError as error:
        raise FleetError(f"{quoted(str(path))} is damaged", "banlistctl fleet promote writes it again") from error
    term = document.get("term") if isinstance(document, dict) else None
    if not isinstance(term, int) or not 0 <= term < TERMS:
        raise FleetError(f"{quoted(str(path))} is damaged", "banlistctl fleet promote writes it again")
    return Lease(term)


def write_lease(folder: Path, lease: Lease) -> None:
    """Raises FleetFileError."""
    write_whole(folder / "lease.json", json.dumps({"v": 1, "term": lease.term}).encode())
