"""Where the session of a caller comes from, so that a ban does not end it by mistake. banlistctl imports this."""

import os
import re
from collections.abc import Mapping

AUTO = "auto"

_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}")


def own_session(text: str, environment: Mapping[str, str] = os.environ, root: str = "/") -> str | None:
    """The address that was given; for `auto` that of the session: sshd says it to a shell, and logind knows it under sudo.

    None where there is no remote session, or its address is not known.
    """
    if text != AUTO:
        return text
    connection = environment.get("SSH_CONNECTION", "").split()
    host = connection[0] if connection else _of_logind(root)
    host = host.partition("%")[0]
    return host if _ADDRESS.fullmatch(host) else None


def _of_logind(root: str) -> str:
    scope = re.search(r"/session-([A-Za-z0-9]+)\.scope", _read(f"{root}proc/self/cgroup"))
    state = _read(f"{root}run/systemd/sessions/{scope[1]}") if scope else ""
    found = re.search(r"^REMOTE_HOST=(.*)$", state, re.MULTILINE)
    return found[1] if found else ""


def _read(place: str) -> str:
    try:
        with open(place, encoding="ascii", errors="replace") as file:  # noqa: PTH123 - pathlib costs 10 ms
            return file.read(1 << 16)
    except OSError:
        return ""
