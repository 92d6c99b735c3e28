"""Where the session of a caller comes from, so that a ban does not end it by mistake. banlistctl imports this."""

import os
import re
from collections.abc import Mapping

AUTO = "auto"

_USER_PROCESS = 7  # utmp(5)
_PRESENT = ("active", "online")  # sd_session_get_state(3)
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}")


def own_session(text: str, environment: Mapping[str, str] = os.environ, root: str = "/") -> str | None:
    """What was given; for `auto` the addresses that the session may come from, with blanks between: sshd says one to a shell,
    and logind knows it under sudo. In tmux and screen both are of the session that began them, perhaps long ago from elsewhere:
    so those count too that the same user has now.

    None where there is no remote session, or its address is not known.
    """
    if text != AUTO:
        return text
    hosts = [*environment.get("SSH_CONNECTION", "").split()[:1], *_of_logind(root)]
    found = dict.fromkeys(host.partition("%")[0] for host in hosts if host)
    if not all(map(_ADDRESS.fullmatch, found)):  # sshd with UseDNS gives logind a name; utmp has the address
        found |= dict.fromkeys(_of_utmp(root))
    return " ".join(host for host in found if _ADDRESS.fullmatch(host)) or None


def _of_logind(root: str) -> list[str]:
    """Of the session of this process, and of all sessions of its user that are there now. A service has none."""
    cgroup = _read(f"{root}proc/self/cgroup")
    scope, user = re.search(r"/session-([A-Za-z0-9]+)\.scope", cgroup), re.search(r"/user-([0-9]+)\.slice/", cgroup)
    folder = f"{root}run/systemd/sessions"
    states = [_read(f"{folder}/{scope[1]}")] if scope else []
    if user:
        every = [_read(f"{folder}/{name}") for name in _names(folder) if name.isalnum()]  # others are pipes of logind
        states += [state for state in every if _value(state, "UID") == user[1] and _value(state, "STATE") in _PRESENT]
    return [_value(state, "REMOTE_HOST") for state in states]


def _of_utmp(root: str) -> list[str]:
    """The addresses of all who are logged in: whose name it was is not known."""
    import struct  # noqa: PLC0415 - hardly any host needs it
    from socket import AF_INET, AF_INET6, inet_ntop  # noqa: PLC0415 - as above

    record = struct.Struct("=h2xi32s4s32s256shhiii16s20x")  # struct utmp of <bits/utmp.h>
    try:
        with open(f"{root}run/utmp", "rb") as file:  # noqa: PTH123 - as below
            data = file.read(1 << 20)
    except OSError:
        return []
    whole = len(data) - len(data) % record.size
    logins = (row[-1] for row in record.iter_unpack(data[:whole]) if row[0] == _USER_PROCESS and any(row[-1]))
    return [inet_ntop(AF_INET6, octets) if any(octets[4:]) else inet_ntop(AF_INET, octets[:4]) for octets in logins]


def _value(state: str, key: str) -> str:
    found = re.search(rf"^{key}=(.*)$", state, re.MULTILINE)
    return found[1] if found else ""


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - as below
    except OSError:
        return []


def _read(place: str) -> str:
    try:
        with open(place, encoding="ascii", errors="replace") as file:  # noqa: PTH123 - pathlib costs 10 ms
            return file.read(1 << 16)
    except OSError:
        return ""
