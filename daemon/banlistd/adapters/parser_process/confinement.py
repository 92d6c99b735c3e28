"""Takes every right from the process that reads hostile bytes: capabilities, files, sockets, memory, system calls.

Only ctypes on libc and libseccomp, which systemd depends on. The order of the calls matters and is the caller's
(`child.give_up_all_rights`): what a later step forbids, an earlier one needs.

*Measured* under the shipped unit (systemd 252): seccomp(2) and landlock are refused unless SystemCallFilter names them;
capset is refused always, so a process that is not root loses its capability by clearing its ambient set and calling execve on
itself; prctl(PR_SET_SECCOMP) works everywhere.
"""

import ctypes
import os
import resource
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_LIBC = ctypes.CDLL(None, use_errno=True)

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_SECUREBITS, _NOROOT = 28, 0b11  # and locked
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_SECCOMP_MODE_FILTER = 2
_SIGKILL = 9

# linux/capability.h
_CAPABILITY_VERSION_3 = 0x20080522

# linux/landlock.h. Numbers of system calls from 424 on are the same on every architecture.
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
_LANDLOCK_GET_VERSION = 1
_READING = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, read a folder

# linux/seccomp.h
_KILL_PROCESS, _KILL_THREAD, _ALLOW = 0x80000000, 0x00000000, 0x7FFF0000
_MASKED_EQUAL = 7
_PROT_EXEC = 4

_CALLS = (
    "read", "readv", "write", "lseek", "fstat", "newfstatat", "close", "munmap", "mremap", "madvise", "brk", "futex",
    "rt_sigreturn", "rt_sigaction", "rt_sigprocmask", "sigaltstack", "exit", "exit_group", "getrandom", "clock_gettime",
    "gettimeofday", "gettid", "sched_yield", "restart_syscall",
)  # fmt: skip
"""What numpy, zlib and the rest of a parse may call. mmap and mprotect are added, without PROT_EXEC."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`data`: bytes of heap and private mappings (RLIMIT_DATA). `result`: bytes of the result file. `seconds`: of processor."""

    data: int
    result: int
    seconds: int


class ConfinementError(Exception):
    """A step that must succeed was refused. The process must not read a byte."""


def give_up_ambient_rights() -> None:
    """Before execve: the new image of a process that is not root has no capability."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def prefer_for_oom_kill() -> None:
    """The kernel kills this process before the daemon when memory runs out. Before `become_private`: later it is refused."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib costs 10 ms of the start
        file.write("1000")


def die_with_parent(parent: int) -> None:
    """Killed when the thread that started it ends (prctl(2)), or at once where `parent` is gone already."""
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    if os.getppid() != parent:
        raise ConfinementError("the daemon is gone")


def become_private() -> None:
    """No core dump, no ptrace by the same account."""
    _prctl(_PR_SET_DUMPABLE, 0)


def drop_capabilities() -> None:
    """Empty all sets; where the unit forbids capset, execve has emptied them already. Raises ConfinementError otherwise."""
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _LIBC.capset(header, bytes(24))
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123 - as above
        effective = next((line.split()[1] for line in file if line.startswith("CapEff:")), "unknown")
    if effective.strip("0"):
        raise ConfinementError(f"it still has capabilities: {effective}")


def be_root_without_rights() -> None:
    """Before execve: root's new image has no capability either, as that of any other account. Raises ConfinementError."""
    _prctl(_PR_SET_SECUREBITS, _NOROOT)


def prepare_for_program(parent: int) -> None:
    """All that comes before an execve that leaves no capability. Raises ConfinementError and OSError."""
    die_with_parent(parent)
    give_up_ambient_rights()
    prefer_for_oom_kill()
    # execve empties the sets of capabilities; capset is refused by the unit.
    if os.geteuid() == 0:
        be_root_without_rights()


def landlock_version() -> int:
    """Of its interface; 0: the kernel has no Landlock, it is switched off, or the unit refuses it."""
    return max(0, int(_LIBC.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_GET_VERSION)))


def forbid_files_and_network() -> None:
    """Landlock with no rule at all, where the kernel and the unit allow it; the filter of system calls forbids the same."""
    _forbid((1 << 13) - 1)


