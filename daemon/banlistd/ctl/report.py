"""An error as banlistctl prints it: lines on stderr, and with --json a document on stdout."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from banlistd.core.printing import printable
from banlistd.errors import BanlistdError


def report(error: BanlistdError, document: Any, problems: Sequence[str] = ()) -> None:
    """`document`: as JSON for programs; None: not wanted."""
    if document is not None:
        print(json.dumps(document))
    print(f"banlistctl: {printable(error.message)}", file=sys.stderr)
    for problem in problems:
        print(f"  {printable(problem)}", file=sys.stderr)
    if error.hint:
        print(f"  hint: {printable(error.hint)}", file=sys.stderr)


def document_of(error: BanlistdError) -> Any:
    """An error on this side of the socket, in the shape of the daemon's own."""
    return {
        "error": {
            "kind": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
    }
