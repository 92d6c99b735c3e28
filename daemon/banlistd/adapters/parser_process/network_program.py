"""Takes every right from a program that speaks to servers: it may read the system's files, write one folder, and open sockets
of IP.

The parser process needs no file and no network, so its filter lists what is allowed (`parser_process/confinement`).
This one resolves names and speaks TLS through libraries that call whatever their version calls; so its filter lists what is
forbidden, and Landlock the files. A program that was taken over cannot reach the control socket, the database or a credential.
"""

import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from banlistd.adapters.parser_process import confinement

_LIBC = ctypes.CDLL(None, use_errno=True)

# linux/landlock.h
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_RULE_PATH_BENEATH = 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_WRITING = 1 << 1 | sum(1 << bit for bit in range(4, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_BIND, _SCOPED = 1, 3
_AT_LEAST_REFER, _AT_LEAST_TRUNCATE, _AT_LEAST_NETWORK, _AT_LEAST_SCOPED = 2, 3, 4, 6

# linux/seccomp.h, seccomp.h
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LESS, _EQUAL, _GREATER = 2, 4, 6

_FORBIDDEN = (
    "execve", "execveat", "fork", "vfork", "clone", "clone3", "ptrace", "process_vm_readv", "process_vm_writev",
    "pidfd_getfd", "pidfd_open", "kill", "pidfd_send_signal", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "mount", "umount2", "pivot_root",
    "chroot", "unshare", "setns", "bind", "listen", "accept", "accept4", "socketpair", "open_by_handle_at", "chmod",
    "fchmod", "fchmodat", "chown", "fchown", "fchownat", "lchown", "setxattr", "fsetxattr", "memfd_secret", "prctl",
)  # fmt: skip

_READ = ("/usr", "/lib", "/lib64", "/etc", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/dev/urandom")
"""Modules and libraries, certificates, and how names are resolved."""

_MEMORY = 512 * 2**20


@dataclass(frozen=True, slots=True)
class ProgramBounds:
    """`folder`: the only one that may be written; None: none. `file`, `memory`: octets of each. `seconds`: of processor."""

    folder: Path | None
    file: int
    seconds: int
    reads: tuple[str, ...] = ()
    memory: int = _MEMORY


def become_unprivileged(parent: int, *, is_first: bool) -> None:
    """Before anything is read: dies with the parent, and has no capability. Starts itself once more, unless root runs it:
    the last two arguments of the program are `first` or `again`, and the pid of its parent.

    Raises ConfinementError.
    """
    for number in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    confinement.die_with_parent(parent)
    if is_first:
        confinement.give_up_ambient_rights()
        confinement.prefer_for_oom_kill()
        if os.geteuid() != 0:
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:-2], "again", str(parent)])  # noqa: S606 - no shell
    confinement.drop_capabilities()


def confine(bounds: ProgramBounds) -> None:
    """After the order is read: files, processes, sockets other than those of IP, memory and time. Raises ConfinementError."""
    confinement.become_private()
    _restrict_files(bounds)
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, bounds.memory),
        (resource.RLIMIT_FSIZE, bounds.file),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CPU, bounds.seconds),
    ):
        resource.setrlimit(what, (most, most))
    confinement.enforce_filter(_filter())


def _restrict_files(bounds: ProgramBounds) -> None:
    """Nothing is restricted where the kernel or the unit does not know Landlock. Else a call that fails is a fault."""
    version = confinement.landlock_version()
    if not version:
        return
    writing = _WRITING | (_REFER if version >= _AT_LEAST_REFER else 0) | (_TRUNCATE if version >= _AT_LEAST_TRUNCATE else 0)
    reading = _READ_FILE | _READ_FOLDER
    network, scoped = _BIND if version >= _AT_LEAST_NETWORK else 0, _SCOPED if version >= _AT_LEAST_SCOPED else 0
    attributes = struct.pack("QQQ", reading | writing, network, scoped)
    size = 8 if version < _AT_LEAST_NETWORK else 16 if version < _AT_LEAST_SCOPED else 24
    ruleset = _must_succeed(_LIBC.syscall(_CREATE, attributes, ctypes.c_size_t(size), 0))
    for path in {*_READ, sys.prefix, sys.base_prefix, *sys.path, *bounds.reads}:
        _permit(ruleset, path, reading)
    if bounds.folder is not None:
        _permit(ruleset, str(bounds.folder), reading | writing)
    _must_succeed(_LIBC.syscall(_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _must_succeed(result: int) -> int:
    if result < 0:
        raise confinement.ConfinementError(f"Landlock refuses the rules of files: {os.strerror(ctypes.get_errno())}")
    return result


def _permit(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no right
    if not os.path.isdir(path):  # noqa: PTH112 - one question, without a Path
        rights &= _READ_FILE
    try:
        _must_succeed(_LIBC.syscall(_ADD, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0))
    finally:
        os.close(descriptor)


def _filter() -> bytes:
    library = confinement.seccomp_library()
    context = library.seccomp_init(_ALLOW)
    if not context:
        raise confinement.ConfinementError("libseccomp makes no filter")
    for name in _FORBIDDEN:
        _refuse(library, context, name, errno.EPERM)
    # Only AF_INET (2) and AF_INET6 (10). The library takes one comparison of an argument for each rule.
    comparisons = [(_LESS, 2), (_GREATER, 10), *((_EQUAL, family) for family in range(3, 10))]
    for how, family in comparisons:
        _refuse(library, context, "socket", errno.EAFNOSUPPORT, [(0, how, family)])
    return confinement.exported(library, context)


def _refuse(
    library: ctypes.CDLL, context: int, name: str, error: int, comparisons: Iterable[tuple[int, int, int]] = ()
) -> None:
    number = library.seccomp_syscall_resolve_name(name.encode())
    compared = [confinement.Comparison(argument, how, value, 0) for argument, how, value in comparisons]
    array = (confinement.Comparison * len(compared))(*compared) if compared else None
    # Negative: this architecture has no such call.
    if number >= 0 and library.seccomp_rule_add_array(context, _ERRNO | error, number, len(compared), array):
        raise confinement.ConfinementError(f"libseccomp refuses a rule for {name}")