def forbid_writing_and_network() -> None:
    """The same, but files may be read and executed."""
    _forbid((1 << 13) - 1 & ~_READING)


def _forbid(files: int) -> None:
    """`files`: of the rights that the first version of Landlock knows. Without Landlock nothing is forbidden, which the remarks
    at a start say (`starting/remarks`): the other steps are in force all the same.
    """
    version = landlock_version()
    if not version:
        return
    files |= (1 << 13 if version >= 2 else 0) | (1 << 14 if version >= 3 else 0) | (1 << 15 if version >= 5 else 0)  # noqa: PLR2004 - ABI versions
    attributes = struct.pack("QQQ", files, 3 if version >= 4 else 0, 3 if version >= 6 else 0)  # noqa: PLR2004 - as above
    size = 8 if version < 4 else 16 if version < 6 else 24  # noqa: PLR2004 - as above
    ruleset = _LIBC.syscall(_LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return
    _LIBC.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def close_all_but(descriptors: set[int]) -> None:
    """Every descriptor from 3 on that is not named."""
    begin = 3
    for number in sorted(descriptors):
        os.closerange(begin, number)
        begin = number + 1
    os.closerange(begin, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def limit(limits: Limits) -> None:
    """After all imports: OpenBLAS aborts when it is loaded under them."""
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, limits.data),
        (resource.RLIMIT_FSIZE, limits.result),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(what, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.seconds, limits.seconds + 1))


def built_filter(*more: str) -> bytes:
    """An allowlist of system calls as BPF, for this architecture. `more`: calls beside those of every parser process.

    Raises ConfinementError without libseccomp.
    """
    return _allowing(seccomp_library(), (*_CALLS, *more))


def enforce_filter(code: bytes) -> None:
    """From here on every other system call kills the process (SIGSYS)."""
    program = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(program))
    holder = ctypes.create_string_buffer(header, len(header))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(holder))


class Comparison(ctypes.Structure):
    """libseccomp's struct scmp_arg_cmp."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("mask", ctypes.c_uint64), ("value", ctypes.c_uint64))


def seccomp_library() -> ctypes.CDLL:
    """Raises ConfinementError where it is missing."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as exc:
        raise ConfinementError("libseccomp.so.2 is missing: install libseccomp2") from exc
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison),
    ]  # fmt: skip
    library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    return library


def _allowing(library: ctypes.CDLL, names: Sequence[str]) -> bytes:
    # KILL_PROCESS is probed by seccomp(2), which the unit of systemd 252 refuses; in one thread the other one does the same.
    context = library.seccomp_init(_KILL_PROCESS) or library.seccomp_init(_KILL_THREAD)
    if not context:
        raise ConfinementError("libseccomp makes no filter")
    for name in names:
        number = library.seccomp_syscall_resolve_name(name.encode())
        # Negative: this architecture has no such call.
        if number >= 0 and library.seccomp_rule_add_array(context, _ALLOW, number, 0, None):
            raise ConfinementError(f"libseccomp refuses a rule for {name}")
    for name in ("mmap", "mprotect"):
        not_executable = Comparison(2, _MASKED_EQUAL, _PROT_EXEC, 0)
        number = library.seccomp_syscall_resolve_name(name.encode())
        if library.seccomp_rule_add_array(context, _ALLOW, number, 1, ctypes.byref(not_executable)):
            raise ConfinementError(f"libseccomp refuses a rule for {name}")
    return exported(library, context)


def exported(library: ctypes.CDLL, context: int) -> bytes:
    """A filter as BPF; its context is released. Raises ConfinementError."""
    reader, writer = os.pipe()
    failed = library.seccomp_export_bpf(context, writer)
    os.close(writer)
    library.seccomp_release(context)
    with os.fdopen(reader, "rb") as file:
        code = file.read()
    if failed or not code:
        raise ConfinementError("libseccomp exports no filter")
    return code


def _prctl(*arguments: int) -> None:
    padded = [*arguments, *[0] * (5 - len(arguments))]
    if _LIBC.prctl(*[ctypes.c_ulong(value) for value in padded]) < 0:
        number = ctypes.get_errno()
        raise ConfinementError(f"prctl({arguments[0]}): {os.strerror(number)}")
