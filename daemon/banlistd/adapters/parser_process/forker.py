"""The program of the process that forks a parser process for each list while many lists wait.

A fork costs some milliseconds, a start a tenth of a second (measured). This process has no rights, like `child`, but no filter
of system calls yet, so it reads no byte of any list: a fork gets its filter first. A fork reads one list; with a socket, it
reads further ones of the same publisher (`sharing`), whose jobs and descriptors come through it.

Started as a script by `starting.Forker`. Arguments: "first" or "again", a socket (SOCK_SEQPACKET), the parent's pid, sys.path.
Requests: "fork NUMBER JOB", with the descriptors of the body, the result and the answer, and perhaps a socket (SOCK_SEQPACKET),
each message of which is a JOB with three descriptors; "kill NUMBER". Answers:
"0 0" once this process is ready; when a fork has ended, its number (from 1) and its exit code (negative: a signal). The end of
the socket is the end of this process and of all its forks.
"""

import ctypes
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from banlistd.adapters.parser_process.job import Job

_LARGEST = 1 << 16
"""Bytes of a request."""

_RECEIVING = "recvmsg"
"""The system call that a fork with a socket may make beside those of all others. It has no other socket."""


@dataclass(frozen=True, slots=True)
class _Filters:
    """Of system calls, as BPF: for a fork that reads one list, and for one that reads several."""

    single: bytes
    several: bytes


def serve_forks(arguments: list[str]) -> None:
    for number in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    stage, channel, parent, search_path = arguments
    sys.path[:0] = search_path.split(os.pathsep)
    sys.dont_write_bytecode = True
    from banlistd.adapters.parser_process import confinement  # noqa: PLC0415 - sys.path is set just above

    try:
        confinement.die_with_parent(int(parent))
        if stage == "first":
            confinement.give_up_ambient_rights()
            confinement.prefer_for_oom_kill()
            if os.geteuid() != 0:  # as in `child`
                again = [sys.executable, "-I", "-S", os.path.abspath(__file__), "again", *arguments[1:]]  # noqa: PTH100 - as there
                os.execv(sys.executable, again)  # noqa: S606 - no shell: that is wanted
        from banlistd.adapters.parser_process import child, job, parsing  # noqa: F401, PLC0415 - as above; a fork opens no file

        parsing.warm_up()
        fork = _fork_of_libc()
        filters = _Filters(confinement.built_filter(), confinement.built_filter(_RECEIVING))
        confinement.become_private()
        confinement.drop_capabilities()
        confinement.close_all_but({int(channel)})
        confinement.forbid_files_and_network()
    except (confinement.ConfinementError, OSError):
        os._exit(1)  # the daemon starts a process for each list then, and that one says why
    gc.disable()  # as in `child`
    gc.freeze()
    try:
        _serve(socket.socket(fileno=int(channel)), filters, fork)
    except ConnectionError:
        os._exit(0)  # the daemon has closed its end, perhaps with a message unread (ECONNRESET), and waits for nothing


def _fork_of_libc() -> Callable[[], int]:
    """fork(2) with the interpreter's lock kept, and without what Python does in the child to make the locks of other threads
    usable: there are no other threads, and it writes to 150 pages, which takes half a millisecond (measured).
    """
    fork: Callable[[], int] = ctypes.PyDLL(None).fork
    return fork


def _serve(channel: socket.socket, filters: _Filters, fork: Callable[[], int]) -> None:
    running: dict[int, tuple[int, int]] = {}  # by pidfd: number, pid
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    channel.send(b"0 0")
    while True:
        for descriptor, _ in poll.poll():
            if descriptor in running:
                number, pid = running.pop(descriptor)
                poll.unregister(descriptor)
                os.close(descriptor)
                _, status = os.waitpid(pid, 0)
                channel.send(b"%d %d" % (number, os.waitstatus_to_exitcode(status)))
                continue
            request, descriptors, _, _ = socket.recv_fds(channel, _LARGEST, 4)
            if not request:
                os._exit(0)
            verb, asked, *rest = request.split(b" ", 2)
            if verb == b"kill":
                for number, pid in running.values():
                    if number == int(asked):
                        os.kill(pid, signal.SIGKILL)
                continue
            pid = _forked(rest[0].decode(), descriptors, filters, fork)
            pidfd = os.pidfd_open(pid)
            running[pidfd] = int(asked), pid
            poll.register(pidfd, select.POLLIN)


def _forked(job_text: str, descriptors: list[int], filters: _Filters, fork: Callable[[], int]) -> int:
    """The pid of a new parser process, which has the descriptors; here they are closed."""
    from banlistd.adapters.parser_process.job import decoded_job  # noqa: PLC0415 - it is loaded

    # Here and not in the fork, where each page that is written to is copied. The job is the daemon's own words.
    wanted, forker = decoded_job(job_text), os.getpid()
    pid = fork()
    if not pid:
        _parse(wanted, descriptors, filters, forker)
    if pid < 0:
        os._exit(1)
    for each in descriptors:
        os.close(each)
    return pid


def _parse(wanted: "Job", descriptors: list[int], filters: _Filters, forker: int) -> None:
    """The rest of `child.give_up_all_rights`, and its work. Never returns."""
    from banlistd.adapters.parser_process import child, confinement, parsing  # noqa: PLC0415 - they are loaded

    body, result, answer, *further = descriptors
    try:
        confinement.die_with_parent(forker)
        confinement.close_all_but(set(descriptors))
        confinement.limit(wanted.limits)
        # To make the object asks the kernel what it is, which the filter forbids.
        jobs = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, further[0]) if further else None
        confinement.enforce_filter(filters.single if jobs is None else filters.several)
    except (confinement.ConfinementError, OSError, ValueError) as error:
        os.write(answer, child.READY + parsing.not_confined(str(error)))
        os._exit(1)
    os.write(answer, child.READY)
    os.write(answer, parsing.answer_to(wanted, parsing.blocks_of(body), result))
    if jobs is not None:
        _parse_further(jobs, [body, result, answer])
    os._exit(0)


def _parse_further(jobs: socket.socket, descriptors: list[int]) -> None:
    """Read one list after another, until the socket ends. `descriptors`: of the first list, which was read."""
    from banlistd.adapters.parser_process import child, job, parsing  # noqa: PLC0415 - they are loaded

    while True:
        for each in descriptors:
            os.close(each)
        text, descriptors, _, _ = socket.recv_fds(jobs, _LARGEST, 3)
        if not text:
            return
        body, result, answer = descriptors
        os.write(answer, child.READY)
        os.write(answer, parsing.answer_to(job.decoded_job(text.decode()), parsing.blocks_of(body), result))


if __name__ == "__main__":
    serve_forks(sys.argv[1:])
